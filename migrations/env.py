"""Alembic's entry: runs the revisions on the connection it is given."""

from alembic import context

from prestaconsole.model import Base

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("Run migrations with `prestaconsole db upgrade`.")

context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    transactional_ddl=False,
)
context.run_migrations()
