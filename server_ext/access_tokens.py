"""Access tokens of a Supabase project: JSON web tokens, checked here by signature, without asking the project each time.

Imported only where SUPABASE_URL is set.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable
from typing import Any

import jwt

from server_ext.identity import SupabaseUser
from server_ext.refusal import RequestError
from sfwidgets.errors import UnavailableError
from sfwidgets.settings import Settings

log = logging.getLogger(__name__)

LEEWAY = 60.0
"""Seconds by which the clocks of two machines may differ."""
LONGEST = 16_384
"""Characters of a token."""
KEPT_SECONDS = 600.0
"""How long the project's public keys are believed before they are fetched again."""
AGAIN_SECONDS = 30.0
"""How often they are fetched at most because a token names a key that is not among them."""
RETRY_SECONDS = 5.0
"""How often they are asked for where they can't be had; what was fetched before is believed meanwhile."""
FETCH_SECONDS = 3.0
"""How long the project may take to send them."""

_PUBLIC = ("ES256", "RS256")
_USER_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_EXPIRED = "This access token has expired: sign in again."
_BAD = "This access token is not valid here: sign in again."


class SigningKeys:
    """The public keys that a project signs with (JWKS), kept up to date while they are used."""

    def __init__(self, url: str, api_key: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        headers = {} if api_key is None else {"apikey": api_key}
        self._client = jwt.PyJWKClient(url, cache_jwk_set=False, headers=headers, timeout=FETCH_SECONDS)
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = self._searched = self._failed = float("-inf")
        self._down = False
        self._lock = asyncio.Lock()

    async def key(self, name: str) -> jwt.PyJWK | None:
        """Return the key of that name (`kid`), None where there is none; raises `UnavailableError` where nobody knows."""
        if self._has_to_fetch(name):
            async with self._lock:
                if self._has_to_fetch(name):
                    await self._fetch()
        found = self._keys.get(name)
        if found is None and self._down:
            raise UnavailableError(
                "Nobody can be signed in just now: the Supabase project does not send its keys. Try again in a few seconds.",
                code="sign_in_unavailable", details={"retryAfter": RETRY_SECONDS},
            )  # fmt: skip
        return found

    def _has_to_fetch(self, name: str) -> bool:
        now = self._clock()
        if now - self._failed < RETRY_SECONDS:
            return False
        return now - self._fetched > KEPT_SECONDS or (name not in self._keys and now - self._searched > AGAIN_SECONDS)

    async def _fetch(self) -> None:
        now = self._clock()
        known = self._fetched > float("-inf")
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                self._keys = _named(await asyncio.to_thread(self._client.fetch_data))
        except (jwt.PyJWTError, OSError, ValueError) as error:
            self._failed, self._down = self._clock(), True
            log.warning("The Supabase project's keys can't be had from %s: %s", self._client.uri, error)
            return
        if known and now - self._fetched <= KEPT_SECONDS:
            self._searched = now
        self._fetched, self._down = now, False


class AccessTokens:
    """Knows whose a token is."""

    def __init__(self, settings: Settings) -> None:
        base = str(settings.supabase_url).rstrip("/") + "/auth/v1"
        self._issuer = base
        self._secret = settings.supabase_jwt_secret
        self._keys = SigningKeys(f"{base}/.well-known/jwks.json", settings.supabase_key)
        self._told: set[str] = set()

    async def user(self, token: str) -> SupabaseUser:
        """Return whose token it is; raises `RequestError` 401 for one that is not valid here, `UnavailableError`."""
        try:
            if len(token) > LONGEST:
                raise jwt.InvalidTokenError("too long")
            key, algorithm = await self._key(jwt.get_unverified_header(token))
            claims = jwt.decode(
                token, key, algorithms=[algorithm], audience="authenticated", leeway=LEEWAY,
                options={"require": ["exp", "aud", "sub"], "enforce_minimum_key_length": True},
            )  # fmt: skip
            self._check(claims)
            return SupabaseUser(username=claims["sub"], expires=int(claims["exp"]) + LEEWAY)
        except jwt.ExpiredSignatureError:
            raise _refused(_EXPIRED) from None
        except (jwt.PyJWTError, ValueError, TypeError, ArithmeticError, RecursionError):
            raise _refused(_BAD) from None

    async def _key(self, header: dict[str, Any]) -> tuple[Any, str]:
        """Return the key that a token has to be signed with, and the one algorithm that goes with it."""
        algorithm = header.get("alg")
        if algorithm == "HS256" and self._secret is not None:
            return self._secret.get_secret_value(), algorithm
        if algorithm == "HS256":
            self._tell(
                "secret", "Tokens signed with the project's secret (HS256) are refused: set SUPABASE_JWT_SECRET."
            )
        if algorithm in _PUBLIC and isinstance(header.get("kid"), str):
            key = await self._keys.key(header["kid"])
            if key is not None and key.algorithm_name == algorithm:
                return key, algorithm
        raise jwt.InvalidKeyError("no key of the project")

    def _check(self, claims: dict[str, Any]) -> None:
        issuer = claims.get("iss", self._issuer)
        if issuer != self._issuer:
            said = f"Tokens of the issuer {str(issuer)[:200]!r} are refused: by SUPABASE_URL it is {self._issuer}."
            self._tell("issuer", said)
            raise jwt.InvalidIssuerError("another issuer")
        if claims.get("role") != "authenticated" or not _USER_ID.fullmatch(claims["sub"]):
            raise jwt.InvalidTokenError("no user's token")

    def _tell(self, what: str, sentence: str) -> None:
        """Log what whoever runs the server may have to mend, once: clients could fill the log."""
        if what not in self._told:
            self._told.add(what)
            log.warning("%s", sentence)


def _named(answer: Any) -> dict[str, jwt.PyJWK]:
    try:
        found = jwt.PyJWKSet.from_dict(answer).keys
    except jwt.PyJWKSetError:
        found = []  # a project that signs with its secret alone
    return {key.key_id: key for key in found if key.key_id}


def _refused(sentence: str) -> RequestError:
    headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    return RequestError(401, sentence, code="not_signed_in", headers=headers)
