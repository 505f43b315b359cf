"""Licences as QR codes: a signed short face that verifies offline, and one-time codes that say nothing by themselves.

`base45`, `cbor` and `cose` are the layers of the former, `code` is the former, `once` the latter, `draw` the picture.
"""
