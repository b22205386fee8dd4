"""The embedded PostgreSQL: see `storage.postgres.engine` for its law."""

from storage.postgres.engine import Engine, embedded_postgres

__all__ = ["Engine", "embedded_postgres"]
