"""One `Settings` object, read from the environment and from a `.env` file in the working directory."""

from __future__ import annotations

import base64
import ipaddress
import json
import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from platformdirs import user_data_path
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from sfwidgets.errors import InvalidInputError

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]
SpotifyMode = Literal["default", "spotifyapi", "spotdl"]
LogFormat = Literal["text", "json"]

API_PORT = 8888
"""Where the API is served unless something else is asked for: Jupyter Server's own port."""
ENV_FILE = ".env"
NOT_READ = {"SOUNDFORGE_IMAGE"}
"""What compose.yaml reads from the same `.env`."""

LOCAL_OWNER = "local"
"""The one owner of everything where nobody signs in."""


def _default_library() -> Path:
    return user_data_path("soundforge", appauthor=False)


class Settings(BaseSettings):
    """What a person may configure, under the names of the old system where it had one.

    Paths are made absolute on reading, so that a worker in another folder means the same place.
    """

    model_config = SettingsConfigDict(
        env_file=ENV_FILE,
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        populate_by_name=True,
        frozen=True,
    )

    library: Path = Field(default_factory=_default_library, validation_alias=AliasChoices("AUDIO_DATA_PATH", "library"))
    """The folder that holds the database, the audio, the stems and everything made from them."""

    models_dir: Path | None = Field(default=None, validation_alias=AliasChoices("MODELS_DIR", "models_dir"))
    """A folder of model weights: demucs' repository layout, or the hub's safetensors."""

    database_url: SecretStr | None = Field(default=None, validation_alias=AliasChoices("DATABASE_URL", "database_url"))
    """`postgresql://user:password@host/name`; unset means `soundforge.db` (SQLite) in the library."""
    database_pool: int = Field(
        default=5, ge=1, le=100, validation_alias=AliasChoices("SOUNDFORGE_DATABASE_POOL", "database_pool")
    )
    """How many connections to PostgreSQL a process keeps; it makes as many again for a moment."""

    dask_scheduler: str | None = Field(default=None, validation_alias=AliasChoices("DASK_SCHEDULER", "dask_scheduler"))
    """The address of a Dask scheduler; unset means a cluster of the library's own on this machine."""
    tls_ca: Path | None = Field(default=None, validation_alias=AliasChoices("SOUNDFORGE_TLS_CA", "tls_ca"))
    """PEM files for `tls://`: who is trusted, and what this machine shows. Each machine of a cluster has all three."""
    tls_cert: Path | None = Field(default=None, validation_alias=AliasChoices("SOUNDFORGE_TLS_CERT", "tls_cert"))
    tls_key: Path | None = Field(default=None, validation_alias=AliasChoices("SOUNDFORGE_TLS_KEY", "tls_key"))

    device: Device = Field(default="auto", validation_alias=AliasChoices("SOUNDFORGE_DEVICE", "device"))
    precision: Precision = Field(default="auto", validation_alias=AliasChoices("SOUNDFORGE_PRECISION", "precision"))
    offline: bool = Field(default=False, validation_alias=AliasChoices("SOUNDFORGE_OFFLINE", "offline"))
    """True: never ask a model hub, Spotify or YouTube for anything."""

    idle_minutes: float = Field(
        default=10.0, gt=0, validation_alias=AliasChoices("SOUNDFORGE_IDLE_MINUTES", "idle_minutes")
    )
    """How long the library's own cluster stays after its last job."""

    api_gateway_port: str | None = Field(
        default=None, validation_alias=AliasChoices("API_GATEWAY_PORT", "PORT", "api_gateway_port")
    )
    """As it was given: `PORT` means other things to other programs, so it is looked at by `api_port` alone."""

    allow_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), validation_alias=AliasChoices("SOUNDFORGE_ALLOW_ORIGINS", "allow_origins")
    )
    """Other origins whose pages may call the API, like `http://localhost:3000`; a comma or a space between them."""

    supabase_url: str | None = Field(default=None, validation_alias=AliasChoices("SUPABASE_URL", "supabase_url"))
    supabase_key: str | None = Field(default=None, validation_alias=AliasChoices("SUPABASE_KEY", "supabase_key"))
    """The anon or publishable key, which every visitor gets to see."""
    supabase_service_key: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("SUPABASE_SERVICE_KEY", "supabase_service_key")
    )
    """The service-role or secret key, for the server and its workers alone."""
    supabase_jwt_secret: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("SUPABASE_JWT_SECRET", "supabase_jwt_secret")
    )
    """What the project signs access tokens with (HS256); unset means that only tokens of its public keys are known."""
    storage_bucket: str = Field(
        default="soundforge", validation_alias=AliasChoices("SOUNDFORGE_STORAGE_BUCKET", "storage_bucket")
    )
    """The private bucket of Supabase Storage that artifacts are kept in, one a database; it is made where it is missing."""
    cache_gb: float = Field(default=20.0, gt=0, validation_alias=AliasChoices("SOUNDFORGE_CACHE_GB", "cache_gb"))
    """GB (10⁹ bytes) of what is in Supabase Storage that this machine keeps, too."""
    spare_mb: int = Field(default=500, ge=0, validation_alias=AliasChoices("SOUNDFORGE_SPARE_MB", "spare_mb"))
    """MB (10⁶ bytes) that new jobs leave free where the library lives; with less, none is taken."""

    spotify_client_id: str | None = Field(
        default=None, validation_alias=AliasChoices("SPOTIFY_CLIENT_ID", "spotify_client_id")
    )
    spotify_client_secret: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("SPOTIFY_CLIENT_SECRET", "spotify_client_secret")
    )
    spotify_api_mode: SpotifyMode = Field(
        default="default", validation_alias=AliasChoices("SPOTIFY_API_MODE", "spotify_api_mode")
    )

    spotdl: Path | None = Field(default=None, validation_alias=AliasChoices("SOUNDFORGE_SPOTDL", "spotdl"))
    """The spotDL program; unset means the one that `make setup` installed, or else the one on the path."""
    downloads: int = Field(default=4, ge=1, le=32, validation_alias=AliasChoices("SOUNDFORGE_DOWNLOADS", "downloads"))
    """How many downloads the library's own cluster runs at once."""
    download_minutes: float = Field(
        default=15.0, gt=0, validation_alias=AliasChoices("SOUNDFORGE_DOWNLOAD_MINUTES", "download_minutes")
    )
    """How long one download may take, with all that is tried for it."""

    owner_gb: float | None = Field(default=None, gt=0, validation_alias=AliasChoices("SOUNDFORGE_OWNER_GB", "owner_gb"))
    """GB (10⁹ bytes) of audio and stems that each owner may keep; unset means as much as there is room for."""
    owner_jobs: int | None = Field(
        default=None, ge=1, validation_alias=AliasChoices("SOUNDFORGE_OWNER_JOBS", "owner_jobs")
    )
    """How many jobs of each owner may be unfinished, the parts of batches too."""
    owner_sockets: int | None = Field(
        default=None, ge=1, validation_alias=AliasChoices("SOUNDFORGE_OWNER_SOCKETS", "owner_sockets")
    )
    """How many connections for live events each owner may have open at one server."""
    owner_uploads: int = Field(
        default=20, ge=1, validation_alias=AliasChoices("SOUNDFORGE_OWNER_UPLOADS", "owner_uploads")
    )
    """How many resumable uploads of each owner may be unfinished at one server."""
    upload_mb: float | None = Field(
        default=None, gt=0, validation_alias=AliasChoices("SOUNDFORGE_UPLOAD_MB", "upload_mb")
    )
    """MB (10⁶ bytes) that one upload may have; unset means 4 GiB."""
    requests_per_minute: int | None = Field(
        default=None, ge=1, validation_alias=AliasChoices("SOUNDFORGE_REQUESTS_PER_MINUTE", "requests_per_minute")
    )
    """How many requests each caller may send to one server; a caller is an owner, or an address where nobody signs in."""
    keep_days: float | None = Field(
        default=None, ge=1, validation_alias=AliasChoices("SOUNDFORGE_KEEP_DAYS", "keep_days")
    )
    """After how many days what nobody asked to keep goes: old jobs, and files that can be made again."""

    redis_url: SecretStr | None = Field(default=None, validation_alias=AliasChoices("REDIS_URL", "redis_url"))
    """Where events travel and what services say is kept, like `redis://host:6379/0`; may hold a password."""

    log_format: LogFormat = Field(default="text", validation_alias=AliasChoices("SOUNDFORGE_LOG_FORMAT", "log_format"))
    """`json`: servers and workers log one JSON object a line."""

    def __init__(self, **values: Any) -> None:
        """Read the settings; raises `InvalidInputError` that names the variable and what is wrong with it."""
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise InvalidInputError(f"A setting is not right. {_faults(error)}.", code="bad_setting") from None

    @field_validator("library", "models_dir", "spotdl", "tls_ca", "tls_cert", "tls_key", mode="after")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()

    @field_validator("allow_origins", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return re.split(r"[\s,]+", value.strip(" ,")) if isinstance(value, str) else value

    @field_validator("allow_origins", mode="after")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(normal_origin, filter(None, value))))

    @field_validator("redis_url", mode="after")
    @classmethod
    def _redis_address(cls, value: SecretStr | None) -> SecretStr | None:
        host = r"([^\s/?#]*@)?([^\s/?#@:\[\]]*|\[[0-9a-fA-F:]+\])(:[0-9]+)?"
        form = rf"rediss?://{host}([/?]\S*)?|unix://\S+"
        if value is not None and not re.fullmatch(form, value.get_secret_value()):
            raise ValueError("write it like redis://:password@host:6379/0, rediss://… for TLS, or unix:///path")
        return value

    @field_validator("supabase_url", mode="after")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[^\s/@]+/?", value):
            raise ValueError("write it like https://name.supabase.co")
        return value

    @field_validator("supabase_key", mode="after")
    @classmethod
    def _public_key(cls, value: str | None) -> str | None:
        role = "" if value is None else _role(value)
        if role:
            raise ValueError(
                f"this is a secret key ({role}), and whoever opens the page gets to see it. Put the anon or publishable "
                "key of the Supabase project here, and consider the secret one known if it was ever served"
            )
        return value

    @field_validator("supabase_jwt_secret", mode="after")
    @classmethod
    def _long_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 32:
            raise ValueError("this is too short to be a project's secret (32 characters or more), and can be guessed")
        return value

    @field_validator("supabase_service_key", mode="after")
    @classmethod
    def _one_line(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[!-~]+", value.get_secret_value()):
            raise ValueError("a key has no spaces, line ends or letters beyond ASCII: copy it again")
        return value

    @field_validator("storage_bucket", mode="after")
    @classmethod
    def _bucket_name(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,62}", value):
            raise ValueError("write 2 to 63 small letters, digits, dots, dashes and underscores")
        return value

    @property
    def in_supabase(self) -> bool:
        """Whether artifacts are kept in Supabase Storage; the library's folder is then a cache of them."""
        return self.supabase_url is not None and self.supabase_service_key is not None

    @property
    def api_port(self) -> int:
        """The port to serve the API at; raises `InvalidInputError` where the environment names none that there is."""
        given = self.api_gateway_port
        if given is None:
            return API_PORT
        if not (given.isascii() and given.isdigit() and 0 < int(given) < 65536):
            raise InvalidInputError(
                f"API_GATEWAY_PORT (or PORT) is {given[:40]!r}, which is no port. Set it to a number from 1 to 65535, or "
                "say --port.",
                code="bad_setting",
            )
        return int(given)

    @property
    def sqlite_file(self) -> Path:
        """The database, where no other is configured."""
        return self.library / "soundforge.db"

    @property
    def sqlalchemy_url(self) -> str:
        """The database's URL, with its password: for the engine only, never for a log."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.sqlite_file}"


def normal_origin(text: str) -> str:
    """Return an origin as browsers write it: `http(s)://host[:port]`, small letters, no default port.

    Raises `ValueError` with a sentence for anything else, `*` too: whoever is let in is named.
    """
    if text == "*":
        raise ValueError("'*' would let every page on the web in; name each origin, like http://localhost:3000")
    found = re.fullmatch(r"(https?)://([a-z0-9._-]+|\[[0-9a-f:]+\])(?::([0-9]{1,5}))?", text.lower())
    if found is None or (found[3] is not None and not 0 < int(found[3]) < 65536):
        raise ValueError(
            f"{text[:200]!r} is no origin: write http://host, https://host or either with :port, and no path behind it"
        )
    scheme, host, port = found.groups()
    default = {"http": 80, "https": 443}[scheme]
    return f"{scheme}://{host}" + ("" if port is None or int(port) == default else f":{int(port)}")


def is_loopback(ip: str) -> bool:
    """Return whether only this machine reaches that address."""
    try:
        return ipaddress.ip_address(ip).is_loopback
    except ValueError:
        return ip == "localhost"


def given_names() -> set[str]:
    """Return the names of all variables that are set, in the environment or in the `.env` file here."""
    given = {**dotenv_values(ENV_FILE), **os.environ}
    return {name.upper() for name, value in given.items() if value}


def unknown_names() -> dict[str, str | None]:
    """Return the variables that are set and begin as ours do, but are none; and which of ours each is most like."""
    fields = Settings.model_fields.values()
    ours = {str(name) for field in fields for name in field.validation_alias.choices}  # type: ignore[union-attr]
    unknown = {name for name in given_names() - ours - NOT_READ if name.startswith("SOUNDFORGE_")}
    return {name: next(iter(get_close_matches(name, ours, 1, 0.8)), None) for name in sorted(unknown)}


def _role(key: str) -> str:
    """Return what tells that a Supabase key is a secret; "" for one that may be shown.

    An old key is a JSON web token. It is believed without a look at its signature.
    """
    if "sb_secret_" in key:
        return "sb_secret_…"
    try:
        payload = key.split(".")[1]
        role = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))).get("role")
    except (IndexError, ValueError, AttributeError):
        return ""
    return "" if role in (None, "anon") else f"its role is {str(role)[:40]}"


def _faults(error: ValidationError) -> str:
    """Return what is wrong, variable by variable, without the values: some are secret."""
    return "; ".join(
        f"{'.'.join(map(str, fault['loc']))}: {fault['msg'].removeprefix('Value error, ')}" for fault in error.errors()
    )
