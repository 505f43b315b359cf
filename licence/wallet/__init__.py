"""Licences in people's wallets: holder keys and key binding, OpenID4VCI and OpenID4VP as pure messages.

Nothing here opens a socket or reads a clock; the HTTP doors are `hub`'s.
"""
