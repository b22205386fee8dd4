"""Searching: from a Query to SQL, and from rows to DICOM JSON.

Law: what is asked for reaches SQL as parameters alone; names of columns come from the table in `pacs.levels`. An
answer says what the stored instances say, plus counts that the index keeps.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg.rows import dict_row
from psycopg.sql import SQL, Composable, Identifier, Placeholder

from pacs.levels import BY_KEYWORD, LEVELS, Attribute, Level, attributes_of
from pacs.query import Match, Query
from storage.index.connections import Index
from storage.index.statements import STATEMENTS

MOST_REMAINING = 1000  # counted; that there are more is all anybody needs to know

_TABLES: Mapping[Level, str] = {"patient": "study", "study": "study", "series": "series", "instance": "instance"}
_LIKE = str.maketrans({"*": "%", "?": "_", "%": r"\%", "_": r"\_", "\\": r"\\"})
_WORD = str.maketrans({"*": "[^ ]*", "?": "[^ ]"})


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One page of DICOM JSON objects, and how many more there are (counted up to ``MOST_REMAINING``)."""

    items: list[dict[str, Any]]
    remaining: int


def search(index: Index, hospital: str, query: Query) -> SearchResult:
    """Find studies, series or instances, in a stable order: newest study first, then by number."""
    values: dict[str, Any] = {"limit": query.limit, "offset": query.offset}
    conditions = [_condition(match, f"value{number}", values) for number, match in enumerate(query.matches)]
    found = SQL("\n").join(
        [STATEMENTS[f"{query.level}_page"], *([SQL("WHERE ") + SQL(" AND ").join(conditions)] if conditions else [])]
    )
    page = SQL("\n").join([found, STATEMENTS[f"{query.level}_order"], STATEMENTS["page"]])
    with index.transaction(hospital) as connection, connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(page, values).fetchall()
        remaining = 0
        if len(rows) == query.limit:
            rest = SQL("SELECT count(*) AS remaining FROM ({}) AS rest").format(
                SQL("\n").join([found, STATEMENTS["page"]])
            )
            after = values | {"offset": query.offset + query.limit, "limit": MOST_REMAINING}
            remaining = cursor.execute(rest, after).fetchall()[0]["remaining"]
    wanted = _wanted(query)
    return SearchResult([_item(query.level, row, wanted) for row in rows], remaining)


def _condition(match: Match, name: str, values: dict[str, Any]) -> Composable:
    """The SQL of one match; puts its parameters into ``values``."""
    attribute = match.attribute
    if not attribute.column:
        return _inside_sequence(match, name, values)
    column = Identifier(_TABLES[attribute.level], attribute.column)
    return _CONDITIONS[match.kind](column, match, name, values)


def _equal(column: Composable, match: Match, name: str, values: dict[str, Any]) -> Composable:
    if match.attribute.matching == "number":
        values[name] = [int(value) for value in match.values]
        return SQL("{} = ANY({}::bigint[])").format(column, Placeholder(name))
    values[name] = list(match.values)
    if match.attribute.keyword == "ModalitiesInStudy":
        return SQL("{} && {}::text[]").format(column, Placeholder(name))
    return SQL("{} = ANY({})").format(column, Placeholder(name))


def _like(column: Composable, match: Match, name: str, values: dict[str, Any]) -> Composable:
    values[name] = [value.translate(_LIKE) for value in match.values]
    if match.attribute.keyword == "ModalitiesInStudy":
        return SQL("EXISTS (SELECT FROM unnest({}) AS one WHERE one LIKE ANY({}))").format(column, Placeholder(name))
    return SQL("{} LIKE ANY({})").format(column, Placeholder(name))


def _between(column: Composable, match: Match, name: str, values: dict[str, Any]) -> Composable:
    first, last = match.values
    # dates and times are digits: an open end lets all of them in, and never what has no date
    values[f"{name}first"], values[f"{name}last"] = first or "0", last or "99999999"
    return SQL("{} BETWEEN {} AND {}").format(column, Placeholder(f"{name}first"), Placeholder(f"{name}last"))


def _words(_: Composable, match: Match, name: str, values: dict[str, Any]) -> Composable:
    """Every word stands in the folded name, which is looked at with a space at both ends (as its index is)."""
    folded = Identifier("study", f"{match.attribute.column}_folded")
    text = SQL("(' ' || {} || ' ')").format(folded)
    found = []
    for number, word in enumerate(match.values):
        operator, values[f"{name}word{number}"] = _word(word)
        found.append(SQL("{} {} {}").format(text, SQL(operator), Placeholder(f"{name}word{number}")))
    return SQL(" AND ").join(found)


def _word(word: str) -> tuple[LiteralString, str]:
    """Operator and pattern for one folded word; its only characters besides letters and digits are ``*`` and ``?``."""
    whole = word.strip("*")
    if {"*", "?"} & set(whole):
        return "~", f" {word.translate(_WORD)} "
    return "LIKE", f"%{'' if word.startswith('*') else ' '}{whole}{'' if word.endswith('*') else ' '}%"


def _inside_sequence(match: Match, name: str, values: dict[str, Any]) -> Composable:
    """An attribute inside a sequence of the stored JSON: any item's value may match."""
    attribute = match.attribute
    values[f"{name}path"] = "$" + "".join(f'."{tag:08X}".Value[*]' for tag in attribute.path)
    element = SQL("EXISTS (SELECT FROM jsonb_path_query({}, {}::text::jsonpath) AS found(one) WHERE {})")
    text = SQL("(one #>> '{{}}')")
    return element.format(
        Identifier(_TABLES[attribute.level], "attributes"),
        Placeholder(f"{name}path"),
        _CONDITIONS[match.kind](text, match, name, values),
    )


_CONDITIONS: Mapping[str, Callable[[Composable, Match, str, dict[str, Any]], Composable]] = {
    "exact": _equal,
    "uid list": _equal,
    "wildcard": _like,
    "range": _between,
    "name": _words,
}


def _wanted(query: Query) -> frozenset[str]:
    """Tags of the answer: what the standard requires, what was matched, what was asked for.

    Attributes of a level above are left out where the search named that study or series itself (PS3.18 10.6.3.3).
    """
    named = {match.attribute.keyword for match in query.matches if match.kind == "uid list"}
    levels: list[Level] = [query.level]
    if query.level != "study" and "StudyInstanceUID" not in named:
        levels += ["patient", "study"]
    if query.level == "study":
        levels.append("patient")
    if query.level == "instance" and "SeriesInstanceUID" not in named:
        levels.append("series")
    tags = {one.tag for one in attributes_of(*levels) if one.required or query.include_all or one.level == "instance"}
    return frozenset(tags | {match.attribute.tag for match in query.matches} | {*query.includefield} | _ALWAYS)


_ALWAYS = frozenset(
    {BY_KEYWORD[keyword].tag for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")}
)


def _item(level: Level, row: Mapping[str, Any], wanted: frozenset[str]) -> dict[str, Any]:
    """One DICOM JSON object, tags in ascending order."""
    item = {**row["study_attributes"], **row.get("series_attributes", {}), **_ONLINE}
    levels: tuple[Level, ...] = LEVELS[: LEVELS.index(level) + 1]
    for attribute in attributes_of(*levels):
        if attribute.column in row:
            item[attribute.tag] = _json(attribute, row[attribute.column])
    return {tag: item[tag] for tag in sorted(item) if tag in wanted}


_ONLINE = {BY_KEYWORD["InstanceAvailability"].tag: {"vr": "CS", "Value": ["ONLINE"]}}


def _json(attribute: Attribute, value: Any) -> dict[str, Any]:
    """A column as DICOM JSON (PS3.18 F.2.2); an empty one has no Value, a count of 0 of no picture neither."""
    values = value if isinstance(value, list) else [value]
    there = [
        one for one in values if one or (one == 0 and attribute.vr == "IS" and attribute.keyword != "NumberOfFrames")
    ]
    return {"vr": attribute.vr, "Value": there} if there else {"vr": attribute.vr}
