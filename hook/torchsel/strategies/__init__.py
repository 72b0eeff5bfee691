"""The strategies: how a project's routing is laid out, and how this machine's build is chosen in it."""
