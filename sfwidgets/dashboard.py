"""The dashboard: a notebook's widgets as a page, by standalone Voilà, with kernels that take no code from the browser."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import webbrowser
from pathlib import Path
from typing import Any

import voila
from jupyter_server._tz import utcnow
from jupyter_server.base.handlers import FileFindHandler
from jupyter_server.services.kernels.handlers import KernelHandler
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado import web
from tornado.iostream import StreamClosedError
from traitlets.config import Config
from voila.app import Voila
from voila.shutdown_kernel_handler import VoilaShutdownKernelHandler
from voila.static_file_handler import MultiStaticFileHandler, TemplateStaticFileHandler
from voila.tornado.handler import TornadoVoilaHandler
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler

from sfwidgets.settings import is_loopback

NAME = "Sound Forge Alchemy"
TEMPLATES = Path(__file__).parent / "templates"

IDLE_SECONDS = 180
"""A kernel whose page has gone without a word (a lost phone, a closed laptop) is ended after this time."""

LARGEST_MESSAGE = 64 * 1024 * 1024
"""In bytes: of what a widget may send at once, a piece of an upload."""

EXTENSIONS = ["@voila-dashboards/widgets-manager8", "@jupyter-widgets/jupyterlab-manager", "anywidget"]
"""What the page needs of JupyterLab's extensions; any other that is installed would only slow it down."""

SERVED = (
    KernelHandler, VoilaKernelWebsocketHandler, TemplateStaticFileHandler, MultiStaticFileHandler,
    VoilaShutdownKernelHandler, FileFindHandler,
)  # fmt: skip
"""What of Voilà's own the page needs. The rest (files beside the notebook, themes, request infos) is not served."""

POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'self'"
)
"""The page loads nothing from outside this server, whatever a widget or a package would like."""


class Kernels(AsyncMappingKernelManager):
    """The kernels of the dashboard's visitors."""

    _pools: dict[str, list[asyncio.Task[dict[str, Any]]]]
    """Voilà's, which makes its kernel manager out of this class: what is preheated, by notebook."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self._handed_over: set[str] = set()

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """End a kernel that nobody uses; the time that it lay preheated does not count.

        Voilà asks this of kernels that have left its pool, so the first time is soon after a visitor was given it.
        """
        if kernel_id in self._handed_over:
            await super().cull_kernel_if_idle(kernel_id)  # type: ignore[no-untyped-call]
        else:
            self._handed_over.add(kernel_id)
            self._kernels[kernel_id].last_activity = utcnow()

    def drop_dead(self, notebook: str) -> None:
        """Take preheated kernels that have died meanwhile out of the pool."""
        pool = self._pools.get(notebook, [])
        pool[:] = [item for item in pool if not item.done() or self._lives(item)]

    def _lives(self, item: asyncio.Task[dict[str, Any]]) -> bool:
        if item.cancelled() or item.exception() is not None or item.result()["kernel_id"] not in self:
            return False
        process = getattr(self.get_kernel(item.result()["kernel_id"]).provisioner, "process", None)
        return process is not None and process.poll() is None


class Page(TornadoVoilaHandler):  # type: ignore[misc]
    """The page: its frame is sent at once, what the notebook gives as soon as its kernel has it."""

    @web.authenticated
    async def get(self, path: str | None = None) -> None:
        """Send the page; every visit gets a kernel of its own."""
        if path:
            raise web.HTTPError(404)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.xsrf_token  # noqa: B018  # sets the cookie by which the page, when it is left, may end its kernel
        template = self.settings["voila_jinja2_env"].get_template("shell.html.j2")
        self.write(template.render(name=NAME, base_url=self.base_url))
        try:
            await self.flush()
            async for part in self.get_generator():
                self.write(part)
                await self.flush()
        except StreamClosedError:
            self.log.info("A visitor left before the page was ready.")
        except Exception:
            self.log.exception("The page could not be made.")

    def should_use_rendered_notebook(self, *_asked: Any) -> bool:
        """Return whether a preheated kernel can be used; what the address asks for makes no difference."""
        self.kernel_manager.drop_dead(self.notebook_path)
        return bool(self.kernel_manager.get_pool_size(self.notebook_path))

    def write_error(self, status_code: int, **_kwargs: Any) -> None:
        """Say in a sentence that there is nothing here."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        sentence = "There is no such page here." if status_code == 404 else "Sound Forge could not answer that."
        self.finish(f"{sentence} Open {self.base_url} instead.\n")


class Dashboard(Voila):  # type: ignore[misc]
    """Voilà, with our page, our kernels, and nothing served that the page does not need."""

    name = "voila"

    def setup_template_dirs(self) -> None:
        """Look for templates here first."""
        super().setup_template_dirs()
        self.template_paths.insert(0, str(TEMPLATES))

    def init_settings(self) -> dict[str, Any]:
        """Return the server's settings: only this machine's names in a request, where only this machine reaches us."""
        local = is_loopback(self.ip)
        return {
            **super().init_settings(),
            "allow_remote_access": not local,
            "compress_response": not local,
            "websocket_max_message_size": LARGEST_MESSAGE,
            "ws_ping_interval": 30_000,
            "ws_ping_timeout": 30_000,
            "headers": {"Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin"},
        }

    def init_handlers(self) -> list[Any]:
        """Return the routes."""
        routes = [route for route in super().init_handlers() if route[1] in SERVED or route[1] is TornadoVoilaHandler]
        return [(route[0], Page, *route[2:]) if route[1] is TornadoVoilaHandler else route for route in routes]

    def launch_browser(self) -> None:
        """Open the page in a browser, if there is one."""
        host = "127.0.0.1" if self.ip in ("0.0.0.0", "::") else self.ip  # noqa: S104
        threading.Thread(target=webbrowser.open, args=(self._url(host),), daemon=True).start()


def configuration(notebook: Path, *, ip: str, port: int, pool: int, open_browser: bool) -> Config:
    """Return Voilà's configuration for the dashboard."""
    config = Config()
    config.Voila.notebook_path = str(notebook)
    config.Voila.ip = ip
    config.Voila.port = port
    config.Voila.port_retries = 0
    config.Voila.open_browser = open_browser
    config.Voila.config_file_paths = []  # nobody's voila.json opens what is closed here
    config.Voila.log_level = "ERROR"
    config.KernelManager.transport = "ipc"  # no port that others on this machine could reach
    config.VoilaConfiguration.template = "lab"
    config.VoilaConfiguration.allow_template_override = "NO"
    config.VoilaConfiguration.allow_theme_override = "NO"
    config.VoilaConfiguration.strip_sources = True
    config.VoilaConfiguration.show_tracebacks = False
    config.VoilaConfiguration.preheat_kernel = True
    config.VoilaConfiguration.default_pool_size = pool
    config.VoilaConfiguration.multi_kernel_manager_class = Kernels
    config.VoilaConfiguration.extension_allowlist = EXTENSIONS
    config.VoilaConfiguration.extension_denylist = []
    config.VoilaExecutor.iopub_timeout = 60  # by default, a busy machine loses what a cell shows after 4 s
    config.MappingKernelManager.cull_idle_timeout = IDLE_SECONDS
    config.MappingKernelManager.cull_interval = 30
    config.KernelRestarter.restart_limit = 0
    return config


def serve(notebook: Path, *, ip: str, port: int, pool: int, open_browser: bool) -> None:
    """Serve a notebook as a dashboard until the process is told to stop.

    The kernels take their library and their other settings from the environment.
    """
    os.environ["SERVER_SOFTWARE"] = f"voila/{voila.__version__}"  # what tells a preheated kernel that it is on a page
    logging.getLogger("tornado.access").setLevel(logging.ERROR)
    config = configuration(notebook, ip=ip, port=port, pool=pool, open_browser=open_browser)
    Dashboard.launch_instance(argv=[], config=config)
