"""The recipes of docs/cluster.md can be copied: they parse, and name only what there is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import typer.main
import yaml

from sfwidgets.cli import app

DOCS = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text()


def blocks(language: str) -> list[str]:
    found = re.findall(rf"```{language}\n(.*?)```", DOCS, re.DOTALL)
    assert found
    return found


def test_the_recipes_parse() -> None:
    for script in blocks("bash"):
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    for program in blocks("python"):
        compile(program, "docs/cluster.md", "exec")
    kinds = [part["kind"] for manifest in blocks("yaml") for part in yaml.safe_load_all(manifest)]
    assert kinds.count("Deployment") == 3


def test_every_command_and_option_exists() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    manifests = [part for manifest in blocks("yaml") for part in yaml.safe_load_all(manifest)]
    asked = [
        container["command"]
        for part in manifests
        if part["kind"] == "Deployment"
        for container in part["spec"]["template"]["spec"]["containers"]
    ]
    asked += [line.split() for line in re.findall(r"(soundforge (?:worker|scheduler)[^`\n#.,(]*)", DOCS)]
    for _, command, *options in asked:
        known = {name for option in commands[command].params for name in option.opts}
        assert {option for option in options if option.startswith("--")} <= known, command
