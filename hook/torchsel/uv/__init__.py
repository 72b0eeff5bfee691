"""uv itself: its command line, and starting it."""
