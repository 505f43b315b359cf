"""Search over the list in force: its index, the stores of that, and what a resource looks like to a department."""
