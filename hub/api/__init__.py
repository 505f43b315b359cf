"""The data-invocation API: HTTP around `hub.invocation`, signed answers, the public log and the catalogue.

What is answered and what is recorded belongs to the use cases; this door only translates.
"""

from hub.api.app import create_app

__all__ = ["create_app"]
