"""Searching instances by more than the index knows: rows from the index, the rest from the metadata in the packs.

Law: what an answer holds beyond the index is read for the rows of one page only, each pack once, and such a page is
short. Large values stay where they are.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from pacs.levels import BY_PATH
from pacs.query import Query
from storage.archive.stores import Stores
from storage.index.places import metadata_places_of
from storage.index.search import SearchResult, find_pages
from storage.index.search import search as search_index
from storage.packs import read_metadata

MOST_WITH_METADATA = 100  # instances of one page: each may lie in another pack
_SOP_INSTANCE_UID = "00080018"
Item = dict[str, Any]


def search(stores: Stores, hospital: str, query: Query) -> SearchResult:
    """One page; raises TooBroad."""
    if not _beyond_the_index(query):
        return search_index(stores.index, hospital, query)
    result = search_index(stores.index, hospital, replace(query, limit=min(query.limit, MOST_WITH_METADATA)))
    return replace(result, items=_completed(stores, hospital, query, result.items))


def find(stores: Stores, hospital: str, query: Query) -> Iterator[Item]:
    """All that match, page by page; raises TooBroad."""
    for page in find_pages(stores.index, hospital, query):
        yield from _completed(stores, hospital, query, page) if _beyond_the_index(query) else page


def _beyond_the_index(query: Query) -> bool:
    """Whether attributes are wanted that only the packs have; those of a higher level stand in the index."""
    unknown = [tag for tag in query.includefield if (int(tag, 16),) not in BY_PATH]
    return query.level == "instance" and (query.include_all or bool(unknown))


def _completed(stores: Stores, hospital: str, query: Query, items: Sequence[Item]) -> list[Item]:
    """The same items with what their instances say besides; what the index says stands."""
    places = metadata_places_of(stores.index, hospital, [_uid(item) for item in items])
    by_pack = defaultdict(list)
    for uid, place in places.items():
        by_pack[place.pack_key].append((uid, place))
    found: dict[str, Item] = {}
    for pack_key, within in by_pack.items():
        lines = read_metadata(partial(stores.read, hospital, pack_key), within[0][1].metadata)
        for uid, place in within:
            found[uid] = _chosen(query, json.loads(lines[place.place_in_pack]))
    whole = [{**found.get(_uid(item), {}), **item} for item in items]
    return [{tag: item[tag] for tag in sorted(item)} for item in whole]


def _uid(item: Mapping[str, Any]) -> str:
    return str(item[_SOP_INSTANCE_UID]["Value"][0])


def _chosen(query: Query, metadata: Item) -> Item:
    small = {tag: value for tag, value in metadata.items() if "BulkDataURI" not in value}
    if query.include_all:
        return small
    creators = [f"{tag[:4]}00{tag[4:6]}" for tag in query.includefield if int(tag[3], 16) % 2]  # PS3.18 10.6.3.3.3
    return {tag: small[tag] for tag in {*query.includefield, *creators} if tag in small}
