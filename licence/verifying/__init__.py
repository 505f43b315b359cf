"""One door for everything a person may hold: licence bundles and SD-JWTs, PDF, OFD, seals, seal signatures, QR codes.

`judge` recognises by content and answers with a report; `diagnostic` writes down everything it judged by, and `replay`
judges that again, under another policy or time if wanted. What each format proves is left to the packages that read it.
It fetches nothing and keeps nothing. Needs the standard library and `cryptography` only.
"""

from __future__ import annotations

from licence.verifying.door import judge, recognise
from licence.verifying.moments import signing_time
from licence.verifying.replay import diagnostic, replay
from licence.verifying.report import DocumentReport, Form, Report, simple

__all__ = ["DocumentReport", "Form", "Report", "diagnostic", "judge", "recognise", "replay", "signing_time", "simple"]
