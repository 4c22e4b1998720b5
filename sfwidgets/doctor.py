"""What works on this machine, and what is missing."""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Iterator
from importlib.metadata import version
from typing import Literal

from sfwidgets.errors import InvalidInputError
from sfwidgets.models import Value
from sfwidgets.settings import Settings, given_names, unknown_names

MARKS = {"ok": "✓", "off": "·", "missing": "✗"}


REDIS_SECONDS = 2.0
"""How long Redis may take to answer."""
SUPABASE_SECONDS = 5.0
"""How long the Supabase project may take to answer."""
SERVICE_PORT = re.compile(r"(?!KUBERNETES_)[A-Z_]+_SERVICE_PORT")
"""Of the old system, which was several services."""


class Finding(Value):
    """One thing that was looked at."""

    part: str
    state: Literal["ok", "off", "missing"]
    """`off`: not configured, and not needed. `missing`: configured or needed, and not there."""
    sentence: str

    @property
    def mark(self) -> str:
        """A sign for a terminal."""
        return MARKS[self.state]


def examine(settings: Settings) -> list[Finding]:
    """Look at everything that the program can use; never raises for what it finds."""
    return [
        Finding(part="python", state="ok", sentence=f"Python {platform.python_version()} on {platform.machine()}"),
        _library(settings),
        *_models(settings),
        _processor(settings),
        _gpu(),
        _ffmpeg(),
        _database(settings),
        _cluster(settings),
        _api(settings),
        _redis(settings),
        _supabase(settings),
        _spotify(settings),
        _spotdl(settings),
        _downloads(settings),
        *_without_effect(settings),
    ]


def _library(settings: Settings) -> Finding:
    folder = settings.library
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return Finding(part="library", state="missing", sentence=f"{folder} can't be written to. Set AUDIO_DATA_PATH.")
    free = shutil.disk_usage(folder).free
    state: Literal["ok", "missing"] = "ok" if free > 1e9 else "missing"
    return Finding(part="library", state=state, sentence=f"{settings.library}, {free / 1e9:.1f} GB free")


def _models(settings: Settings) -> Iterator[Finding]:
    from sfwidgets import separation

    known = separation.catalogue(settings)
    installed = [model.id for model in known if model.installed]
    if settings.models_dir is not None and not settings.models_dir.is_dir():
        yield Finding(part="models", state="missing", sentence=f"MODELS_DIR={settings.models_dir} is not a folder")
    fetchable = [model.id for model in known if not model.installed]
    yield Finding(
        part="models", state="ok" if installed else "missing", sentence=f"installed: {', '.join(installed) or 'none'}"
    )
    if fetchable:
        how = "the hub is off (SOUNDFORGE_OFFLINE)" if settings.offline else "fetched when first asked for"
        yield Finding(part="", state="off", sentence=f"not installed: {', '.join(fetchable)} ({how})")


def _processor(settings: Settings) -> Finding:
    from sfwidgets.separation.precision import choose_precision

    chosen = choose_precision(settings.precision, "cpu")
    return Finding(part="cpu", state="ok", sentence=f"{os.cpu_count()} cores, computing in {chosen}")


def _gpu() -> Finding:
    if shutil.which("nvidia-smi") is None:
        return Finding(part="gpu", state="off", sentence="no NVIDIA GPU was found; the CPU does the work")
    import torch

    if not torch.cuda.is_available():
        return Finding(
            part="gpu", state="missing", sentence=f"there is a GPU, but torch {torch.__version__} can't use it; "
            "install a CUDA build of torch",
        )  # fmt: skip
    return Finding(part="gpu", state="ok", sentence=torch.cuda.get_device_name())


def _ffmpeg() -> Finding:
    import av

    return Finding(
        part="ffmpeg", state="ok", sentence=f"built into PyAV {av.__version__}; the program is for downloads only"
    )


def _database(settings: Settings) -> Finding:
    from sfwidgets.errors import SoundForgeError
    from sfwidgets.library.database import HEAD, Database

    if settings.database_url is None and not (settings.library / "soundforge.db").exists():
        return Finding(part="database", state="ok", sentence="SQLite in the library, made when first needed")
    try:
        database = Database(settings, upgrade=False)
    except SoundForgeError as error:
        return Finding(part="database", state="missing", sentence=error.message)
    revision = database.revision()
    database.close()
    if revision is not None and revision > HEAD:
        newer = f"{database.address} was written by a newer version of this program; upgrade the program"
        return Finding(part="database", state="missing", sentence=newer)
    if revision != HEAD:
        return Finding(part="database", state="ok", sentence=f"{database.address}, upgraded when first used")
    return Finding(part="database", state="ok", sentence=database.address)


def _redis(settings: Settings) -> Finding:
    from sfwidgets.library import redis_state

    if settings.redis_url is None:
        return Finding(part="redis", state="off", sentence="not needed: events travel over the cluster")
    try:
        state = redis_state(settings, REDIS_SECONDS)
    except InvalidInputError as error:
        return Finding(part="redis", state="missing", sentence=error.message)
    if state == "up":
        return Finding(part="redis", state="ok", sentence="events travel over it, and what Spotify says is kept in it")
    return Finding(
        part="redis", state="missing", sentence="nobody answers at REDIS_URL; events come late, from the database alone"
    )


def _supabase(settings: Settings) -> Finding:
    from sfwidgets.workbench.health import supabase_state

    if settings.supabase_url is None:
        return Finding(part="supabase", state="off", sentence="not needed: signing in is Jupyter Server's own")
    if supabase_state(settings, SUPABASE_SECONDS) == "up":
        known = "" if settings.supabase_jwt_secret is None else ", and by SUPABASE_JWT_SECRET"
        sentence = f"users sign in through it; their tokens are checked by the project's public keys{known}"
        return Finding(part="supabase", state="ok", sentence=sentence)
    sentence = "its sign-in does not answer at SUPABASE_URL, or SUPABASE_KEY is another project's"
    return Finding(part="supabase", state="missing", sentence=sentence)


def _cluster(settings: Settings) -> Finding:
    if settings.dask_scheduler is None:
        return Finding(part="workers", state="ok", sentence="on this machine, started when first needed")
    from sfwidgets.errors import SoundForgeError
    from sfwidgets.jobs.cluster import connect

    try:
        connect(settings).close()
    except SoundForgeError as error:
        return Finding(part="workers", state="missing", sentence=error.message)
    return Finding(part="workers", state="ok", sentence=f"the Dask cluster at {settings.dask_scheduler}")


def _api(settings: Settings) -> Finding:
    try:
        port = settings.api_port
    except InvalidInputError as error:
        return Finding(part="api", state="missing", sentence=error.message)
    pages = f"; pages of {', '.join(settings.allow_origins)} may call it" if settings.allow_origins else ""
    return Finding(part="api", state="ok", sentence=f"`soundforge serve` would listen on port {port}{pages}")


def _spotify(settings: Settings) -> Finding:
    from sfwidgets.sources import spotdl

    variables = {
        "SPOTIFY_CLIENT_ID": settings.spotify_client_id,
        "SPOTIFY_CLIENT_SECRET": settings.spotify_client_secret,
    }
    lacking = " and ".join(name for name, value in variables.items() if value is None)
    mode = settings.spotify_api_mode
    if not lacking and mode != "spotdl":
        return Finding(
            part="spotify", state="ok", sentence="asked with the credentials that are set, which were not tried"
        )
    if mode == "spotifyapi" or lacking in variables:
        return Finding(
            part="spotify", state="missing", sentence=f"{lacking} must be set; make an app at "
            "developer.spotify.com/dashboard to have both",
        )  # fmt: skip
    if spotdl.program(settings) is None:
        state: Literal["off", "missing"] = "missing" if mode == "spotdl" else "off"
        return Finding(
            part="spotify", state=state, sentence="links can't be read: there are neither credentials nor spotDL"
        )
    return Finding(part="spotify", state="ok", sentence="links are read by spotDL; searching needs credentials")


def _spotdl(settings: Settings) -> Finding:
    from sfwidgets.errors import SoundForgeError
    from sfwidgets.sources import spotdl

    program = spotdl.program(settings)
    if program is None and settings.spotdl is not None:
        return Finding(part="spotdl", state="missing", sentence=f"SOUNDFORGE_SPOTDL={settings.spotdl} is no program")
    if program is None:
        return Finding(
            part="spotdl", state="off", sentence="not installed, `make setup` does that; yt-dlp downloads alone"
        )
    try:
        return Finding(part="spotdl", state="ok", sentence=f"{spotdl.version(settings)} in {program}")
    except SoundForgeError as error:
        return Finding(part="spotdl", state="missing", sentence=error.message)


def _downloads(settings: Settings) -> Finding:
    from sfwidgets.errors import UnavailableError
    from sfwidgets.sources import ffmpeg

    if settings.offline:
        return Finding(part="downloads", state="off", sentence="forbidden by SOUNDFORGE_OFFLINE")
    try:
        converter = ffmpeg.program()
    except UnavailableError as error:
        return Finding(part="downloads", state="missing", sentence=error.message)
    return Finding(
        part="downloads", state="ok", sentence=f"{settings.downloads} at once; yt-dlp {version('yt-dlp')}, "
        f"converted by {converter}",
    )  # fmt: skip


def _without_effect(settings: Settings) -> Iterator[Finding]:
    """Say which variables are set in vain: mistyped ones, and those of the old system."""
    for name, like in unknown_names().items():
        meant = f"; did you mean {like}?" if like else ""
        yield Finding(part="settings", state="missing", sentence=f"{name}: there is no such setting{meant}")
    given = given_names()
    ports = sorted(name for name in given if SERVICE_PORT.fullmatch(name))
    if ports:
        yield Finding(
            part="settings", state="off",
            sentence=f"{', '.join(ports)}: without effect, there is one server; its port is API_GATEWAY_PORT",
        )  # fmt: skip
    postgres = sorted(given & {"POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"})
    if postgres and settings.database_url is None:
        yield Finding(
            part="settings", state="off",
            sentence=f"{', '.join(postgres)}: without effect, as they name no host; set "
            "DATABASE_URL=postgresql+psycopg://user:password@host/name",
        )  # fmt: skip
