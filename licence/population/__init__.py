"""Auditing all licences of a city at once, with no network: log, status lists, database and published totals agree.

`model` holds what goes in and comes out, `auditing` the checks, `page` the report as a page.
"""
