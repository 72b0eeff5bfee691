"""The routing that is wanted, and the edits that bring a pyproject.toml to it."""
