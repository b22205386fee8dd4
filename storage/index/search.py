"""Searching: one page of what matches, or all of it page by page.

Law: every search is bounded. A page has a limit, its transaction a time; who wants everything gets it in short
transactions, each going on behind the last row of the one before, so that a slow reader holds no connection and deep
pages cost what the first one costs.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.sql import SQL, Composed

from pacs.errors import TooBroad
from pacs.query import Cursor, Query
from storage.index.conditions import Values, conditions
from storage.index.connections import Index
from storage.index.items import item, wanted
from storage.index.statements import STATEMENTS

MOST_REMAINING = 1000  # counted; that there are more is all anybody needs to know
PAGE = 500  # rows of one transaction where all are wanted
_COUNTING_SECONDS = 1.0  # a count is a courtesy: it may cost no more


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One page of DICOM JSON objects and how many more there are, or at least are when ``more`` is true.

    ``last`` is where the next page goes on (`Query.after`); () when nothing comes behind.
    """

    items: list[dict[str, Any]]
    remaining: int
    more: bool = False
    last: Cursor = ()


def search(index: Index, hospital: str, query: Query) -> SearchResult:
    """One page in a stable order: newest study first, then by number. Raises TooBroad when it takes too long."""
    found, values = matching(query)
    remaining, more = 0, False
    with _bounded(index, hospital) as connection:
        rows = _rows(connection, query, found, values | {"limit": query.limit + 1, "offset": query.offset})
        if len(rows) > query.limit:
            remaining, more = _count(connection, found, values | {"offset": query.offset + query.limit})
    page = rows[: query.limit]
    return SearchResult(_items(query, page), remaining, more, _cursor(page[-1]) if page and remaining else ())


def find_pages(index: Index, hospital: str, query: Query) -> Iterator[list[dict[str, Any]]]:
    """Everything that matches, whatever limit and offset say, in the same order; raises TooBroad as above."""
    after = query.after
    while True:
        found, values = matching(replace(query, after=after))
        with _bounded(index, hospital) as connection:
            rows = _rows(connection, query, found, values | {"limit": PAGE, "offset": 0})
        yield _items(query, rows)
        if len(rows) < PAGE:
            return
        after = _cursor(rows[-1])


def matching(query: Query) -> tuple[Composed, Values]:
    """The statement of all matching rows without order and page, and its parameters."""
    values: Values = dict(query.after)
    found = conditions(query.level, query.matches, values)
    if query.after:
        found.append(STATEMENTS[f"{query.level}_after"])
    where = [SQL("WHERE ") + SQL(" AND ").join(found)] if found else []
    return SQL("\n").join([STATEMENTS[f"{query.level}_page"], *where]), values


def ordered(query: Query, found: Composed) -> Composed:
    """``found`` in its order, cut to ``limit`` and ``offset``."""
    return SQL("\n").join([found, STATEMENTS[f"{query.level}_order"], STATEMENTS["page"]])


@contextmanager
def _bounded(index: Index, hospital: str) -> Iterator[psycopg.Connection]:
    """A transaction whose statements end in time; raises TooBroad for one that does not."""
    with index.transaction(hospital) as connection:
        connection.execute(STATEMENTS["bound_search"], {"milliseconds": f"{index.search_seconds * 1000:.0f}"})
        try:
            yield connection
        except psycopg.errors.QueryCanceled:
            raise TooBroad from None


def _rows(connection: psycopg.Connection, query: Query, found: Composed, values: Values) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(ordered(query, found), values).fetchall()


def _count(connection: psycopg.Connection, found: Composed, values: Values) -> tuple[int, bool]:
    """How many rows lie behind a page, one at least, and whether there may be more."""
    rest = STATEMENTS["rest"].format(found=SQL("\n").join([found, STATEMENTS["page"]]))
    milliseconds = {"milliseconds": f"{_COUNTING_SECONDS * 1000:.0f}"}
    try:
        with connection.transaction():
            connection.execute(STATEMENTS["bound_search"], milliseconds)
            (count,) = connection.execute(rest, values | {"limit": MOST_REMAINING + 1}).fetchall()[0]
    except psycopg.errors.QueryCanceled:
        return 1, True
    return min(count, MOST_REMAINING), count > MOST_REMAINING


def _items(query: Query, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    tags = wanted(query)
    return [item(query.level, row, tags) for row in rows]


def _cursor(row: Mapping[str, Any]) -> Cursor:
    return tuple((name, value) for name, value in row.items() if name.startswith("key_"))
