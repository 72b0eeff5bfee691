"""What torchsel costs, measured."""
