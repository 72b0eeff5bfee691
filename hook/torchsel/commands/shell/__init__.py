"""Commands whose output a shell evaluates."""
