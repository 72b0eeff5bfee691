"""The probes: each looks at the machine in one way, says what it found and why, and never raises."""
