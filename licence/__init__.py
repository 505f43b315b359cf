"""Electronic licences (电子证照): kinds, identifiers, issuing, status and verification that asks nobody.

Issuing and verifying live in the modules below; when to issue, where to store and what to log belong to `hub`.
An outside verifier needs `licence.verify`, `licence.bundle` and `licence.trust`: standard library, `cryptography`
and `audit`, nothing else.
"""
