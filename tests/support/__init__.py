"""The test world: a small PyTorch-like index on loopback, and projects that real uv locks against it."""
