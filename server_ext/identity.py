"""Users of a Supabase project, beside the one owner who runs the process: they may call the API and nothing else of Jupyter.

Whoever may start a kernel owns the machine, and Jupyter asks its authorizer on some of its paths only (JupyterLab's own
page, which carries the server's token, is none of them). So a Supabase user is refused already where Jupyter asks who it is.

The API's own gate checks tokens by itself. Where a server that loads the extension was started without these two classes,
the rest of Jupyter knows no Supabase user at all.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.authorizer import Authorizer
from jupyter_server.auth.identity import PasswordIdentityProvider, User
from tornado import web

from sfwidgets.errors import SoundForgeError

if TYPE_CHECKING:
    from jupyter_server.base.handlers import JupyterHandler

    from server_ext.access_tokens import AccessTokens

ACCESS_TOKENS = "soundforge_access_tokens"
"""The server's setting that knows whose a Supabase token is; None where such tokens sign nobody in."""
RESOURCE = "soundforge"
"""What the API is called where Jupyter's authorizer is asked about it."""

_BEARER = re.compile(r"bearer +([^\s.]+\.[^\s.]+\.[^\s.]*) *", re.IGNORECASE)
"""A JSON web token in the header; Jupyter's own token may come as a bearer token, too."""


@dataclass
class SupabaseUser(User):
    """Somebody whom a Supabase project has signed in; `username` is their id there, and the owner of what is theirs."""

    expires: float = math.inf
    """When what they began with their token has to end, in seconds since the epoch."""


def access_tokens(handler: web.RequestHandler) -> AccessTokens | None:
    """Return what knows whose a Supabase token is; None where such tokens sign nobody in."""
    found: AccessTokens | None = handler.settings.get(ACCESS_TOKENS)
    return found


def bearer_token(handler: JupyterHandler) -> str | None:
    """Return the JSON web token that a request carries in its header; None where it has none."""
    found = _BEARER.fullmatch(handler.request.headers.get("Authorization", ""))
    return None if found is None or found[1] == handler.token else found[1]


class SupabaseIdentity(PasswordIdentityProvider):
    """Jupyter Server's own sign-in, for which Supabase users are known, and refused on all paths but the API's."""

    async def _get_user(self, handler: Any) -> User | None:
        """Return who calls; raises `HTTPError` 403 for a Supabase user, but on the API's paths, whose gate has decided."""
        tokens = access_tokens(handler)
        token = None if tokens is None else bearer_token(handler)
        if tokens is None or token is None or getattr(handler, "auth_resource", None) == RESOURCE:
            return await super()._get_user(handler)
        try:
            await tokens.user(token)
        except SoundForgeError:
            return None
        handler.current_user = handler._jupyter_current_user = None  # the page that says it is for nobody
        raise web.HTTPError(403, "Supabase users may call the API, and nothing else of this server.")


class ApiOnly(Authorizer):
    """Lets Supabase users call the API and nothing else, and the owner everything."""

    def is_authorized(self, handler: JupyterHandler, user: User, action: str, resource: str) -> bool:
        """Return whether a user may do that."""
        del handler, action
        return not isinstance(user, SupabaseUser) or resource == RESOURCE
