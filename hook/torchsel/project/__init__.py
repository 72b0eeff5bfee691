"""A uv project as its files describe it."""
