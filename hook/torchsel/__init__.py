"""The right PyTorch build for this machine in uv projects."""

__version__ = "0.1.0"
