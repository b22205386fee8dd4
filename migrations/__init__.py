"""The only truth about the schema: alembic scripts for the registry and for each hospital's own schema.

Law: plain SQL statements, one folder of revisions for each kind of schema, each schema with its own version table.
A revision that has been released is never edited. `storage.index.migrate` runs them; nothing else changes a table.
"""
