"""Writes the list for programs and offices elsewhere: DCAT, the national core-metadata table, a grant's OpenAPI.

Unlike `catalog.export`, nothing here is read back as a list.
"""
