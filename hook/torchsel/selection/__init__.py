"""The choice of a build: pure functions from host, demand, configuration and catalog to a selection."""
