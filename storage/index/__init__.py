"""The index in PostgreSQL: the only place with SQL.

Law: statements stand in ``queries/*.sql``, each with a name and a sentence; rows become values before they leave this
room; no psycopg error passes its door.
"""

from storage.index.connections import Index
from storage.index.migrate import add_hospital, migrate

__all__ = ["Index", "add_hospital", "migrate"]
