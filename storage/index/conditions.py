"""The SQL of what a search asks: one condition for each Match.

Law: pure. Values reach SQL as parameters alone; names of columns come from the table in `pacs.levels`. Each condition
is written so that its index can serve it: ``LIKE ANY`` and a fold inside of SQL could not.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any, LiteralString

from psycopg.sql import SQL, Composable, Identifier, Literal, Placeholder
from psycopg.types.json import Jsonb

from pacs.levels import Level
from pacs.query import Match, time_of_pair

Values = dict[str, Any]
_TABLES: Mapping[Level, str] = {"patient": "study", "study": "study", "series": "series", "instance": "instance"}
_LIKE = str.maketrans({"*": "%", "?": "_", "%": r"\%", "_": r"\_", "\\": r"\\"})
_WORD = str.maketrans({"*": "[^ ]*", "?": "[^ ]"})
_ITEM, _VALUE = Identifier("item", "one"), SQL("(value.one #>> '{}')")


def conditions(level: Level, matches: Iterable[Match], values: Values) -> list[Composable]:
    """What must hold for a row at ``level``; the parameters are put into ``values``."""
    found: list[Composable] = []
    for root, group in groupby(sorted(matches, key=_root), key=_root):
        found += _conditions(level, list(group), values, inside_sequence=len(root) > 1)
    return found


def _root(match: Match) -> tuple[int, ...]:
    """Matches with the same root must hold in one item of a sequence (PS3.4 C.2.2.2.6)."""
    return (match.attribute.path[0], 1) if len(match.attribute.path) > 1 else match.attribute.path[:1]


def _conditions(level: Level, matches: list[Match], values: Values, *, inside_sequence: bool) -> Iterator[Composable]:
    attribute = matches[0].attribute
    if attribute.column and not inside_sequence:
        table = "patient" if level == "patient" else _TABLES[attribute.level]
        for match in matches:
            column = f"{attribute.column}_folded" if match.kind == "name" else attribute.column
            yield condition(Identifier(table, column), match, values)
            if attribute.keyword == "Modality" and match.kind == "exact":  # its studies are in an index
                modalities = Identifier("study", "modalities_in_study")
                yield SQL("{} && {}::text[]").format(modalities, parameter(values, list(match.values)))
        return
    attributes = Identifier(_TABLES[attribute.level], "attributes")
    found = in_one_item(attributes, matches, values) if inside_sequence else _all_held(attributes, matches, values)
    if level == "patient":  # what has no column there is known of the patient's studies
        found = SQL("EXISTS (SELECT FROM study WHERE study.patient_pk = patient.patient_pk AND {})").format(found)
    yield found


def _all_held(holder: Composable, matches: list[Match], values: Values) -> Composable:
    return SQL(" AND ").join(held(holder, match, values) for match in matches)


def held(holder: Composable, match: Match, values: Values) -> Composable:
    """A value in DICOM JSON; any of several may match (PS3.4 C.2.2.2.1)."""
    path = parameter(values, f'$."{match.attribute.path[-1]:08X}".Value[*]')
    if match.kind == "empty":
        return SQL("NOT EXISTS (SELECT FROM jsonb_path_query({}, {}::text::jsonpath))").format(holder, path)
    return SQL("EXISTS (SELECT FROM jsonb_path_query({}, {}::text::jsonpath) AS value(one) WHERE {})").format(
        holder, path, condition(_VALUE, match, values)
    )


def in_one_item(attributes: Composable, matches: list[Match], values: Values) -> Composable:
    """Keys inside of a sequence in DICOM JSON: one item has them all."""
    tag = f"{matches[0].attribute.path[0]:08X}"
    item = SQL("EXISTS (SELECT FROM jsonb_path_query({}, {}::text::jsonpath) AS item(one) WHERE {})").format(
        attributes, parameter(values, f'$."{tag}".Value[*]'), _all_held(_ITEM, matches, values)
    )
    # what is searched for as it stands is found by the index first
    sequence = SQL("({} -> {})").format(attributes, Literal(tag))
    contained = [
        SQL(" OR ").join(
            SQL("{} @> {}").format(sequence, parameter(values, Jsonb({"Value": [_item(match, value)]})))
            for value in match.values
        )
        for match in matches
        if match.kind in {"exact", "uid list"}
    ]
    return SQL(" AND ").join([*(SQL("({})").format(one) for one in contained), item])


def _item(match: Match, value: str) -> dict[str, Any]:
    return {f"{match.attribute.path[-1]:08X}": {"Value": [value]}}


def condition(column: Composable, match: Match, values: Values) -> Composable:
    """One match on a column; the parameters are put into ``values``."""
    return _CONDITIONS[match.kind](column, match, values)


def parameter(values: Values, value: Any) -> Placeholder:
    """A place for ``value``, which is put into ``values``."""
    name = f"value{len(values)}"
    values[name] = value
    return Placeholder(name)


def _equal(column: Composable, match: Match, values: Values) -> Composable:
    if match.attribute.matching == "number" and match.attribute.column:
        numbers = parameter(values, [int(value) for value in match.values])
        return SQL("{} = ANY({}::bigint[])").format(column, numbers)
    wanted = parameter(values, list(match.values))
    if match.attribute.keyword == "ModalitiesInStudy":
        return SQL("{} && {}::text[]").format(column, wanted)
    return SQL("{} = ANY({})").format(column, wanted)


def _empty(column: Composable, match: Match, _: Values) -> Composable:
    """Empty Value Matching of a column (PS3.4 C.2.2.2.7)."""
    if match.attribute.keyword == "ModalitiesInStudy":
        return SQL("cardinality({}) = 0").format(column)
    return SQL("{} IS NULL" if match.attribute.matching == "number" else "{} = ''").format(column)


def _like(column: Composable, match: Match, values: Values) -> Composable:
    several = match.attribute.keyword == "ModalitiesInStudy"
    one = SQL("modality.one") if several else column
    alternatives = SQL(" OR ").join(
        SQL("{} LIKE {}").format(one, parameter(values, value.translate(_LIKE))) for value in match.values
    )
    whole = SQL("EXISTS (SELECT FROM unnest({}) AS modality(one) WHERE {})") if several else SQL("({1})")
    return whole.format(column, alternatives)


def _between(column: Composable, match: Match, values: Values) -> Composable:
    first, last = match.values
    # dates and times are digits: an open end lets all of them in, and never what has no date
    return SQL("{} BETWEEN {} AND {}").format(
        column, parameter(values, first or "0"), parameter(values, last or "99999999")
    )


def _moments(column: Composable, match: Match, values: Values) -> Composable:
    """Between two moments; a study of these days that says no time is not hidden."""
    first_day, first, last_day, last = match.values
    time = Identifier(_TABLES[match.attribute.level], time_of_pair(match))
    days = _between(column, replace(match, values=(first_day, last_day)), values)
    begin, end = [
        SQL("({}, {}) {} ({}, {})").format(column, time, SQL(sign), parameter(values, day), parameter(values, hour))
        for sign, day, hour in ((">=", first_day or "0", first), ("<=", last_day or "99999999", last))
    ]
    return SQL("({} AND ({} AND {} OR {} = ''))").format(days, begin, end, time)


def _words(column: Composable, match: Match, values: Values) -> Composable:
    """Every word stands in the folded name, which is looked at with a space at both ends (as its index is)."""
    text = SQL("(' ' || {} || ' ')").format(column)
    found = []
    for word in match.values:
        operator, pattern = _word(word)
        found.append(SQL("{} {} {}").format(text, SQL(operator), parameter(values, pattern)))
    return SQL(" AND ").join(found)


def _word(word: str) -> tuple[LiteralString, str]:
    """Operator and pattern for one folded word; its only characters besides letters and digits are ``*`` and ``?``."""
    whole = word.strip("*")
    if {"*", "?"} & set(whole):
        return "~", f" {word.translate(_WORD)} "
    return "LIKE", f"%{'' if word.startswith('*') else ' '}{whole}{'' if word.endswith('*') else ' '}%"


_CONDITIONS: Mapping[str, Callable[[Composable, Match, Values], Composable]] = {
    "exact": _equal,
    "uid list": _equal,
    "wildcard": _like,
    "range": _between,
    "name": _words,
    "empty": _empty,
    "moments": _moments,
}
