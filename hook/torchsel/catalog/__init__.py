"""The catalog: which PyTorch builds exist and what they run on."""
