"""Run one schema's revisions on the connection and in the transaction that `storage.index.migrate` gives."""

from alembic import context

_attributes = context.config.attributes
context.configure(
    connection=_attributes["connection"],
    version_table="alembic_version",
    version_table_schema=_attributes["schema"],
)
with context.begin_transaction():
    context.run_migrations()
