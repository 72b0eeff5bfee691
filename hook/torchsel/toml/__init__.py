"""Edits to TOML text that leave everything else byte for byte."""
