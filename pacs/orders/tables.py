"""Files of orders: CSV as a spreadsheet writes it, JSON as a script does.

Law: pure. A bad line is an error of that line alone and says its number; only a file that is no table at all raises.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pacs.errors import InvalidRequest
from pacs.orders import Order, read_order

_DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a file (of JSON: the number of the object, from 1): an order, or what is wrong with it."""

    line: int
    order: Order | None
    problem: str = ""


def read_table(data: bytes) -> Iterator[Row]:
    """The orders of a file in UTF-8: a JSON list of objects, or CSV whose first line has the keywords.

    Raises InvalidRequest when it is neither.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidRequest("the file is not UTF-8") from None
    return _rows(_json(text) if text.lstrip()[:1] in {"[", "{"} else _csv(text))


def _rows(found: Iterable[tuple[int, Mapping[str, Any] | None]]) -> Iterator[Row]:
    for line, values in found:
        try:
            yield Row(line, read_order(_texts(values)))
        except InvalidRequest as error:
            yield Row(line, None, error.detail)


def _texts(values: Mapping[str, Any] | None) -> dict[str, str]:
    if values is None:
        raise InvalidRequest("not an object of keywords and texts")
    if not all(
        isinstance(value, str | int | float | None) and not isinstance(value, bool) for value in values.values()
    ):
        raise InvalidRequest("a value is neither a text nor a number")
    return {keyword: "" if value is None else str(value) for keyword, value in values.items()}


def _json(text: str) -> Iterator[tuple[int, Mapping[str, Any] | None]]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InvalidRequest(f"the file is not JSON: {error}") from None
    for number, one in enumerate(found if isinstance(found, list) else [found], 1):
        yield number, one if isinstance(one, dict) else None


def _csv(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    head = text.lstrip().partition("\n")[0]
    delimiter = max(_DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    keywords: list[str] = []
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise InvalidRequest(f"line {reader.line_num} is not CSV: {error}") from None
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue
        if not keywords:
            keywords = [cell.strip() for cell in cells]
            continue
        # cells without a heading are refused as a column of no name
        keywords += ["?"] * (len(cells) - len(keywords))
        yield reader.line_num, dict(zip(keywords, cells, strict=False))
