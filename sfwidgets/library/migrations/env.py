"""Alembic's entry: migrations run on the connection that `Database` hands over, inside its transaction."""

from alembic import context

from sfwidgets.library.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
