"""What a search asks, as values: DICOMweb and DIMSE ask the same archive the same way.

Law: pure. A search that the archive would have to narrow or widen silently is refused with a sentence that says why: a
doctor who sees too few studies believes that there are no more, one who sees too many may open the wrong patient's.
"""

from pacs.query.matching import Kind, Match, match_of
from pacs.query.moments import combined, time_of_pair
from pacs.query.parameters import DEFAULT_LIMIT, MAX_LIMIT, Cursor, Query, parse_query

__all__ = [
    "DEFAULT_LIMIT",
    "MAX_LIMIT",
    "Cursor",
    "Kind",
    "Match",
    "Query",
    "combined",
    "match_of",
    "parse_query",
    "time_of_pair",
]
