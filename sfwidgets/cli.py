"""The command `soundforge`: the façade from a shell.

Exit codes: 0 done, 1 a job failed or a part is missing (credentials, the network), 2 wrong usage or input,
130 interrupted, while the work goes on. With `--json`, standard output holds one JSON document and
nothing else.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sfwidgets import __version__, cli_backup, cli_db, cli_sources, cli_worker
from sfwidgets.answers import (
    FAILED,
    INTERRUPTED,
    StoppedWatchingError,
    ask,
    exit_code,
    folders,
    print_json,
    report,
    say,
)
from sfwidgets.cli_options import AsJson, Library, settings_of, workbench
from sfwidgets.errors import InvalidInputError, SoundForgeError

app = typer.Typer(
    name="soundforge", help="Split songs into stems and analyse them.", no_args_is_help=True,
    pretty_exceptions_enable=False, add_completion=False,
)  # fmt: skip

Audio = Annotated[list[Path], typer.Argument(help="Audio files.", metavar="AUDIO…", show_default=False)]


def main() -> None:
    """Run the command; an error of ours ends it with its sentence, not with a trace."""
    try:
        app()
    except SoundForgeError as error:
        typer.echo(f"soundforge: {error.message}", err=True)
        if "--json" in sys.argv:
            print_json(error.to_dict())
        raise SystemExit(exit_code(error)) from None
    except StoppedWatchingError as stopped:
        typer.echo(f"soundforge: {stopped}", err=True)
        raise SystemExit(INTERRUPTED) from None
    except SystemExit as end:
        if end.code == INTERRUPTED:
            typer.echo("soundforge: stopped. What was asked for goes on; ask again to see it.", err=True)
        raise


def _version(value: bool) -> None:
    if value:
        typer.echo(f"soundforge {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    from sfwidgets.settings import unknown_names

    del version
    for name, like in unknown_names().items():
        meant = f" Did you mean {like}?" if like else ""
        typer.echo(f"soundforge: {name} is set, but there is no such setting.{meant}", err=True)


app.command()(cli_sources.add)
app.command()(cli_sources.fetch)
app.command()(cli_sources.download)
app.command()(cli_worker.worker)
app.command()(cli_worker.scheduler)
app.command()(cli_backup.backup)
app.command()(cli_backup.restore)
app.add_typer(cli_db.app, name="db")


@app.command()
def separate(
    audio: Audio,
    out: Annotated[Path, typer.Option(help="Where the stems go: one folder a track.")] = Path("separated"),
    model: Annotated[str, typer.Option(help="A model's name (see `soundforge models`), or auto.")] = "auto",
    stems: Annotated[str | None, typer.Option(help="Only these stems: vocals,drums", show_default=False)] = None,
    two_stems: Annotated[
        str | None, typer.Option(help="Only this stem and the rest without it: vocals", show_default=False)
    ] = None,
    format: Annotated[str, typer.Option(help="flac, wav, mp3 or ogg.")] = "flac",
    overlap: Annotated[float, typer.Option(help="Overlap of the segments, 0 to 1.")] = 0.25,
    shifts: Annotated[int, typer.Option(help="Average over this many random shifts.")] = 0,
    seed: Annotated[int, typer.Option(help="Seeds the shifts.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")] = "auto",
    as_json: AsJson = False,
    library: Library = None,
) -> None:
    """Split songs into stems."""
    from sfwidgets.models import check_format

    wanted = check_format(format)
    options = {
        "stems": stems, "two_stems": two_stems, "overlap": overlap, "shifts": shifts, "seed": seed, "device": device,
        "precision": precision,
    }  # fmt: skip
    with workbench(library) as wb:
        targets = folders(audio, out)
        asked = [ask(path, lambda p: _separate(wb, p, model, options)) for path in audio]

        def finish(index: int, handle: Any) -> dict[str, Any]:
            handle.wait()
            track = wb.track(handle.value.track_id)
            stem_set = next(s for s in wb.stem_sets(track) if s.id == handle.result["stemSet"])
            files = wb.export(track, targets[index], format=wanted, stem_set=stem_set)
            for notice in stem_set.notices:
                typer.echo(f"{audio[index].name}: {notice}", err=True)
            say(as_json, f"{audio[index].name}: {len(files)} stems by {stem_set.model} in {targets[index]}")
            return {
                "trackId": track.id, "jobId": handle.id, "model": stem_set.model, "precision": stem_set.precision,
                "seconds": stem_set.seconds,
                "stems": [{"type": s.type, "path": str(files[Path(s.name).stem])} for s in stem_set.stems],
            }  # fmt: skip

        report(audio, asked, finish, as_json)


@app.command()
def analyze(
    audio: Audio,
    out: Annotated[Path | None, typer.Option(help="Write files there: one folder a track.", show_default=False)] = None,
    format: Annotated[
        str,
        typer.Option(
            help="For --out: some of json,csv,jams,cues,audacity,rekordbox,png.",
            show_default=False,
        ),
    ] = "",
    as_json: AsJson = False,
    library: Library = None,
) -> None:
    """Measure songs: tempo, beats, key, chords, sections, loudness, timbre."""
    with workbench(library) as wb:
        named = [name.strip() for name in format.split(",") if name.strip()]
        suffixes = wb.check_export(named or ["json"])
        if named and out is None:
            raise InvalidInputError("Say with --out where the files go.", code="bad_option")
        targets = [] if out is None else folders(audio, out)
        asked = [ask(path, lambda p: wb.analyze(wb.add(p))) for path in audio]
        found: dict[str, Path] = {}

        def finish(index: int, handle: Any) -> dict[str, Any]:
            analysis = wb.analysis(handle.wait().value.track_id, corrected=True)
            found[analysis.track_id] = audio[index].absolute()
            tempo = "no steady tempo" if analysis.tempo is None else f"{analysis.tempo:.1f} BPM"
            loudness = "no loudness" if analysis.loudness is None else f"{analysis.loudness:.1f} LUFS"
            say(
                as_json,
                f"{audio[index].name}: {analysis.duration:.1f} s, {tempo}, {analysis.key or 'no key'}, {loudness}",
            )
            if out is not None:
                for name in suffixes.keys() - wb.COLLECTIONS:
                    file = targets[index] / f"analysis{suffixes[name]}"
                    wb.export_analysis(analysis.track_id, file, format=name)
            document: dict[str, Any] = analysis.to_json()
            return document

        def collect() -> None:
            if out is not None and found:
                for name in wb.COLLECTIONS & suffixes.keys():
                    file = out / f"analyses{suffixes[name]}"
                    wb.export_analysis(list(found), file, format=name, sources=found)

        report(audio, asked, finish, as_json, collect)


@app.command()
def batch(
    files: Annotated[list[Path], typer.Argument(help="Audio files.", metavar="FILES…", show_default=False)],
    out: Annotated[Path, typer.Option(help="Where everything goes: one folder a track, and an index page.")],
    model: Annotated[str, typer.Option(help="A model's name, or auto.")] = "auto",
    format: Annotated[str, typer.Option(help="flac, wav, mp3 or ogg.")] = "flac",
    library: Library = None,
) -> None:
    """Run the pipeline notebook over many songs; run again, it goes on where it stopped."""
    from sfwidgets.batch import run_batch
    from sfwidgets.models import check_format

    parameters = {"model": model, "format": check_format(format)}
    rows = run_batch(files, out, parameters=parameters, library=library, say=lambda line: typer.echo(line, err=True))
    typer.echo(f"{sum(bool(r.ok) for r in rows)} of {len(rows)} done; the index is {out / 'index.html'}")
    if not all(row.ok for row in rows):
        raise typer.Exit(FAILED)


@app.command()
def models(as_json: AsJson = False) -> None:
    """List the separation models."""
    from sfwidgets import separation
    from sfwidgets.settings import Settings

    known = separation.catalogue(Settings())
    if as_json:
        print_json([model.to_json() for model in known])
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("Model", "Installed", "Stems", "Size", "Weights' licence", box=None, pad_edge=False)
    for model in known:
        size = "–" if model.size is None else f"{model.size / 1e6:.0f} MB"
        name = f"{model.id} (auto)" if model.is_default else model.id
        stems = ", ".join(model.sources)
        table.add_row(name, "yes" if model.installed else "no", stems, size, model.weights_license)
    Console().print(table)


@app.command()
def doctor(as_json: AsJson = False, library: Library = None) -> None:
    """Say what works on this machine, and what is missing."""
    from sfwidgets.doctor import examine

    findings = examine(settings_of(library))
    if as_json:
        print_json([finding.to_json() for finding in findings])
        return
    for finding in findings:
        typer.echo(f"{finding.mark} {finding.part:<12} {finding.sentence}")
    if any(finding.state == "missing" for finding in findings):
        raise typer.Exit(FAILED)


@app.command()
def cancel(
    job_ids: Annotated[
        list[str], typer.Argument(help="Ids of jobs, or of whole downloads.", metavar="JOB_ID…", show_default=False)
    ],
    as_json: AsJson = False,
    library: Library = None,
) -> None:
    """End jobs, and downloads with all their parts; what is in the library stays."""
    with workbench(library) as wb:

        def submit(job_id: str) -> Any:
            handle = wb.job(job_id)
            handle.cancel()
            return handle

        def finish(_index: int, handle: Any) -> dict[str, Any]:
            job = handle.last
            said = "cancelled" if job.status == "cancelled" else f"had ended: {job.status}"
            say(as_json, f"{handle.title}: {said if job.done else 'is being cancelled'}")
            document: dict[str, Any] = job.to_json()
            return document

        report(job_ids, [ask(job_id, submit) for job_id in job_ids], finish, as_json)


@app.command()
def stop(library: Library = None) -> None:
    """Stop the library's workers; jobs that run go on when they are next started."""
    from sfwidgets.jobs import stop_cluster

    stopped = stop_cluster(settings_of(library))
    typer.echo("The workers are stopped." if stopped else "No workers were running.")


@app.command()
def dashboard(
    library: Library = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8866,
    ip: Annotated[
        str,
        typer.Option(
            help="The address to listen on. Anything but this machine's own lets all who reach it use the library."
        ),
    ] = "127.0.0.1",
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open a browser.")] = False,
    pool: Annotated[int, typer.Option(min=1, help="How many kernels wait, preheated, for visitors.")] = 1,
    notebook: Annotated[
        Path | None, typer.Option(help="Another notebook to show, in place of the workbench.", show_default=False)
    ] = None,
) -> None:
    """Serve the workbench as a page, for people who never see code."""
    from sfwidgets import launch

    launch.dashboard(
        settings_of(library), notebook, ip=ip, port=port, pool=pool, open_browser=not no_browser, say=_tell
    )


@app.command()
def lab(
    library: Library = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8888,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open a browser.")] = False,
    folder: Annotated[
        Path | None, typer.Option(help="Where the notebooks are, or are put.", show_default=False)
    ] = None,
) -> None:
    """Open JupyterLab on the workbench notebook."""
    from sfwidgets import launch

    launch.lab(settings_of(library), folder, port=port, open_browser=not no_browser, say=_tell)


@app.command()
def serve(
    library: Library = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="The port of the API (API_GATEWAY_PORT, PORT).", show_default="8888"),
    ] = None,
    ip: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    no_sign_in: Annotated[
        bool,
        typer.Option(
            "--no-sign-in", help="Let every program on this machine call the API without the token. Only at 127.0.0.1."
        ),
    ] = False,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            help="Pages from there may call the API: http://localhost:3000. May be given again "
            "(SOUNDFORGE_ALLOW_ORIGINS).",
            metavar="URL",
            show_default=False,
        ),
    ] = None,
    dashboard: Annotated[bool, typer.Option("--dashboard", help="Serve the dashboard beside it.")] = False,
    dashboard_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="The dashboard's port.", show_default="next after the API's"),
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open a browser.")] = False,
    folder: Annotated[
        Path | None, typer.Option(help="Where the notebooks are, or are put.", show_default=False)
    ] = None,
) -> None:
    """Serve the HTTP API, and JupyterLab with it.

    It prints the token that programs sign in with. That is another at every start, unless the environment variable
    JUPYTER_TOKEN says which.
    """
    from sfwidgets import launch

    settings = settings_of(library)
    port = settings.api_port if port is None else port
    launch.serve(
        settings, folder, ip=ip, port=port, sign_in=not no_sign_in, origins=allow_origin or [],
        dashboard_port=(dashboard_port or port + 1) if dashboard else None, open_browser=not no_browser, say=_tell,
    )  # fmt: skip


def _separate(wb: Any, path: Path, model: str, options: dict[str, Any]) -> Any:
    wb.check_separation(model, **options)
    return wb.separate(wb.add(path), model, **options)


def _tell(line: str) -> None:
    typer.echo(line, err=True)


if __name__ == "__main__":
    main()
