"""When a claim means the same as a stored value, however either was written."""
