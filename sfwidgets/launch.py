"""Starting the faces that are servers: the dashboard, JupyterLab on our notebooks, and the HTTP API with it."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from sfwidgets.audio import writable_folder
from sfwidgets.errors import InvalidInputError, UnavailableError
from sfwidgets.jobs.preload import PR_SET_PDEATHSIG
from sfwidgets.logs import use_configured_format
from sfwidgets.settings import Settings, is_loopback, normal_origin

WORKBENCH = "workbench.ipynb"
COPIES = Path("soundforge-notebooks")
"""Where an installed package's notebooks are put, beside whatever the user works on."""

ENDING_SECONDS = 10.0
"""How long the dashboard may take to end with the API, before it is killed."""

NOT_FOR_OPERATORS = re.compile(r"4\d\d [A-Z]+ /|wrote error: |\s*To access the server, ")
"""What Jupyter Server warns of and no operator can act on: clients' mistakes, and where it is, which we say ourselves."""

SUPABASE_USERS = (
    "--ServerApp.identity_provider_class=server_ext.identity.SupabaseIdentity",
    "--ServerApp.authorizer_class=server_ext.identity.ApiOnly",
)
"""What keeps the users of a Supabase project out of everything but the API."""

Say = Callable[[str], None]

log = logging.getLogger(__name__)


def dashboard(
    settings: Settings,
    notebook: Path | None,
    *,
    ip: str,
    port: int,
    pool: int,
    open_browser: bool,
    say: Say = lambda _line: None,
) -> None:
    """Serve the workbench notebook, or another, as a page; returns when the server is stopped.

    Raises `UnavailableError` where Voilà is not installed, `InvalidInputError` where there is no such notebook, or where
    the address is not to be had.
    """
    _needs("voila", "The dashboard")
    shown = (notebook or _notebooks() / WORKBENCH).expanduser().absolute()
    if not shown.is_file():
        raise InvalidInputError(f"There is no notebook {shown}.", code="no_notebook")
    _check_address(ip, port)
    os.environ |= environment(settings)
    from sfwidgets import dashboard as voila

    say(f"Sound Forge Alchemy is at {_url(ip, port)} (library: {settings.library}). Ctrl+C stops it.")
    if not is_loopback(ip):
        say("Whoever reaches this address may use the library: play, import and delete. Nobody has to sign in.")
    voila.serve(shown, ip=ip, port=port, pool=pool, open_browser=open_browser)


def lab(
    settings: Settings, folder: Path | None, *, port: int, open_browser: bool, say: Say = lambda _line: None
) -> None:
    """Turn this process into JupyterLab on our notebooks; never returns.

    In a checkout they are opened where they are. An installed package's are copied to `folder`, or to
    `soundforge-notebooks` here; a file that is there already is left as it is.
    """
    _needs("jupyterlab", "The notebook workbench")
    command = [
        sys.executable, "-m", "jupyterlab", *_lab_options(folder, port=port, open_browser=open_browser, say=say)
    ]  # fmt: skip
    sys.stdout.flush()
    os.execve(sys.executable, command, {**os.environ, **environment(settings)})  # noqa: S606


def serve(
    settings: Settings,
    folder: Path | None,
    *,
    ip: str,
    port: int,
    sign_in: bool,
    origins: Sequence[str],
    dashboard_port: int | None,
    open_browser: bool,
    say: Say = lambda _line: None,
) -> None:
    """Serve the HTTP API, with JupyterLab beside it; returns when the server is stopped. Jobs go on.

    `origins` are let in beside those of the settings. With a `dashboard_port` the dashboard is served too, by a process
    that ends with this one. Raises `InvalidInputError` for an address that is not to be had, for no sign-in at an address
    that others reach, for what is no origin, and for a library that can't be written to; `UnavailableError` where
    JupyterLab is not installed.
    """
    _needs("jupyterlab", "The server")
    if settings.log_format == "json":
        use_configured_format(settings)
        say = log.info
    if not sign_in and not is_loopback(ip):
        raise InvalidInputError(
            f"--no-sign-in would let everyone who reaches {ip} use the library. Leave it out, or listen on 127.0.0.1.",
            code="bad_option",
        )
    settings = settings.model_copy(update={"allow_origins": _origins(settings, origins)})
    _check_address(ip, port)
    beside = None if dashboard_port is None else _dashboard_address(ip, dashboard_port, taken=port)
    writable_folder(settings.library)
    os.environ |= environment(settings)
    from jupyterlab.labapp import LabApp  # type: ignore[import-untyped]

    _hide_deprecations()

    options = [
        *_lab_options(folder, port=port, open_browser=open_browser, say=say), f"--ServerApp.ip={ip}",
        "--ServerApp.port_retries=0", "--ServerApp.base_url=/", "--ServerApp.jpserver_extensions={'server_ext': True}",
        "--Application.log_level=WARN", f"--SoundForge.sign_in={sign_in}", "--SoundForge.open_at_start=True",
        *(() if settings.supabase_url is None else SUPABASE_USERS),
        *(f"--SoundForge.allow_origins={o}" for o in settings.allow_origins),
    ]  # fmt: skip
    with _dashboard_beside(beside, say):
        server = LabApp.initialize_server(argv=options)
        if not any(app.handlers for app in server.extension_manager.extension_apps.get("server_ext", ())):
            # Jupyter Server goes on without an extension that fails.
            raise UnavailableError(
                "The API could not be loaded; the warning of server_ext above says why.", code="no_api"
            )

        def stop(_number: int, _frame: Any) -> None:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # who presses it once more does not want to wait
            server.stop(from_signal=True)

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        _hide_what_clients_do_wrong(server)
        use_configured_format(settings)  # and what Jupyter Server has made since
        server.io_loop.add_callback(say, _whereabouts(settings, _url(ip, port), server, beside, sign_in))
        server.start()


def environment(settings: Settings) -> dict[str, str]:
    """Return settings as the environment variables that a kernel in another folder reads them from."""
    found = {}
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, tuple):
            value = ",".join(value) or None
        if value is not None:
            variable = str(field.validation_alias.choices[0])  # type: ignore[union-attr]
            found[variable] = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    return found


def _lab_options(folder: Path | None, *, port: int, open_browser: bool, say: Say) -> list[str]:
    """Return the command line of JupyterLab on our notebooks."""
    root = _at_hand(folder)
    if not (root / WORKBENCH).is_file():
        say(f"{root} has no {WORKBENCH}; JupyterLab opens on the folder.")
    opened = f"/lab/tree/{WORKBENCH}" if (root / WORKBENCH).is_file() else "/lab"
    return [
        f"--ServerApp.root_dir={root}", f"--LabApp.default_url={opened}", f"--port={port}",
        *(() if open_browser else ("--no-browser",)), *(("--allow-root",) if os.geteuid() == 0 else ()),
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",  # nobody outside is asked
    ]  # fmt: skip


def _hide_deprecations() -> None:
    """Show no deprecation warning: they are for those who write Jupyter's extensions."""
    with contextlib.suppress(ImportError):
        import voila  # noqa: F401  # it is loaded with JupyterLab, and has them shown: what is said last counts
    warnings.filterwarnings("ignore", category=DeprecationWarning)


def _hide_what_clients_do_wrong(server: Any) -> None:
    """Keep `NOT_FOR_OPERATORS` out of the log of Jupyter Server and of its extensions, each of which has its own."""
    apps = [app for apps in server.extension_manager.extension_apps.values() for app in apps]
    for handler in {handler for app in (server, *apps) for handler in app.log.handlers}:
        handler.addFilter(lambda record: NOT_FOR_OPERATORS.match(record.getMessage()) is None)


def _whereabouts(settings: Settings, here: str, server: Any, beside: tuple[str, int] | None, sign_in: bool) -> str:
    """Return what a person wants to know of a server that runs. A token that was configured is not shown."""
    token, generated = server.identity_provider.token, server.identity_provider.token_generated
    signed = f"?token={token if generated else '...'}" if token else ""
    lines = [
        f"Sound Forge Alchemy serves the library {settings.library}. Ctrl+C stops it; jobs go on.",
        f"  API         {here}",
        f"  API's docs  {here}api/docs{signed if sign_in and generated else ''}",
        f"  JupyterLab  {here.rstrip('/')}{server.default_url}{signed}",
    ]
    if beside is not None:
        lines.append(f"  Dashboard   {_url(*beside)}")
    if sign_in and generated:
        lines.append(f"  Token: {token}")
        lines.append("  It is another at every start, unless the environment variable JUPYTER_TOKEN says which.")
    elif sign_in and token:
        lines.append("  Token: the one in JUPYTER_TOKEN, or in Jupyter's configuration.")
    if settings.allow_origins:
        lines.append(f"  Pages of {', '.join(settings.allow_origins)} may call the API.")
    if sign_in and settings.supabase_url is not None:
        lines.append(f"  Users of {settings.supabase_url} sign in to the API, and to nothing else.")
    if not sign_in and settings.supabase_url is not None:
        lines.append("  SUPABASE_URL signs nobody in: whoever calls the API acts for the one owner of this library.")
    if not sign_in:
        lines.append(
            "  Nobody has to sign in to the API: every program and every user of this machine may use it. JupyterLab asks "
            "for its token all the same."
        )
    return "\n".join(lines)


def _origins(settings: Settings, more: Sequence[str]) -> tuple[str, ...]:
    try:
        return tuple(dict.fromkeys([*settings.allow_origins, *map(normal_origin, more)]))
    except ValueError as error:
        raise InvalidInputError(f"--allow-origin: {error}.", code="bad_option") from None


def _dashboard_address(ip: str, port: int, *, taken: int) -> tuple[str, int]:
    """Return where a dashboard beside the API listens.

    Nobody signs in to a dashboard, so it stays on this machine, wherever the API is served.
    """
    _needs("voila", "The dashboard")
    if port == taken:
        raise InvalidInputError(f"The API has port {port}. Choose another with --dashboard-port.", code="bad_address")
    ip = ip if is_loopback(ip) else "127.0.0.1"
    _check_address(ip, port, option="--dashboard-port")
    return ip, port


@contextlib.contextmanager
def _dashboard_beside(address: tuple[str, int] | None, say: Say) -> Iterator[None]:
    """Run the dashboard as a process beside this one, as long as the block runs; without an address, just the block."""
    if address is None:
        yield
        return
    ip, port = address
    parent = os.getpid()
    child = subprocess.Popen(
        [sys.executable, "-m", "sfwidgets.cli", "dashboard", "--ip", ip, "--port", str(port), "--no-browser"],
        stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=lambda: _die_with(parent),  # noqa: PLW1509
    )  # fmt: skip
    wanted = threading.Event()

    def watch() -> None:
        code = child.wait()
        if not wanted.is_set():
            say(f"The dashboard has ended by itself (exit code {code}); the API goes on. Its last lines say why.")

    threading.Thread(target=watch, name="soundforge-dashboard", daemon=True).start()
    try:
        yield
    finally:
        wanted.set()
        child.terminate()
        try:
            child.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()


def _die_with(parent: int) -> None:
    """Ask Linux to end this process when its parent dies, however that dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def _notebooks() -> Path:
    """Return the folder of our notebooks: the checkout's, or the one in the installed package."""
    here = Path(__file__).parent
    checkout = here.parent / "notebooks"
    return checkout if (checkout / WORKBENCH).is_file() else here / "notebooks"


def _at_hand(folder: Path | None) -> Path:
    """Return a folder that the user may change our notebooks in."""
    ours = _notebooks()
    if folder is None and ours.parent != Path(__file__).parent:
        return ours
    target = writable_folder((folder or COPIES).expanduser().absolute())
    for notebook in ours.rglob("*.ipynb"):
        copy = target / notebook.relative_to(ours)
        if not copy.exists() and ".ipynb_checkpoints" not in notebook.parts:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(notebook, copy)
    return target


def _needs(package: str, what: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise UnavailableError(
            f"{what} needs the package {package}: pip install 'sound-forge-alchemy[lab]'.", code="not_installed"
        )


def _check_address(ip: str, port: int, option: str = "--port or --ip") -> None:
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ip, port))
        except (OSError, OverflowError) as error:
            raise InvalidInputError(
                f"{ip}:{port} can't be listened on ({error}). Choose another with {option}.", code="bad_address"
            ) from None


def _url(ip: str, port: int) -> str:
    host = socket.gethostname() if ip in ("", "0.0.0.0", "::") else ip  # noqa: S104
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
