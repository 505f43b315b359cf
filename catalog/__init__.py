"""The responsibility list and its rules: what is shared, by whom, with whom, for what purpose, on what ground.

Nothing here opens a departmental system, keeps state or reads a clock; that is left to
`connectors`, `warehouse` and `hub`.
"""
