"""A stand-in for a Supabase project's sign-in: it publishes its keys over a socket, and signs what a test asks for."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

API_KEY = "sb_publishable_of_the_stand_in"
KEYS = "/auth/v1/.well-known/jwks.json"
HEALTH = "/auth/v1/health"
SECRET = "a-secret-that-is-at-least-forty-characters-long"


class Key:
    """A signing key, as a project has it."""

    def __init__(self, algorithm: str = "ES256") -> None:
        self.id = str(uuid.uuid4())
        self.algorithm = algorithm
        self.private: Any = (
            ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else rsa.generate_private_key(65537, 2048)
        )

    @property
    def public(self) -> dict[str, Any]:
        """The public half, as JWKS has it (RFC 7517)."""
        kind = jwt.get_algorithm_by_name(self.algorithm)
        whole: dict[str, Any] = kind.to_jwk(self.private.public_key(), as_dict=True)
        return {**whole, "kid": self.id, "alg": self.algorithm, "use": "sig", "key_ops": ["verify"]}


class AuthServer:
    """A project of its own at 127.0.0.1."""

    def __init__(self) -> None:
        self.key = Key()
        self.published = [self.key.public]
        self.status = 200
        """What it answers with; 0 for no answer at all."""
        self.asked: list[str] = []
        project = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                project.asked.append(self.path)
                known = self.headers.get("apikey") == API_KEY
                body = {"keys": project.published} if self.path == KEYS else {"name": "GoTrue"}
                status = project.status if self.path == KEYS or known else 401
                if not status:
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def environment(self) -> dict[str, str]:
        """What a server of ours is told of it."""
        return {"SUPABASE_URL": self.url, "SUPABASE_KEY": API_KEY}

    def rotate(self, algorithm: str = "ES256") -> None:
        """Sign with a new key from now on; the old one stays published, as Supabase has it."""
        self.key = Key(algorithm)
        self.published = [self.key.public, *self.published]

    def claims(self, user: str, **changed: Any) -> dict[str, Any]:
        """Return what Supabase says in a token; None leaves a claim out."""
        now = int(time.time())
        said = {
            "iss": f"{self.url}/auth/v1", "sub": user, "aud": "authenticated", "exp": now + 3600, "iat": now,
            "email": "somebody@example.org", "phone": "", "app_metadata": {"provider": "email"}, "user_metadata": {},
            "role": "authenticated", "aal": "aal1", "session_id": str(uuid.uuid4()), "is_anonymous": False,
        } | changed  # fmt: skip
        return {name: value for name, value in said.items() if value is not None}

    def token(self, user: str, **changed: Any) -> str:
        """Return an access token, signed by the project's key."""
        return jwt.encode(self.claims(user, **changed), self.key.private, self.key.algorithm, {"kid": self.key.id})

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def auth_server() -> Iterator[AuthServer]:
    """Run a project within the block."""
    server = AuthServer()
    try:
        yield server
    finally:
        server.close()
