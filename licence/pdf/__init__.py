"""Licences as PDF documents: rendered (`render`), sealed with PAdES (`sign`), read back and judged (`read`).

Reading needs the standard library and `cryptography`, nothing else; rendering needs the ``documents`` extra.
"""
