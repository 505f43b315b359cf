"""OFD (GB/T 33190) documents of licences: built, sealed and read strictly.

Reading (`read`, `container`, `xml`) needs `licence` and `cryptography` only; building needs the extra `documents`.
"""
