"""Starting the two faces that are servers: the dashboard, and JupyterLab on our notebooks."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from sfwidgets.audio import writable_folder
from sfwidgets.errors import InvalidInputError, UnavailableError
from sfwidgets.settings import Settings

WORKBENCH = "workbench.ipynb"
COPIES = Path("soundforge-notebooks")
"""Where an installed package's notebooks are put, beside whatever the user works on."""

Say = Callable[[str], None]


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

    say(f"Sound Forge Alchemy is at http://{_host(ip)}:{port}/ (library: {settings.library}). Ctrl+C stops it.")
    if not voila.is_local(ip):
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
    root = _at_hand(folder)
    if not (root / WORKBENCH).is_file():
        say(f"{root} has no {WORKBENCH}; JupyterLab opens on the folder.")
    opened = f"/lab/tree/{WORKBENCH}" if (root / WORKBENCH).is_file() else "/lab"
    command = [
        sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={root}", f"--LabApp.default_url={opened}",
        f"--port={port}", *(() if open_browser else ("--no-browser",)), *(("--allow-root",) if os.geteuid() == 0 else ()),
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",  # nobody outside is asked
    ]  # fmt: skip
    sys.stdout.flush()
    os.execve(sys.executable, command, {**os.environ, **environment(settings)})  # noqa: S606


def environment(settings: Settings) -> dict[str, str]:
    """Return settings as the environment variables that a kernel in another folder reads them from."""
    found = {}
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if value is not None:
            variable = str(field.validation_alias.choices[0])  # type: ignore[union-attr]
            found[variable] = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    return found


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


def _check_address(ip: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ip, port))
        except (OSError, OverflowError) as error:
            raise InvalidInputError(
                f"{ip}:{port} can't be listened on ({error}). Choose another with --port or --ip.", code="bad_address"
            ) from None


def _host(ip: str) -> str:
    if ip in ("", "0.0.0.0", "::"):  # noqa: S104
        return socket.gethostname()
    return f"[{ip}]" if ":" in ip else ip
