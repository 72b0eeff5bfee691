"""The README's pictures, drawn from real output."""
