"""The variables that the server is configured by: what is read, refused, handed on, and said to be without effect."""

from __future__ import annotations

import base64
import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sfwidgets import Workbench, launch
from sfwidgets.cli import app
from sfwidgets.doctor import examine
from sfwidgets.errors import InvalidInputError
from sfwidgets.settings import Settings, is_loopback, normal_origin

NAMES = (
    "API_GATEWAY_PORT", "PORT", "SOUNDFORGE_ALLOW_ORIGINS", "SUPABASE_URL", "SUPABASE_KEY", "SPOTIFY_CLIENT_ID",
    "SPOTIFY_CLIENT_SECRET", "SPOTIFY_API_MODE", "REDIS_URL", "POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB",
    "DATABASE_URL", "SOUNDFORGE_SPOTDL", "SUPABASE_SERVICE_KEY", "SUPABASE_JWT_SECRET",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AUDIO_DATA_PATH", str(tmp_path / "library"))


def token(claims: dict[str, object]) -> str:
    """Return a JSON web token as Supabase's old keys are (RFC 7519), signed by nobody."""
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "JWT"}, claims)] + [b"signature"]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def test_the_port_is_the_gateways_then_the_general_one_then_8888(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().api_port == 8888
    monkeypatch.setenv("PORT", "3001")
    assert Settings().api_port == 3001
    monkeypatch.setenv("API_GATEWAY_PORT", "3000")
    assert Settings().api_port == 3000


@pytest.mark.parametrize("rubbish", ["web", "0", "65536", "-1", "80.5", "tcp://10.0.0.1:80", "٣٠٠٠"])
def test_a_port_that_is_none_is_a_sentence_for_the_server_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch, rubbish: str
) -> None:
    monkeypatch.setenv("PORT", rubbish)
    settings = Settings()
    with pytest.raises(InvalidInputError, match=r"API_GATEWAY_PORT \(or PORT\) is .* no port"):
        _ = settings.api_port


def test_origins_are_listed_by_commas_or_spaces_as_browsers_write_them(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = " http://localhost:3000,https://App.Example:443  http://[::1]:5173,,http://localhost:3000,"
    monkeypatch.setenv("SOUNDFORGE_ALLOW_ORIGINS", listed)
    assert Settings().allow_origins == ("http://localhost:3000", "https://app.example", "http://[::1]:5173")


@pytest.mark.parametrize(
    "wrong",
    [
        "*", "localhost:3000", "http://a.example/", "http://a.example/app", "ftp://a.example", "null", "https://*.example",
        "http://user@a.example", "http://a.example:0", "http://a.example:99999", "http://a.example?x", "http://",
        "http://a.example\nhttp://b.example",
    ],
)  # fmt: skip
def test_what_is_no_origin_is_turned_away(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    with pytest.raises(ValueError, match=r"name each origin|is no origin"):
        normal_origin(wrong)
    if "\n" not in wrong:
        monkeypatch.setenv("SOUNDFORGE_ALLOW_ORIGINS", wrong)
        with pytest.raises(InvalidInputError, match="SOUNDFORGE_ALLOW_ORIGINS"):
            Settings()


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_addresses(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "", "192.168.0.1", "localhost.example", "128.0.0.1"])
def test_addresses_that_others_reach(address: str) -> None:
    assert not is_loopback(address)


SECRET = "0123456789abcdef"


@pytest.mark.parametrize(
    "key",
    [
        f"sb_secret_{SECRET}",
        f' "sb_secret_{SECRET}"',
        token({"iss": "supabase", "ref": SECRET, "role": "service_role", "exp": 1999999999}),
        token({"iss": "supabase", "ref": SECRET, "role": "service_role", "pad": "x"}),
        token({"iss": "supabase", "ref": SECRET, "role": "authenticated", "pad": "xy"}),
    ],
    ids=["sb_secret", "quoted", "service role", "service role, padded", "a user's"],
)
def test_a_secret_key_where_the_public_one_belongs_is_refused_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("SUPABASE_KEY", key)
    with pytest.raises(InvalidInputError, match=r"SUPABASE_KEY: .*anon or publishable key") as refused:
        Settings()
    assert key not in str(refused.value)
    assert SECRET not in repr(refused.value)


@pytest.mark.parametrize(
    "key", [token({"iss": "supabase", "role": "anon"}), "sb_publishable_abc", "a.b.c", "no token at all"]
)
def test_a_public_key_is_taken(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("SUPABASE_KEY", key)
    assert Settings().supabase_key == key


@pytest.mark.parametrize(
    ("name", "value"),
    [("SUPABASE_URL", "name.supabase.co"), ("SPOTIFY_API_MODE", "fast"), ("SUPABASE_URL", "https://")],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInputError, match=name):
        Settings()


@pytest.mark.embedded
def test_a_child_process_reads_the_same_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = {
        "PORT": "3001", "SOUNDFORGE_ALLOW_ORIGINS": "http://localhost:3000, https://a.example",
        "SUPABASE_URL": "https://name.supabase.co", "SUPABASE_KEY": "sb_publishable_abc", "SPOTIFY_CLIENT_ID": "id",
        "SPOTIFY_CLIENT_SECRET": SECRET, "SPOTIFY_API_MODE": "spotdl", "REDIS_URL": f"redis://:{SECRET}@host",
        "SOUNDFORGE_OFFLINE": "true", "AUDIO_DATA_PATH": str(tmp_path / "library"),
    }  # fmt: skip
    (tmp_path / ".env").write_text("".join(f'{name}="{value}"\n' for name, value in given.items()))
    settings = Settings()
    assert SECRET not in repr(settings)
    program = "from sfwidgets.settings import Settings; print(Settings().model_dump_json())"
    child = subprocess.run(
        [sys.executable, "-c", program], cwd="/", env=launch.environment(settings), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert json.loads(child.stdout) == json.loads(settings.model_dump_json())
    handed_on = launch.environment(settings)
    assert handed_on["SPOTIFY_CLIENT_SECRET"] == SECRET
    assert handed_on["SOUNDFORGE_ALLOW_ORIGINS"] == "http://localhost:3000,https://a.example"


@pytest.mark.embedded
def test_nothing_is_handed_on_that_is_not_set() -> None:
    assert not set(launch.environment(Settings())) & (set(NAMES) - {"SPOTIFY_API_MODE"})


@pytest.fixture
def spotdl(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A program that only says its version, in the place of spotDL, whose start takes seconds."""
    program = tmp_path / "spotdl"
    program.write_text("#!/bin/sh\necho 4.5.2\n")
    program.chmod(0o755)
    monkeypatch.setenv("SOUNDFORGE_SPOTDL", str(program))
    return program


def said_by_doctor() -> str:
    return "\n".join(f"{finding.part} {finding.state} {finding.sentence}" for finding in examine(Settings()))


@pytest.mark.embedded
@pytest.mark.usefixtures("spotdl")
def test_the_doctor_lists_old_names_that_are_without_effect(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = said_by_doctor()
    assert "without effect" not in said
    assert "port 8888" in said
    monkeypatch.setenv("SPOTIFY_SERVICE_PORT", "3001")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setenv("POSTGRES_PASSWORD", SECRET)
    monkeypatch.setenv("PORT", "web")
    monkeypatch.setenv("REDIS_URL", f"redis://:{SECRET}@host")
    (tmp_path / ".env").write_text("DOWNLOAD_SERVICE_PORT=3002\nPOSTGRES_USER=forge\n")
    said = said_by_doctor()
    assert "settings off DOWNLOAD_SERVICE_PORT, SPOTIFY_SERVICE_PORT: without effect" in said
    assert "settings off POSTGRES_PASSWORD, POSTGRES_USER: without effect" in said
    assert "redis missing nobody answers at REDIS_URL" in said
    assert "api missing API_GATEWAY_PORT (or PORT) is 'web'" in said
    assert SECRET not in said
    assert "KUBERNETES" not in said
    assert "CUDA_VISIBLE_DEVICES" not in said


@pytest.mark.usefixtures("spotdl")
def test_a_mistyped_setting_is_told_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SOUNDFORGE_OWNERS_GB", "5")
    monkeypatch.setenv("SOUNDFORGE_OWNER_JOBS", "5")
    (tmp_path / ".env").write_text("SOUNDFORGE_NOTHING_LIKE_IT=5\nSOUNDFORGE_IMAGE=soundforge:cuda\n")
    said = said_by_doctor()
    assert "settings missing SOUNDFORGE_OWNERS_GB: there is no such setting; did you mean SOUNDFORGE_OWNER_GB?" in said
    assert "settings missing SOUNDFORGE_NOTHING_LIKE_IT: there is no such setting\n" in said
    assert said.count("no such setting") == 2
    told = CliRunner().invoke(app, ["models"]).stderr
    assert "SOUNDFORGE_OWNERS_GB is set, but there is no such setting. Did you mean SOUNDFORGE_OWNER_GB?" in told


@pytest.mark.usefixtures("spotdl")
def test_a_database_of_ones_own_makes_the_postgres_names_good(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POSTGRES_DB", "forge")
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'own.db'}")
    assert "without effect" not in said_by_doctor()


def test_the_doctor_says_how_links_are_read_and_who_downloads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, spotdl: Path
) -> None:
    monkeypatch.setenv("SOUNDFORGE_OFFLINE", "false")
    said = said_by_doctor()
    assert "spotify ok links are read by spotDL; searching needs credentials" in said
    assert f"spotdl ok 4.5.2 in {spotdl}" in said
    assert re.search(r"downloads ok 4 at once; yt-dlp 20\d\d\.[\d.]+, converted by /\S*ffmpeg", said)
    monkeypatch.setenv("SPOTIFY_CLIENT_ID", "id")
    assert "spotify missing SPOTIFY_CLIENT_SECRET must be set" in said_by_doctor()
    monkeypatch.setenv("SPOTIFY_CLIENT_SECRET", SECRET)
    monkeypatch.setenv("SOUNDFORGE_OFFLINE", "true")
    said = said_by_doctor()
    assert "spotify ok asked with the credentials that are set, which were not tried" in said
    assert "downloads off forbidden by SOUNDFORGE_OFFLINE" in said
    assert SECRET not in said
    spotdl.write_text("#!/nowhere/python\n")
    assert "spotdl missing" in said_by_doctor()
    monkeypatch.setenv("SOUNDFORGE_SPOTDL", str(tmp_path / "none"))
    monkeypatch.setenv("SPOTIFY_API_MODE", "spotdl")
    said = said_by_doctor()
    assert f"spotdl missing SOUNDFORGE_SPOTDL={tmp_path / 'none'} is no program" in said
    assert "spotify missing links can't be read" in said


def test_without_spotdl_the_second_way_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    said = said_by_doctor()
    assert "spotdl off not installed, `make setup` does that; yt-dlp downloads alone" in said
    assert "spotify off links can't be read: there are neither credentials nor spotDL" in said
    monkeypatch.setenv("SPOTIFY_API_MODE", "spotifyapi")
    assert "spotify missing SPOTIFY_CLIENT_ID and SPOTIFY_CLIENT_SECRET must be set" in said_by_doctor()


@pytest.mark.embedded
@pytest.mark.usefixtures("spotdl")
def test_the_doctor_upgrades_nothing_and_says_what_is_wrong_with_the_schedulers_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AUDIO_DATA_PATH", str(tmp_path))
    monkeypatch.setenv("DASK_SCHEDULER", "http://127.0.0.1:1")
    with Workbench(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "soundforge.db")) as database:
        for revision, said in (("0003", "upgraded when first used"), ("9999", "database missing")):
            database.execute("UPDATE alembic_version SET version_num = ?", [revision])
            database.commit()
            found = said_by_doctor()
            assert said in found
            assert "workers missing DASK_SCHEDULER=http://127.0.0.1:1 is no scheduler's address" in found
            assert database.execute("SELECT version_num FROM alembic_version").fetchall() == [(revision,)]
