"""Who may come in: one gate for every path of ours, over HTTP and at the sockets alike.

In this order: the origin, a Supabase user's access token, the host's name, Jupyter Server's own sign-in (or none with
`--no-sign-in`), the XSRF token of requests that are signed in by cookie, and Jupyter Server's authorizer. Neither
tornado's plain handlers nor python-socketio's check any of it by themselves. A request with an access token is its user's,
whatever cookie comes with it; what the token's user may not do is not tried as somebody else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from jupyter_server.auth.identity import User
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import ensure_async
from tornado import web

from server_ext import request_log
from server_ext.identity import RESOURCE, SupabaseUser, access_tokens, bearer_token
from server_ext.limits import SETTING as PACE
from server_ext.limits import Pace
from server_ext.refusal import RequestError
from sfwidgets.errors import SoundForgeError
from sfwidgets.settings import LOCAL_OWNER

POLICY = "soundforge_policy"
"""The server's setting that holds the policy."""

ANYBODY = User(username="anybody", display_name="Anybody on this machine")
"""Who calls where nobody needs to sign in."""

EXPOSED = (
    "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag, Location, Retry-After, Track-Id, "
    "Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version, Upload-Expires, Upload-Length, Upload-Offset, X-Request-Id"
)
"""Response headers that a page of another origin may read."""

_SENTENCES = {
    400: ("This request is malformed.", "invalid_input"),
    401: ("Sign in to use this: with the server's token, or through its login page.", "not_signed_in"),
    403: ("This request is refused: it comes from another site, or its user may not do this.", "refused"),
    404: ("There is no such thing here.", "not_found"),
    405: ("This can't be done here.", "method_not_allowed"),
    413: ("This request is too large.", "too_large"),
}
_INTERNAL = ("Something went wrong inside Sound Forge; the server's log says what. Try again.", "internal")


ALWAYS_RETRIED = (429, 504)
"""Statuses that come with a Retry-After, also where nobody knows how long it takes."""
USUAL_WAIT = 30.0
"""Seconds to wait then."""

MOST_REFUSED = 100
_refused: set[str] = set()
"""The origins that the log has told of."""


def _site_of(origin: str) -> str:
    """Return the host and port of an origin; "" where it has none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _origin_of(address: str) -> str:
    """Return the origin of an address; "null" where it has none."""
    site = _site_of(address)
    return f"{urlsplit(address).scheme}://{site}" if site else "null"


@dataclass(frozen=True)
class Policy:
    """What the server was started with."""

    sign_in: bool = True
    origins: frozenset[str] = frozenset()
    """Other origins whose pages may call, like `http://localhost:3000`."""


class Gate(JupyterHandler):
    """Lets a request in, or answers it with an error as JSON: `{"error", "code"}`, never as a page."""

    auth_resource = RESOURCE
    public = False
    """True for what is answered without sign-in."""
    counted = True
    """Whether a request counts among those that a caller may send in a minute."""
    token_in_query = False
    """True for sockets, to which browsers send no header: `?access_token=` is as good there."""
    owner = ""
    """Whose tracks and jobs a request that was let in is about; "" where nobody has signed in."""
    token_user: SupabaseUser | None = None
    """Who signed in by an access token."""

    @property
    def policy(self) -> Policy:
        """What the server was started with."""
        found: Policy = self.settings[POLICY]
        return found

    async def prepare(self, *, _redirect_to_login: Any = False) -> None:
        """Let a request in: 401 without sign-in; 403 from another origin, to another host, or without XSRF token."""
        request_log.begin(self)
        if not self.check_origin():
            raise web.HTTPError(403)
        asks_who = not self.public and self.request.method != "OPTIONS"
        token = self._access_token() if asks_who else None
        if token is not None:
            self.token_user = self._jupyter_current_user = await self.user_of(token)
        await super().prepare(_redirect_to_login=_redirect_to_login)
        if not asks_who:
            return
        if self.token_user is not None:
            self.current_user = self.token_user
        elif self.current_user is None:
            if self.policy.sign_in:
                self.nobody()
                self.check_pace()
                return
            self.current_user = ANYBODY
        await self.check_allowed(self.current_user)
        self.owner = LOCAL_OWNER if self.token_user is None else self.token_user.username
        self.check_pace()

    def on_finish(self) -> None:
        """Log the request."""
        super().on_finish()
        request_log.end(self)

    def check_pace(self) -> None:
        """Raise `SlowDownError` where the caller asks too often: an owner, or an address where nobody has signed in."""
        pace: Pace = self.settings[PACE]
        if self.counted:
            pace.check(self.owner if self.policy.sign_in and self.owner else str(self.request.remote_ip))

    def nobody(self) -> None:
        """Turn away whoever has not signed in."""
        raise web.HTTPError(401)

    async def user_of(self, token: str) -> SupabaseUser:
        """Return whose access token it is; raises `RequestError` 401, or `UnavailableError` where nobody can know."""
        tokens = access_tokens(self)
        if tokens is None:
            raise web.HTTPError(401)
        return await tokens.user(token)

    async def check_allowed(self, user: User) -> None:
        """Raise `HTTPError` 403 where Jupyter Server's authorizer says no."""
        action = "read" if self.request.method in ("GET", "HEAD") else "write"
        if not await ensure_async(self.authorizer.is_authorized(self, user, action, self.auth_resource)):
            raise web.HTTPError(403)

    def _access_token(self) -> str | None:
        """Return the access token that comes with the request; None where it has none, or none is taken here."""
        if access_tokens(self) is None:
            return None
        in_query = self.get_query_argument("access_token", "") if self.token_in_query else ""
        return bearer_token(self) or in_query or None

    def check_origin(self, origin_to_satisfy_tornado: str = "") -> bool:
        """Return whether the request names no origin, this server's own, or a listed one."""
        del origin_to_satisfy_tornado
        headers = self.request.headers
        origin = headers.get("Origin", headers.get("Sec-Websocket-Origin"))
        if origin is None and self._is_embedded_elsewhere():
            origin = _origin_of(headers.get("Referer", ""))
        if origin is None:
            return True
        own = _site_of(origin) == headers.get("Host", "").lower() != ""
        known = own or origin.lower() in self.policy.origins
        if not known and origin not in _refused and len(_refused) < MOST_REFUSED:
            _refused.add(origin)
            self.log.warning(
                "A page of %r was refused. If it may use the API, name it: --allow-origin, or SOUNDFORGE_ALLOW_ORIGINS.",
                origin,
            )
        return known

    def _is_embedded_elsewhere(self) -> bool:
        """Return whether a browser says that a page of another origin asks, as for an `<audio>`, which names no origin."""
        headers = self.request.headers
        followed = headers.get("Sec-Fetch-Mode") == "navigate" and headers.get("Sec-Fetch-Dest") == "document"
        return headers.get("Sec-Fetch-Site") in ("cross-site", "same-site") and not followed

    def check_xsrf_cookie(self) -> None:
        """Ask for the XSRF token of a request that a cookie signs in; the origin was checked for all others."""
        if self.token_user is not None:
            return
        if hasattr(self, "_jupyter_current_user") and self.current_user is not None and self.policy.sign_in:
            super().check_xsrf_cookie()

    def set_default_headers(self) -> None:
        """Set the headers of every answer, errors too: those that a listed origin's page needs among them."""
        super().set_default_headers()
        self.set_header("Vary", "Origin")
        self.set_header(request_log.HEADER, request_log.request_id(self.request))
        shared = "cross-origin" if self.policy.origins else "same-origin"
        self.set_header("Cross-Origin-Resource-Policy", shared)
        origin = self.request.headers.get("Origin", "")
        if origin.lower() in self.policy.origins:
            self.set_header("Access-Control-Allow-Origin", origin)
            self.set_header("Access-Control-Allow-Credentials", "true")
            self.set_header("Access-Control-Expose-Headers", EXPOSED)

    def set_cors_headers(self) -> None:
        """Leave out Jupyter Server's own: they speak of its list, and let a token's request read from anywhere."""

    def get_login_url(self) -> str:
        """Refuse: nothing of ours leads to a login page."""
        raise web.HTTPError(401)

    def log_exception(self, kind: Any, error: Any, trace: Any) -> None:
        """Log what is ours to mend, not what a client got wrong."""
        if isinstance(error, SoundForgeError):
            if error.status >= 500:
                self.log.warning("%s %s: %s", self.request.method, self.request.path, error.message)
            return
        if not isinstance(error, web.HTTPError) or error.status_code >= 500:
            # Not as tornado does it, which logs the query, and a token in it.
            failed = (kind, error, trace)
            self.log.error("%s %s failed.", self.request.method, self.request.path, exc_info=failed)

    def write_error(self, status_code: int, **given: Any) -> None:
        """Answer with an error's sentence and code."""
        error = given.get("exc_info", (None, None, None))[1]
        if isinstance(error, SoundForgeError):
            self.set_status(error.status)
            body = error.to_dict()
            after = error.retry_after
            if after is not None or error.status in ALWAYS_RETRIED:
                self.set_header("Retry-After", str(math.ceil(max(1.0, USUAL_WAIT if after is None else after))))
            for name, value in error.headers.items() if isinstance(error, RequestError) else ():
                self.set_header(name, value)
        else:
            sentence, code = _SENTENCES.get(status_code, _INTERNAL)
            body = {"error": sentence, "code": code}
        if status_code == 405:
            self.set_header("Allow", ", ".join(self.allowed_methods()))
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(body)

    def allowed_methods(self) -> list[str]:
        """Return the methods that this path answers to."""
        plain = web.RequestHandler
        return [
            verb for verb in self.SUPPORTED_METHODS
            if getattr(type(self), verb.lower(), None) is not getattr(plain, verb.lower())
            and getattr(type(self), verb.lower(), None) is not getattr(JupyterHandler, verb.lower())
        ]  # fmt: skip
