"""What several commands do: read the project once, decide, bring files in sync, say what was done."""
