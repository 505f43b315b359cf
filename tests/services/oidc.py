"""A provider of single sign-on for tests: discovery, keys, authorization and token endpoint of OpenID Connect Core 1.0.

It shares no code with what it tests: tokens are put together and signed by `cryptography` alone, and a client that
does not keep to the standard (PKCE, redirect address, one use of a code, its secret) is refused. What it does wrong on
purpose is set in `lies`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

CLIENT, SECRET = "portal", "a secret + with / signs"


class Provider:
    """One provider at *url*; *claims* are of whoever signs in next, *now* is its clock."""

    def __init__(self, url, returns):
        self.url, self.returns = url, returns
        self.claims = {"sub": "s-1", "preferred_username": "nobody"}
        self.lies, self.keys, self.codes, self.asked = {}, {}, {}, []
        self.now = time.time
        self.down = self.refuses = False
        self.rotate()

    def rotate(self):
        """Another key, and none of before."""
        self.kid = secrets.token_hex(4)
        self.keys = {self.kid: rsa.generate_private_key(public_exponent=65537, key_size=2048)}

    def document(self):
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "authorization_response_iss_parameter_supported": True,
            **self.lies.get("document", {}),
        }

    def jwks(self):
        found = []
        for kid, key in self.keys.items():
            numbers = key.public_key().public_numbers()
            size = (numbers.n.bit_length() + 7) // 8
            found.append(
                {
                    "kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256",
                    "n": folded(numbers.n.to_bytes(size, "big")), "e": folded(numbers.e.to_bytes(3, "big")),
                }
            )  # fmt: skip
        return {"keys": found}

    def authorize(self, query):
        """Sign in whoever `claims` are of; the address that the browser is sent back to."""
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT
        assert query["redirect_uri"] == self.returns
        assert "openid" in query["scope"].split()
        assert query["code_challenge_method"] == "S256"
        answer = {"state": query["state"], "iss": self.url}
        if self.refuses:
            answer["error"] = "access_denied"
        else:
            answer["code"] = secrets.token_urlsafe(16)
            self.codes[answer["code"]] = query
        answer |= self.lies.get("answer", {})
        return f"{self.returns}?{urlencode({name: value for name, value in answer.items() if value is not None})}"

    def token(self, form, authorization):
        """The answer to a code, and its status."""
        said = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        if (unquote(said[0]), unquote(said[2])) != (CLIENT, SECRET):
            return {"error": "invalid_client"}, 401
        query = self.codes.pop(form.get("code"), None)
        challenge = folded(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if query is None or form["redirect_uri"] != self.returns or challenge != query["code_challenge"]:
            return {"error": "invalid_grant"}, 400
        now = int(self.now())
        claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": query["nonce"], **self.claims}
        claims |= self.lies.get("claims", {})
        claims = {name: value for name, value in claims.items() if value is not None}
        return {"access_token": "not used", "token_type": "Bearer", "id_token": self.signed(claims)}, 200

    def signed(self, claims):
        """A JWT of *claims*, by hand."""
        header = {"alg": "RS256", "kid": self.kid, **self.lies.get("header", {})}
        text = ".".join(folded(json.dumps(one).encode()) for one in (header, claims))
        key = self.lies.get("key", self.keys.get(self.kid))
        if header["alg"] == "none":
            signature = b""
        elif header["alg"] == "HS256":
            signature = hmac.new(SECRET.encode(), text.encode(), "sha256").digest()
        else:
            signature = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{text}.{folded(signature)}"


def folded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@contextmanager
def provider(returns):
    """A provider that listens on this machine; *returns* is the client's address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.provider = Provider(f"http://127.0.0.1:{server.server_port}", returns)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        one, parts = self.server.provider, urlsplit(self.path)
        one.asked.append(parts.path)
        if one.down:
            self._say({"error": "down"}, 503)
        elif parts.path == "/.well-known/openid-configuration":
            self._say(one.document())
        elif parts.path == "/keys":
            self._say(one.jwks())
        elif parts.path == "/authorize":
            to = one.authorize(dict(parse_qsl(parts.query)))
            self.send_response(302)
            self.send_header("location", to)
            self.send_header("content-length", "0")
            self.end_headers()
        else:
            self._say({}, 404)

    def do_POST(self):
        one = self.server.provider
        one.asked.append(self.path)
        form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        fields = {name: values[-1] for name, values in form.items()}
        self._say(*(({"error": "down"}, 503) if one.down else one.token(fields, self.headers["authorization"] or "")))

    def _say(self, plain, status=200):
        data = json.dumps(plain).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments):
        """Nobody reads it."""
