"""Tokens that sign nobody in, each with what is wrong with it."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from jwt.algorithms import HMACAlgorithm
from services.auth_server import SECRET, AuthServer, Key

USER = "6b1c2f0e-6a53-4a3e-9d3c-0f4f6b7a8c9d"


def part(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def unsigned(project: AuthServer, algorithm: str) -> str:
    header = {"alg": algorithm, "typ": "JWT", "kid": project.key.id}
    return f"{part(header)}.{part(project.claims(USER))}."


def confused(project: AuthServer, key: bytes) -> str:
    """Return a token whose HMAC is made with the key that everybody knows, as a library that is fooled checks it."""
    signed = f"{part({'alg': 'HS256', 'kid': project.key.id})}.{part(project.claims(USER))}"
    mac = HMACAlgorithm(HMACAlgorithm.SHA256).sign(signed.encode(), key)
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def pem(project: AuthServer) -> bytes:
    found: bytes = project.key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return found


def signed_by(project: AuthServer, key: Any, algorithm: str, **header: Any) -> str:
    return jwt.encode(project.claims(USER), key, algorithm, header)


def altered(project: AuthServer) -> str:
    header, _, signature = project.token(USER).split(".")
    return f"{header}.{part(project.claims(str(uuid.uuid4())))}.{signature}"


def soon(seconds: float) -> int:
    return int(time.time() + seconds)


BAD: dict[str, Callable[[AuthServer], str]] = {
    "rubbish": lambda p: "a.b.c",
    "not json": lambda p: f"{part('x')}.{part('y')}.{part('z')}",
    "deep": lambda p: f"{base64.urlsafe_b64encode(b'[' * 9000).decode()}.{part({})}.c",
    "long": lambda p: p.token(USER, more="x" * 20_000),
    "altered": altered,
    "no signature": lambda p: p.token(USER).rpartition(".")[0] + ".",
    "alg none": lambda p: unsigned(p, "none"),
    "alg None": lambda p: unsigned(p, "None"),
    "confused by the PEM": lambda p: confused(p, pem(p)),
    "confused by the JWK": lambda p: confused(p, json.dumps(p.key.public).encode()),
    "another's secret": lambda p: signed_by(p, "another secret of forty characters or more", "HS256", kid=p.key.id),
    "HS512 by the secret": lambda p: signed_by(p, SECRET * 2, "HS512"),
    "another's key": lambda p: signed_by(p, Key().private, "ES256", kid=p.key.id),
    "a key that nobody knows": lambda p: signed_by(p, p.key.private, "ES256", kid="unknown"),
    "no key named": lambda p: signed_by(p, p.key.private, "ES256"),
    "a key of another kind": lambda p: signed_by(p, Key("RS256").private, "RS256", kid=p.key.id),
    "expired": lambda p: p.token(USER, exp=soon(-120)),
    "no expiry": lambda p: p.token(USER, exp=None),
    "an expiry that is none": lambda p: p.token(USER, exp="never"),
    "not yet": lambda p: p.token(USER, nbf=soon(120)),
    "from the future": lambda p: p.token(USER, iat=soon(120)),
    "another audience": lambda p: p.token(USER, aud="anon"),
    "no audience": lambda p: p.token(USER, aud=None),
    "another issuer": lambda p: p.token(USER, iss="https://other.supabase.co/auth/v1"),
    "no user": lambda p: p.token(USER, sub=None),
    "a path for a user": lambda p: p.token("../../etc"),
    "a path in a user": lambda p: p.token(f"{USER}/../x"),
    "the owner for a user": lambda p: p.token("local"),
    "a line after a user": lambda p: p.token(f"{USER}\n"),
    "a number for a user": lambda p: p.token(USER, sub=7),
    "the service": lambda p: p.token(USER, role="service_role"),
    "nobody in particular": lambda p: p.token(USER, role="anon"),
    "no role": lambda p: p.token(USER, role=None),
}  # fmt: skip
