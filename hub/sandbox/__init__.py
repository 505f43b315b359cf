"""Sample rows of a resource, made from its entry in the list."""
