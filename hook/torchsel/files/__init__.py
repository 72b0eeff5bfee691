"""Files: where state is kept, mutual exclusion, replacement as a whole, transactions, signals."""
