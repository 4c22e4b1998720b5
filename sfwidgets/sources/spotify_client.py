"""Asking Spotify's Web API, with patience: rate limits, faults on the way, and tokens that expire."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

from sfwidgets.errors import (
    NotFoundError,
    SlowDownError,
    SoundForgeError,
    UnavailableError,
    UpstreamError,
    UpstreamTimeoutError,
)
from sfwidgets.models.base import one_line
from sfwidgets.settings import Settings

Waiting = Callable[[str], None]

TIMEOUT = 10.0
"""Seconds to wait for Spotify to answer, or to go on sending."""
TRIES = 4
"""How often one question is asked, where the answer fails on the way."""
BACKOFF = 0.5
"""Seconds to wait before the second try, at most; doubled with each further one."""
LONGEST_WAIT = 60.0
"""Seconds of one rate limit that are waited out."""
PATIENCE = 300.0
"""Seconds that are waited in all, for one list."""
MOST_LIMITS = 10
"""How many rate limits one question may meet."""
UNSAID_WAIT = 5.0
"""Seconds to wait after a rate limit that doesn't say how long; doubled each time."""
TICK = 0.25
"""Seconds between two calls of `waiting`: it may raise, and who cancels wants to see it."""

_API = "https://api.spotify.com/v1/"
_ACCOUNTS = "https://accounts.spotify.com/"


def has_credentials(settings: Settings) -> bool:
    """Return whether there are credentials of a Spotify app, good ones or not."""
    return bool(settings.spotify_client_id and settings.spotify_client_secret)


class _RefusalError(Exception):
    """An answer with a status of 400 or more."""

    def __init__(self, response: Any) -> None:
        super().__init__(f"status {response.status_code}")
        self.status: int = response.status_code
        self.retry_after: str | None = response.headers.get("Retry-After")
        self.of_token: bool = response.url.startswith(_ACCOUNTS)
        self.reason = _reason(response)
        response.close()


class _BrokenAnswerError(Exception):
    """What came is not the JSON object that it should be."""


class SpotifyClient:
    """Spotipy with an app's credentials; a context manager, for one list or search.

    `waiting` is told a sentence several times a second while there is something to wait for. What it raises ends the
    waiting and goes on.
    """

    def __init__(self, settings: Settings, waiting: Waiting) -> None:
        """Raises `UnavailableError` where there are no credentials."""
        import requests
        from spotipy import Spotify, SpotifyClientCredentials

        if not settings.spotify_client_id or not settings.spotify_client_secret:
            raise UnavailableError(
                "There are no credentials for Spotify. Make an app at developer.spotify.com/dashboard, and set "
                "SPOTIFY_CLIENT_ID and SPOTIFY_CLIENT_SECRET.",
                code="no_spotify_credentials",
            )
        identity = settings.spotify_client_id, settings.spotify_client_secret.get_secret_value()
        if not "".join(identity).isascii():
            raise _dead_credentials()
        logging.getLogger("spotipy").setLevel(logging.INFO)  # it would write tokens and the secret at DEBUG
        self._session = requests.Session()
        self._session.hooks["response"].append(_refuse)
        self._credentials = SpotifyClientCredentials(
            *identity, requests_session=self._session, requests_timeout=TIMEOUT, cache_handler=_token_store(*identity)
        )
        self.api = Spotify(
            auth_manager=self._credentials, requests_session=self._session, requests_timeout=TIMEOUT
        )  # with a session that is given, spotipy adds no retries of its own
        self._waiting = waiting
        self._waited = 0.0

    def __enter__(self) -> SpotifyClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def ask(self, call: Callable[..., Any], *args: Any, **options: Any) -> dict[str, Any]:
        """Return what a method of `api` answers.

        Raises
        ------
        NotFoundError
            With the code `not_on_spotify`.
        UnavailableError
            With the code `spotify_credentials`, where Spotify doesn't accept them.
        SlowDownError
            Where Spotify asks to wait for longer than is waited here.
        UpstreamError
            With the code `spotify_refused` where Spotify does not let this app have that; else it failed, again and
            again. `UpstreamTimeoutError` where it didn't answer.
        """
        for limits in range(MOST_LIMITS + 1):
            try:
                return self._try_again(call, *args, **options)
            except _RefusalError as refusal:
                if refusal.status != 429:
                    raise _in_words(refusal) from None
                self._wait_out(refusal, limits)
        raise AssertionError("the last rate limit raises")

    def items(self, page: dict[str, Any]) -> Iterator[Any]:
        """Yield what is on a page of a list, and on all that follow it; raises what `ask` raises."""
        followed = set()
        while True:
            entries = page.get("items")
            if not isinstance(entries, list):
                raise _refused("it sent the list without its items")
            yield from entries
            following = page.get("next")
            if not following:
                return
            # The token goes wherever this leads, and so does the loop.
            if not str(following).startswith(_API) or following in followed:
                raise UpstreamError("Spotify's answer leads astray: its next page is none. Try again later.")
            followed.add(following)
            page = self.ask(self.api.next, page)

    def _try_again(self, call: Callable[..., Any], *args: Any, **options: Any) -> dict[str, Any]:
        import requests
        import tenacity

        trying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_may_pass),
            stop=tenacity.stop_after_attempt(TRIES),
            wait=tenacity.wait_random_exponential(multiplier=BACKOFF, max=8),
            sleep=lambda seconds: self._wait(seconds, "Spotify failed to answer. Asking again in {} s"),
            reraise=True,
        )
        try:
            answer: dict[str, Any] = trying(self._once, call, *args, **options)
        except requests.Timeout:
            raise UpstreamTimeoutError(
                f"Spotify did not answer within {TIMEOUT:g} s, {TRIES} times in a row. Try again in a minute.",
                details={"retryAfter": 60},
            ) from None
        except requests.RequestException as error:
            raise UpstreamError(
                f"The connection to Spotify failed {TRIES} times in a row ({type(error).__name__}). Check that this "
                "machine reaches the internet, and try again.",
                code="spotify_unreachable",
            ) from None
        except _BrokenAnswerError:
            raise UpstreamError(f"Spotify's answer was broken {TRIES} times in a row. Try again later.") from None
        return answer

    def _once(self, call: Callable[..., Any], *args: Any, **options: Any) -> dict[str, Any]:
        try:
            answer = call(*args, **options)
        except _RefusalError as refusal:
            if refusal.status != 401 or refusal.of_token:
                raise
            # The token expired before its time.
            self._credentials.get_access_token(as_dict=False, check_cache=False)
            answer = call(*args, **options)
        if not isinstance(answer, dict):
            raise _BrokenAnswerError
        return answer

    def _wait_out(self, refusal: _RefusalError, limits: int) -> None:
        """Wait as long as a rate limit says; raises `SlowDownError` where that is too long."""
        said = _seconds(refusal.retry_after)
        seconds = UNSAID_WAIT * 2**limits if said is None else said
        if seconds > LONGEST_WAIT or self._waited + seconds > PATIENCE or limits == MOST_LIMITS:
            wait = math.ceil(max(seconds, 1))
            raise SlowDownError(
                f"Spotify asks to wait {wait} s before it answers again. Try again then.",
                code="spotify_slow_down",
                details={"retryAfter": wait},
            )
        self._waited += seconds
        self._wait(seconds, "Spotify asks to wait {} s")

    def _wait(self, seconds: float, why: str) -> None:
        end = time.monotonic() + seconds
        left = seconds
        while True:
            self._waiting(why.format(math.ceil(left)))
            time.sleep(min(max(left, 0), TICK))
            left = end - time.monotonic()
            if left <= 0:
                return


@lru_cache(maxsize=8)
def _token_store(client_id: str, client_secret: str) -> Any:
    """Return where this process keeps the app's token: it is good for an hour, for any number of lists."""
    from spotipy import MemoryCacheHandler

    del client_id, client_secret
    return MemoryCacheHandler()


def _refuse(response: Any, *_: Any, **__: Any) -> None:
    """Raise `_RefusalError` for a refusal before spotipy sees it, which keeps no status of one that is the token's."""
    if response.status_code >= 400:
        raise _RefusalError(response)


def _reason(response: Any) -> str:
    """Return what Spotify says about its refusal; "" where that can't be read."""
    import requests

    try:
        return one_line(str(response.json()["error"]["message"]))[:200]
    except (requests.RequestException, LookupError, TypeError):
        return ""


def _may_pass(error: BaseException) -> bool:
    import requests

    if isinstance(error, _RefusalError):
        return error.status >= 500
    return isinstance(error, requests.RequestException | _BrokenAnswerError)


def _seconds(retry_after: str | None) -> float | None:
    """Return the seconds that a Retry-After header means (RFC 9110, section 10.2.3); None where it means nothing."""
    if retry_after is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", retry_after.strip()):
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)


def _in_words(refusal: _RefusalError) -> SoundForgeError:
    if refusal.of_token and refusal.status in {400, 401, 403}:
        return _dead_credentials()
    if refusal.status in {400, 404, 410}:
        return NotFoundError(
            "Spotify has nothing at this link: it is gone or private, or the link is not complete.",
            code="not_on_spotify",
        )
    if refusal.status in {401, 403}:
        return _refused(refusal.reason or f"status {refusal.status}")
    return UpstreamError(
        f"Spotify failed {TRIES} times in a row (status {refusal.status}). Try again in a minute.",
        details={"retryAfter": 60},
    )


def _dead_credentials() -> UnavailableError:
    return UnavailableError(
        "Spotify does not accept the credentials of this machine. Compare SPOTIFY_CLIENT_ID and SPOTIFY_CLIENT_SECRET "
        "with the app's at developer.spotify.com/dashboard.",
        code="spotify_credentials",
    )


def _refused(reason: str) -> UpstreamError:
    return UpstreamError(
        f"Spotify does not give this to the app of these credentials ({reason}). Most apps may not read other people's "
        "playlists; spotDL can: set SPOTIFY_API_MODE to spotdl.",
        code="spotify_refused",
    )
