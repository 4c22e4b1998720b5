"""The commands `soundforge db …`: a look at the database, its upgrade, and the move to PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sfwidgets.answers import print_json
from sfwidgets.cli_options import AsJson, Library, settings_of

if TYPE_CHECKING:
    from sfwidgets.library.moving import DatabaseStatus

app = typer.Typer(help="Look at the database, upgrade it, or move it to PostgreSQL.", no_args_is_help=True)


@app.command()
def status(as_json: AsJson = False, library: Library = None) -> None:
    """Say where the database is, how old its schema is, and what is in it; changes nothing."""
    from sfwidgets.library.moving import status as look

    _tell(look(settings_of(library)), as_json)


@app.command()
def upgrade(library: Library = None) -> None:
    """Bring the schema up to this program's. Opening the library does that, too."""
    from sfwidgets.library.database import HEAD, Database

    database = Database(settings_of(library), upgrade=False)
    try:
        before = database.upgrade()
    finally:
        database.close()
    typer.echo(
        f"The schema is {HEAD} already." if before == HEAD else f"The schema was {before or 'none'}, it is {HEAD}."
    )


@app.command()
def move(
    to: Annotated[
        str | None,
        typer.Option(
            help="postgresql://user@host/name. Without it, DATABASE_URL says where, and no password is seen by others.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
    library: Library = None,
) -> None:
    """Copy all rows of the library's SQLite file into an empty PostgreSQL database; audio and stems stay where they are."""
    from pydantic import SecretStr

    from sfwidgets.jobs import stop_cluster
    from sfwidgets.library.moving import move as carry

    target = settings_of(library)
    if to is not None:
        target = target.model_copy(update={"database_url": SecretStr(to)})
    source = target.model_copy(update={"database_url": None})
    moved = carry(source, target)
    stop_cluster(source)  # which works with the old database
    _tell(moved, as_json)
    typer.echo(
        "All rows are there. From now on, set DATABASE_URL to that database wherever this library is opened, and start "
        f"servers and notebooks that are open again. {source.sqlite_file} is as it was, and not used any more.",
        err=True,
    )


def _tell(found: DatabaseStatus, as_json: bool) -> None:
    if as_json:
        print_json(found.to_json())
        return
    typer.echo(f"database  {found.address}, {found.size / 1e6:.1f} MB")
    state = "up to date" if found.revision == found.newest else f"this program's is {found.newest}"
    typer.echo(f"schema    {found.revision or 'none yet'} ({state})")
    typer.echo(f"jobs      {found.unfinished_jobs} have not ended")
    typer.echo("rows      " + (", ".join(f"{name} {count}" for name, count in found.rows.items()) or "none"))
