"""Read-only doors into departmental systems: one landed Parquet file of text out, and the cursor after it.

What the text means (types, checks, merging, the cursor's keeping) is left to `warehouse`; when to read, to `hub`.
"""
