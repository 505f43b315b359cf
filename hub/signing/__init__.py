"""Requests signed by client systems: RFC 9421 signatures, RFC 9530 digests, and an older profile beside them."""
