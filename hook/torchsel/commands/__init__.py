"""The commands of torchsel, a module each."""
