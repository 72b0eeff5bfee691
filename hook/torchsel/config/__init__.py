"""``[tool.torchsel]`` and what else a user can ask for: keys, values, schema, request."""
