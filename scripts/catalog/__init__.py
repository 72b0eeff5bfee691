"""The catalog beside the world: an index's pages and wheels, and uv's own choice."""
