"""Machines that are not this one: recorded, in words, or in a cluster's inventory."""
