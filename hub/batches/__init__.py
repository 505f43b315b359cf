"""Batch orders (批量交换): taken, made by a worker as masked files, and handed out with a signed manifest."""
