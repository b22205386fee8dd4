"""What a request accepts: the ``accept`` query parameter where there is one, else the Accept header (PS3.18 8.3.3.1).

Law: the parameter replaces the header, because a link in a page cannot change what its browser sends.
"""

import re
from collections.abc import Iterable

from fastapi import Request

from pacs.errors import NotAcceptable
from viewer_api.media_types import DICOM_JSON, MULTIPART, MediaRange, acceptable

JSON = "application/json"
DICOM_XML = "application/dicom+xml"
XML_PARTS = f'{MULTIPART}; type="{DICOM_XML}"'


def accepted(request: Request) -> tuple[MediaRange, ...]:
    """The acceptable media ranges, best first."""
    # an unescaped plus in a query is a space, and no media type has spaces
    asked = [re.sub(r"(?<=\w) (?=json|xml)", "+", text) for text in request.query_params.getlist("accept") if text]
    return acceptable(asked or request.headers.getlist("accept"))


def form_of(ranges: Iterable[MediaRange]) -> str:
    """The best of the two JSON media types and XML parts (PS3.18 Table 8.7.4-1); raises NotAcceptable."""
    for wanted in ranges:
        if wanted.multipart and wanted.root_type in {DICOM_XML, "*/*"}:
            return XML_PARTS
        for offer in (DICOM_JSON, JSON):
            if wanted.covers(offer):
                return offer
    raise NotAcceptable(f"available: {DICOM_JSON}, {JSON}, {XML_PARTS}")
