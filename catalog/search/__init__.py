"""Finds resources of a list by the words people use for them: tokens, plan, ranking and facets, all pure.

Where the postings are kept, SQLite or PostgreSQL, is `hub.search.index`'s affair.
"""
