"""What is done with the project: shown, tested, measured, kept true."""
