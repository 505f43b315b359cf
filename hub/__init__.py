"""The hub: use cases over the lower floors, and their three doors (API, portal, command line).

The only composition root: whatever is opened, wired or configured is opened here.
"""
