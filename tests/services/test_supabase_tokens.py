"""Whose a Supabase token is: tokens of a stand-in for the project, checked in this process."""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections.abc import Iterator

import jwt
import pytest
from services.auth_server import API_KEY, KEYS, SECRET, AuthServer, auth_server
from services.forged_tokens import BAD, USER, soon

from server_ext import access_tokens
from server_ext.access_tokens import AccessTokens, SigningKeys
from server_ext.refusal import RequestError
from sfwidgets.errors import InvalidInputError, UnavailableError
from sfwidgets.settings import Settings


@pytest.fixture
def project() -> Iterator[AuthServer]:
    with auth_server() as server:
        yield server


@pytest.fixture(scope="module")
def steady() -> Iterator[AuthServer]:
    """A project that no test changes."""
    with auth_server() as server:
        yield server


def known(project: AuthServer, secret: str | None = None) -> AccessTokens:
    return AccessTokens(Settings(supabase_url=project.url + "/", supabase_key=API_KEY, supabase_jwt_secret=secret))


def whose(tokens: AccessTokens, token: str) -> str:
    return asyncio.run(tokens.user(token)).username


def refused(tokens: AccessTokens, token: str) -> str:
    """Return the sentence with which a token is refused."""
    with pytest.raises(RequestError) as error:
        asyncio.run(tokens.user(token))
    assert (error.value.status, error.value.code) == (401, "not_signed_in")
    return error.value.message


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("secret", [None, SECRET])
def test_what_the_project_did_not_sign_for_a_user_who_may_come_in_is_refused(
    steady: AuthServer, bad: str, secret: str | None
) -> None:
    refused(known(steady, secret), BAD[bad](steady))


def test_a_token_is_its_users_whichever_way_it_was_signed(project: AuthServer) -> None:
    tokens = known(project, SECRET)
    assert whose(tokens, project.token(USER)) == USER
    by_secret = jwt.encode(project.claims(USER, iss=None, is_anonymous=True), SECRET, "HS256")
    assert whose(tokens, by_secret) == USER
    assert refused(known(project), by_secret) != refused(known(project), project.token(USER, exp=soon(-90)))
    project.rotate("RS256")
    assert whose(tokens, project.token(USER)) == USER


def test_clocks_may_differ_by_a_minute_and_what_began_ends_then(steady: AuthServer) -> None:
    tokens = known(steady)
    late = steady.token(USER, exp=soon(-30), nbf=soon(30), iat=soon(30))
    assert asyncio.run(tokens.user(late)).expires == pytest.approx(time.time() + 30, abs=10)


def test_what_an_operator_may_have_to_mend_is_said_once(steady: AuthServer, caplog: pytest.LogCaptureFixture) -> None:
    tokens = known(steady)
    for _ in range(2):
        refused(tokens, BAD["another issuer"](steady))
        refused(tokens, jwt.encode(steady.claims(USER), SECRET, "HS256"))
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(said) == 2
    assert "other.supabase.co" in said[0]
    assert "set SUPABASE_JWT_SECRET" in said[1]


def test_keys_are_fetched_once_and_again_for_a_new_one_but_not_for_everyone_who_names_one(project: AuthServer) -> None:
    now = [1000.0]
    keys = SigningKeys(project.url + KEYS, API_KEY, clock=lambda: now[0])

    async def ask(*names: str) -> list[bool]:
        return [found is not None for found in await asyncio.gather(*map(keys.key, names))]

    async def scenario() -> None:
        old = project.key.id
        assert await ask(*[old] * 20) == [True] * 20
        assert len(project.asked) == 1
        project.rotate()
        assert await ask(old, project.key.id) == [True, True]
        assert len(project.asked) == 2
        assert await ask(*map(str, range(20)), old) == [False] * 20 + [True]
        assert len(project.asked) == 2
        now[0] += access_tokens.AGAIN_SECONDS + 1
        assert await ask("unknown", "unknown") == [False, False]
        assert len(project.asked) == 3
        project.published = [project.key.public]  # the old key is withdrawn
        now[0] += access_tokens.KEPT_SECONDS + 1
        assert await ask(old, project.key.id) == [False, True]

    asyncio.run(scenario())


@pytest.mark.parametrize("status", [500, 0], ids=["fails", "hangs up"])
def test_a_project_that_is_down_is_503_and_keys_that_are_known_go_on(project: AuthServer, status: int) -> None:
    now = [1000.0]
    keys = SigningKeys(project.url + KEYS, API_KEY, clock=lambda: now[0])
    project.status = status

    async def scenario() -> None:
        for _ in range(3):
            with pytest.raises(UnavailableError) as error:
                await keys.key(project.key.id)
            assert error.value.retry_after == access_tokens.RETRY_SECONDS
        assert len(project.asked) == 1
        project.status = 200
        now[0] += access_tokens.RETRY_SECONDS
        assert await keys.key(project.key.id) is not None
        project.status = status
        now[0] += access_tokens.KEPT_SECONDS + 1
        assert await keys.key(project.key.id) is not None
        with pytest.raises(UnavailableError):
            await keys.key("unknown")
        assert len(project.asked) == 3

    asyncio.run(scenario())


def test_a_project_without_public_keys_knows_none(project: AuthServer) -> None:
    token = project.token(USER)
    project.published = []
    refused(known(project), token)


def test_keys_that_are_no_public_keys_of_a_known_kind_sign_nothing(project: AuthServer) -> None:
    secret = base64.urlsafe_b64encode(SECRET.encode()).decode()
    project.published = [
        {"kty": "oct", "k": secret, "kid": "shared", "alg": "HS256"},
        {"kty": "EC"},
        project.key.public,
    ]
    tokens = known(project)
    refused(tokens, jwt.encode(project.claims(USER), SECRET, "HS256", {"kid": "shared"}))
    assert whose(tokens, project.token(USER)) == USER


def test_a_secret_that_can_be_guessed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_JWT_SECRET", "short-secret")
    with pytest.raises(InvalidInputError, match="SUPABASE_JWT_SECRET: this is too short") as error:
        Settings()
    assert "short-secret" not in error.value.message
