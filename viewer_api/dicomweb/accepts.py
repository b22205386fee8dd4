"""What a request accepts: the ``accept`` query parameter where there is one, else the Accept header (PS3.18 8.3.3.1).

Law: the parameter replaces the header, because a link in a page cannot change what its browser sends.
"""

import re

from fastapi import Request

from viewer_api.media_types import MediaRange, acceptable


def accepted(request: Request) -> tuple[MediaRange, ...]:
    """The acceptable media ranges, best first."""
    # an unescaped plus in a query is a space, and no media type has spaces
    asked = [re.sub(r"(?<=\w) (?=json|xml)", "+", text) for text in request.query_params.getlist("accept") if text]
    return acceptable(asked or request.headers.getlist("accept"))
