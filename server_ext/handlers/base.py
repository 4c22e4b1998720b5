"""What every handler has in common: who may call it, and how it says that something went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from jupyter_server.base.handlers import JupyterHandler
from tornado import web

from server_ext.opened import SETTING
from sfwidgets.errors import SoundForgeError
from sfwidgets.workbench import Workbench

_SENTENCES = {
    400: ("This request is malformed.", "invalid_input"),
    401: ("Sign in to use this: with the server's token, or through its login page.", "not_signed_in"),
    403: ("This request is refused: it comes from another site, or its user may not do this.", "refused"),
    404: ("There is no such thing here.", "not_found"),
    405: ("This can't be done here.", "method_not_allowed"),
}
_INTERNAL = ("Something went wrong inside Sound Forge; the server's log says what. Try again.", "internal")

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = ThreadPoolExecutor(max_workers=8, thread_name_prefix="soundforge")
"""What touches the disk runs here; Jupyter's own threads stay free."""


async def in_thread(function: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """Call a function in a thread of ours, so that the server goes on answering meanwhile."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, lambda: function(*given, **named))


class Handler(JupyterHandler):
    """Lets in whom Jupyter Server lets in, and answers errors as JSON: `{"error", "code"}`, never as a page."""

    auth_resource = "soundforge"

    async def prepare(self) -> None:  # type: ignore[override]
        """Let a request in: 401 without sign-in, 403 from another origin or under another host's name."""
        await super().prepare(_redirect_to_login=False)
        if self.current_user is None:
            raise web.HTTPError(401)
        if not self.check_origin():
            raise web.HTTPError(403)

    async def workbench(self) -> Workbench:
        """Return the workbench of this server."""
        found: Workbench = await self.settings[SETTING].workbench()
        return found

    def log_exception(self, kind: Any, error: Any, trace: Any) -> None:
        """Log what is ours to mend, not what a client got wrong."""
        if not (isinstance(error, SoundForgeError) and error.status < 500):
            super().log_exception(kind, error, trace)

    def write_error(self, status_code: int, **given: Any) -> None:
        """Answer with an error's sentence and code."""
        error = given.get("exc_info", (None, None, None))[1]
        if isinstance(error, SoundForgeError):
            self.set_status(error.status)
            body = error.to_dict()
        else:
            sentence, code = _SENTENCES.get(status_code, _INTERNAL)
            body = {"error": sentence, "code": code}
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(body)
