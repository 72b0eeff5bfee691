"""uv as torchsel calls it: what comes before, and then the process becomes it."""
