"""Modality Worklist - FIND: the scheduled procedure steps of a hospital (PS3.4 K.6.1).

Law: an answer holds the keys asked for, those of type 1 and 2 always with what the order says. Who cannot be known to
read UTF-8 gets names without accents: a scanner that shows UTF-8 as Latin letters shows a name nobody recognizes, and
writes it into the images.
"""

from collections.abc import Iterator
from functools import partial

from pynetdicom.dimse_primitives import C_FIND

from dicom_scp.finding import Matches, answer_with
from dicom_scp.identifiers import Asked, character_sets, keys_of
from dicom_scp.services import Caller, Service
from pacs.dataset import DataSet
from pacs.modalities import FOLDED, Right
from pacs.orders import EMPTY_SEQUENCES, KEYS, STEP
from pacs.orders.values import tag_of
from pacs.query import Match, combined, match_of
from storage.archive import Archive
from storage.index.orders import find_steps

MODALITY_WORKLIST = "1.2.840.10008.5.1.4.31"
_STEP = int(tag_of(STEP), 16)
_ALWAYS_EMPTY = frozenset((int(tag_of(keyword), 16),) for keyword in EMPTY_SEQUENCES)  # answered, but never matched


def worklist_service(archive: Archive) -> Service:
    """Modality Worklist on the orders beside ``archive``."""

    def find(asked: Asked, _: str, caller: Caller) -> Matches:
        matches, supported = understand(asked.data_set)
        return Matches(
            found=find_steps(archive.index, caller.hospital, matches, station=caller.calling),
            added={},
            warning=not supported,
            character_sets=character_sets(asked.character_set, caller.character_set, otherwise=FOLDED),
        )

    return Service(
        right=Right.WORKLIST,
        abstract_syntaxes=(MODALITY_WORKLIST,),
        handlers={},
        exchanges={C_FIND: partial(answer_with, find)},
    )


def understand(asked: DataSet) -> tuple[tuple[Match, ...], bool]:
    """Conditions of an Identifier, and whether all of its keys are known; raises InvalidRequest.

    A range of dates and one of times beside it are one period (PS3.4 Table K.6-1, Start Date).
    """
    matches, ranges, supported = [], set(), True
    for path, value in _keys(asked):
        key = KEYS.get(path)
        if key is None or (value.strip("*") and not key.matching):
            supported = supported and path in _ALWAYS_EMPTY
            continue
        if value.strip("*") and (match := match_of(key, value)):
            matches.append(match)
            ranges |= {key.keyword} if "-" in value else set()
    return combined(matches, ranges=ranges), supported


def _keys(asked: DataSet) -> Iterator[tuple[tuple[int, ...], str]]:
    """Path and value of each key; those of a code are not looked into."""
    for tag in keys_of(asked):
        if tag == _STEP:
            for item in asked.items(tag)[:1]:
                yield from (((tag, inner), "\\".join(item.texts(inner))) for inner in keys_of(item))
        else:
            yield (tag,), "\\".join(asked.texts(tag))
