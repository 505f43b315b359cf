"""Backups: a copy of what cannot be made again, checked file by file, and put back into a new home."""
