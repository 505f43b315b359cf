"""The tamper-evident log that licences and invocations both stand on.

Entries are hashed into an RFC 6962 tree, published as C2SP tlog-tiles, and can be proven offline by anyone who
holds the log's public key. What an entry means is left to the callers.
"""
