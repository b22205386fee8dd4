"""The SQL statements, by name, from the files beside this one.

Law: each statement in ``queries/*.sql`` opens with ``-- name`` and a comment that says in one sentence what it is for.
Values are always parameters.
"""

import re
from collections.abc import Mapping
from importlib.resources import files

from psycopg.sql import SQL

_OPENING = re.compile(r"^-- ([a-z_]+)\n(?=-- )", re.MULTILINE)


def parse_statements(text: str) -> dict[str, str]:
    """Cut a file into statements by name; a name that stands twice is a mistake and raises ValueError."""
    parts = _OPENING.split(text)[1:]
    names, bodies = parts[::2], parts[1::2]
    if len(set(names)) != len(names):
        raise ValueError(f"a statement stands twice among {sorted(names)}")
    return dict(zip(names, (body.strip() for body in bodies), strict=True))


def _load() -> dict[str, SQL]:
    found: dict[str, SQL] = {}
    for file in sorted(files("storage.index").joinpath("queries").iterdir(), key=lambda path: path.name):
        for name, text in parse_statements(file.read_text(encoding="utf-8")).items():
            if name in found:
                raise ValueError(f"the statement {name} stands in two files")
            found[name] = SQL(text)
    return found


STATEMENTS: Mapping[str, SQL] = _load()
