"""A Jupyter Server extension that writes down all routes of the server that it is loaded by, once that has started."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tornado.routing import RuleRouter
from tornado.web import RequestHandler

FILE = "SF_TEST_ROUTES"
"""The variable that names the file."""


def environment(folder: Path) -> dict[str, str]:
    """Return what a server has to be started with, which then writes `routes.json` in that folder."""
    enabled = folder / "jupyter_server_config.d" / "route_lister.json"
    enabled.parent.mkdir(parents=True)
    enabled.write_text(json.dumps({"ServerApp": {"jpserver_extensions": {"services.route_lister": True}}}))
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(Path(__file__).parents[1]))))
    return {"JUPYTER_CONFIG_PATH": str(folder), "PYTHONPATH": path, FILE: str(folder / "routes.json")}


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "services.route_lister"}]


def _load_jupyter_server_extension(server: Any) -> None:
    server.io_loop.add_callback(_write, server.web_app)


def _write(application: Any) -> None:
    Path(os.environ[FILE]).write_text(json.dumps(list(_routes(application.default_router))))


def _routes(router: RuleRouter) -> Iterator[dict[str, Any]]:
    for rule in router.rules:
        if isinstance(rule.target, RuleRouter):
            yield from _routes(rule.target)
        elif isinstance(rule.target, type) and issubclass(rule.target, RequestHandler):
            verbs = [
                verb for verb in rule.target.SUPPORTED_METHODS
                if getattr(rule.target, verb.lower()) is not getattr(RequestHandler, verb.lower())
            ]  # fmt: skip
            bases = [base.__name__ for base in rule.target.__mro__]
            yield {
                "pattern": rule.matcher.regex.pattern,
                "module": rule.target.__module__,
                "verbs": verbs,
                "bases": bases,
            }
