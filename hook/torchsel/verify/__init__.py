"""``torchsel verify``: the installed torch, tried on this machine by children that may hang or die."""
