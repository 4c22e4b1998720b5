"""One `Settings` object, read from the environment and from a `.env` file in the working directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from platformdirs import user_data_path
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from sfwidgets.errors import InvalidInputError

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]

LOCAL_OWNER = "local"
"""The one owner of everything where nobody signs in."""


def _default_library() -> Path:
    return user_data_path("soundforge", appauthor=False)


class Settings(BaseSettings):
    """What a person may configure, under the names of the old system where it had one.

    Paths are made absolute on reading, so that a worker in another folder means the same place.
    """

    model_config = SettingsConfigDict(
        env_file=".env",
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
    """An SQLAlchemy URL; unset means `soundforge.db` (SQLite) in the library."""

    dask_scheduler: str | None = Field(default=None, validation_alias=AliasChoices("DASK_SCHEDULER", "dask_scheduler"))
    """The address of a Dask scheduler; unset means a cluster of the library's own on this machine."""

    device: Device = Field(default="auto", validation_alias=AliasChoices("SOUNDFORGE_DEVICE", "device"))
    precision: Precision = Field(default="auto", validation_alias=AliasChoices("SOUNDFORGE_PRECISION", "precision"))
    offline: bool = Field(default=False, validation_alias=AliasChoices("SOUNDFORGE_OFFLINE", "offline"))
    """True: never ask a model hub for anything."""

    idle_minutes: float = Field(
        default=10.0, gt=0, validation_alias=AliasChoices("SOUNDFORGE_IDLE_MINUTES", "idle_minutes")
    )
    """How long the library's own cluster stays after its last job."""

    def __init__(self, **values: Any) -> None:
        """Read the settings; raises `InvalidInputError` that names the variable and what is wrong with it."""
        try:
            super().__init__(**values)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise InvalidInputError(f"A setting is not right. {wrong}.", code="bad_setting") from None

    @field_validator("library", "models_dir", mode="after")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()

    @property
    def sqlalchemy_url(self) -> str:
        """The database's URL, with its password: for the engine only, never for a log."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.library / 'soundforge.db'}"
