"""What is shipped for running a service says what the program reads: compose.yaml, the image, systemd's units, docs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from sfwidgets.cli import app
from sfwidgets.settings import Settings

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
OPERATIONS = ROOT / "docs" / "operations.md"

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]

READ = {str(name) for field in Settings.model_fields.values() for name in field.validation_alias.choices}  # type: ignore[union-attr]
JUPYTERS = {"JUPYTER_TOKEN", "JUPYTER_TOKEN_FILE"}


def parses(arguments: list[str]) -> None:
    """Raise where the command does not know a word of it; nothing is run."""
    name, *rest = arguments
    group: Any = typer.main.get_command(app)
    command = group.get_command(group.make_context("soundforge", arguments), name)
    assert command is not None, name
    command.make_context(name, rest)


def dockerfile(instruction: str) -> list[str]:
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    return [line.split(maxsplit=1)[1].strip() for line in text.splitlines() if line.startswith(f"{instruction} ")]


def test_there_are_the_parts_of_a_service() -> None:
    assert set(OURS) == {"server-1", "server-2", "scheduler", "worker", "worker-gpu"}
    assert {"proxy", "postgres", "redis"} <= SERVICES.keys()
    assert SERVICES["server-1"] == SERVICES["server-2"]
    assert set(SERVICES["server-1"]["secrets"]) == {"token", "cookie_secret"}


@pytest.mark.parametrize("name", OURS)
def test_every_variable_of_a_service_is_one_that_is_read(name: str) -> None:
    assert SERVICES[name]["environment"].keys() <= READ | JUPYTERS


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one_that_there_is(name: str) -> None:
    parses(SERVICES[name].get("command") or json.loads(dockerfile("CMD")[-1]))


def test_what_is_waited_for_says_when_it_is_healthy() -> None:
    image_checks_itself = bool(dockerfile("HEALTHCHECK"))
    for service in SERVICES.values():
        for other, how in service.get("depends_on", {}).items():
            check = SERVICES[other].get("healthcheck", {"test": image_checks_itself and other in OURS})
            assert how == {"condition": "service_healthy"}
            assert check.get("test")


def test_everything_that_is_mounted_is_declared_and_there() -> None:
    for service in SERVICES.values():
        assert {volume.partition(":")[0] for volume in service.get("volumes", ())} <= COMPOSE["volumes"].keys()
        assert set(service.get("secrets", ())) <= COMPOSE["secrets"].keys()
        assert {config["source"] for config in service.get("configs", ())} <= COMPOSE["configs"].keys()
    for config in COMPOSE["configs"].values():
        assert (ROOT / config["file"]).is_file()
    for config in DEPLOY.glob("*.json"):
        json.loads(config.read_text())


def test_every_secret_has_to_be_given_and_none_is_written_down() -> None:
    text = (ROOT / "compose.yaml").read_text()
    asked = set(re.findall(r"\$\{([A-Z_]+):\?", text))
    assert asked == set(re.findall(r"^([A-Z_]+)=$", (DEPLOY / "env.example").read_text(), re.MULTILINE))
    for name in set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", text)) - asked - READ:
        assert name in (DEPLOY / "env.example").read_text(), name
    assert not list(DEPLOY.glob("secrets/*"))


def test_only_the_proxy_can_be_reached_from_elsewhere() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    assert all(server in (DEPLOY / "Caddyfile").read_text() for server in ("server-1:8888", "server-2:8888"))
    reached = {name for name, service in SERVICES.items() if "front" in service.get("networks", ())}
    assert reached == {"proxy", "server-1", "server-2"}
    assert SERVICES["proxy"]["networks"] == ["front"]
    assert all(
        "default" in service.get("networks", ["default"]) for name, service in SERVICES.items() if name != "proxy"
    )


def test_the_image_runs_as_nobody_special_and_takes_along_all_that_the_wheel_is_made_of() -> None:
    assert dockerfile("USER") == ["soundforge"]
    assert dockerfile("STOPSIGNAL") == ["SIGTERM"]
    copied = {word for line in dockerfile("COPY") if "--from" not in line for word in line.split()[:-1]}
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == sent
    assert all((ROOT / name).exists() for name in copied)
    assert {
        name for line in dockerfile("ENV") for name in re.findall(r"\b(SOUNDFORGE_\w+|AUDIO_DATA_PATH)=", line)
    } <= READ


def test_docker_compose_takes_it() -> None:
    alone = Path(sys.executable).with_name("docker-compose")  # make puts it there
    compose = [str(alone)] if alone.exists() else ["docker", "compose"]
    if not shutil.which(compose[0]) or subprocess.run([*compose, "version"], capture_output=True).returncode != 0:
        pytest.skip("docker compose is not installed")
    given = {"POSTGRES_PASSWORD": "a", "REDIS_PASSWORD": "b", "STICKY_SECRET": "c"}
    done = subprocess.run(
        [*compose, "--profile", "gpu", "config", "--quiet"],
        cwd=ROOT, env={**os.environ, **given}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("unit", sorted(DEPLOY.glob("*.service")), ids=lambda unit: unit.name)
def test_systemd_takes_its_units(unit: Path, tmp_path: Path) -> None:
    text = unit.read_text()
    line = re.search(r"^ExecStart=(\S+) (.*)$", text, re.MULTILINE)
    assert line is not None
    parses(line[2].split())
    assert set(re.findall(r"\b(SOUNDFORGE_\w+|AUDIO_DATA_PATH)=", text)) <= READ
    if shutil.which("systemd-analyze"):
        (tmp_path / unit.name).write_text(text.replace(line[1], "/bin/true"))
        done = subprocess.run(["systemd-analyze", "verify", str(tmp_path / unit.name)], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_the_page_on_operations_lists_every_variable_with_its_default() -> None:
    rows = re.findall(r"^\| `([A-Z_`, ]+)` \| ([^|]*) \|", OPERATIONS.read_text(), re.MULTILINE)
    listed = {name: default.strip() for names, default in rows for name in re.findall(r"[A-Z_]+", names)}
    settings = Settings()
    for field in Settings.model_fields.values():
        for name in field.validation_alias.choices:  # type: ignore[union-attr]
            if str(name).isupper():
                assert name in listed, f"{name} is not in docs/operations.md"
                default = field.get_default(call_default_factory=False)
                if isinstance(default, bool):
                    assert listed[str(name)] == f"`{str(default).lower()}`", name
                elif isinstance(default, int | float):
                    assert float(listed[str(name)].strip("`")) == default, name
                elif isinstance(default, str):
                    assert listed[str(name)] == f"`{default}`", name
    assert listed.keys() <= READ | JUPYTERS
    assert settings.log_format in listed["SOUNDFORGE_LOG_FORMAT"]


def test_the_page_on_operations_names_figures_that_there_are() -> None:
    from prometheus_client import REGISTRY

    import server_ext.live.counts
    import server_ext.loop_watch
    import server_ext.metrics  # noqa: F401

    there = {metric.name for metric in REGISTRY.collect()}
    named = set(re.findall(r"`(soundforge_\w+)", OPERATIONS.read_text()))
    assert {name.removesuffix("_total") for name in named} <= there
