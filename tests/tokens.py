"""A token server on loopback, as registries send their clients to one."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

# Whether who asks gets a token, from the request and its form.
Allowed = Callable[[BaseHTTPRequestHandler, dict[str, list[str]]], bool]


class Tokens:
    """Tokens that a registry believes. asked: the method and scope of each request."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        self.key = ec.generate_private_key(ec.SECP256R1())
        now = time.time()
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tokens")])
        self.cert = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(datetime.fromtimestamp(now - 3600, timezone.utc))
            .not_valid_after(datetime.fromtimestamp(now + 3600, timezone.utc))
            .sign(self.key, hashes.SHA256())
        )
        self.bundle = folder / "tokens.pem"
        self.bundle.write_bytes(self.cert.public_bytes(serialization.Encoding.PEM))

    def token(self, scope: str) -> str:
        """One for a scope, signed."""
        now = int(time.time())
        kind, name, action = scope.split(":")
        der = base64.b64encode(self.cert.public_bytes(serialization.Encoding.DER)).decode()
        head = {"typ": "JWT", "alg": "ES256", "x5c": [der]}
        claims = {"iss": "tokens", "sub": "", "aud": "small", "exp": now + 300, "nbf": now - 60, "iat": now, "jti": "1"}
        claims["access"] = [{"type": kind, "name": name, "actions": action.split(",")}]
        text = ".".join(_url64(json.dumps(part).encode()) for part in (head, claims))
        r, s = utils.decode_dss_signature(self.key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{text}.{_url64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _url64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@contextmanager
def token_server(
    tokens: Tokens, allowed: Allowed = lambda _asked, _form: True, *, field: str = "token", refusal: str = ""
) -> Iterator[str]:
    """Hand tokens out, by GET and as OAuth 2 has it by POST; gives where. field: what the answer calls the token.

    refusal: what is said to whom it does not allow.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(parse_qs(urlsplit(self.path).query))

        def do_POST(self) -> None:
            self._answer(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))

        def _answer(self, form: dict[str, list[str]]) -> None:
            good, scope = allowed(self, form), form["scope"][0]
            tokens.asked.append(f"{self.command} {scope}")
            body = json.dumps({field: tokens.token(scope), "expires_in": 300} if good else {"details": refusal})
            self.send_response(200 if good else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/token"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
