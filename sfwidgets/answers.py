"""What the command answers: a line, a folder or a JSON object for each input, and its exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import typer

from sfwidgets.errors import JobCancelledError, JobFailedError, SoundForgeError, UpstreamError

DONE, FAILED, WRONG, INTERRUPTED = 0, 1, 2, 130
"""Exit codes."""

Given = TypeVar("Given", str, Path)
"""A link or a file."""


class StoppedWatchingError(Exception):
    """Somebody stopped the command, not the work: a sentence that says how to go on."""


def ask(given: Given, submit: Callable[[Given], Any]) -> Any:
    """Return the job that was asked for with a file or a link, or the error that stands for it."""
    try:
        return submit(given)
    except SoundForgeError as error:
        return error


def report(
    given: Sequence[str | Path],
    asked: list[Any],
    finish: Callable[[int, Any], dict[str, Any]],
    as_json: bool,
    at_last: Callable[[], None] = lambda: None,
) -> None:
    """Answer for each input in its turn, an error in its place; what went wrong is the exit code.

    An answer may say itself how much of it `failed`.
    """
    answers: list[dict[str, Any]] = []
    codes = {DONE}
    for index, (one, handle) in enumerate(zip(given, asked, strict=True)):
        try:
            if isinstance(handle, SoundForgeError):
                raise handle
            answers.append(finish(index, handle))
            if answers[-1].get("failed"):
                codes.add(FAILED)
        except SoundForgeError as error:
            typer.echo(f"{one}: {error.message}", err=True)
            codes.add(exit_code(error))
            answers.append({"input": str(one), **error.to_dict()})
    at_last()
    if as_json:
        print_json(answers[0] if len(answers) == 1 else answers)
    if codes != {DONE}:
        raise typer.Exit(FAILED if FAILED in codes else WRONG)


def exit_code(error: SoundForgeError) -> int:
    """Return 1 where a job or somebody else's service failed, or a part is missing, 2 where what was given is wrong."""
    if isinstance(error, JobFailedError | JobCancelledError | UpstreamError):
        return FAILED
    return WRONG if error.status < 500 else FAILED


def folders(paths: list[Path], out: Path) -> list[Path]:
    """Return a folder for each input, named after the file; a second file of the same name gets a number."""
    from sfwidgets.audio import writable_folder
    from sfwidgets.batch import folder_name

    taken: set[str] = set()
    folders = []
    for path in paths:
        name, number = folder_name(path), 1
        while name in taken:
            number += 1
            name = f"{folder_name(path)}-{number}"
        taken.add(name)
        folders.append(out / name)
    writable_folder(out)
    return folders


def say(as_json: bool, line: str) -> None:
    """Print a line for people."""
    if not as_json:
        typer.echo(line)


def print_json(document: Any) -> None:
    """Print a JSON document for programs."""
    json.dump(document, sys.stdout, ensure_ascii=False, indent=2, allow_nan=False)
    sys.stdout.write("\n")
