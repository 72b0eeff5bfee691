"""What takes too long for the tests: random projects, faults at every step, crowds, lowest releases."""
