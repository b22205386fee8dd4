"""Pages from templates: one environment, one frame for all of them.

Law: everything is escaped by the templates; a value never becomes markup. Pages show patients, so no cache keeps them
(`security` sets it).
"""

from functools import cache, partial
from pathlib import Path
from typing import Any

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from viewer_api.words import language_of, remember_language, word

HERE = Path(__file__).parent
ICONS = HERE / "web" / "node_modules" / "lucide-static" / "icons"


@cache
def environment() -> Environment:
    """The templates of this room; a misspelt name is an error, not an empty place on a page."""
    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def icon(name: str) -> Markup:
    """An icon as inline SVG that screen readers skip; nothing when the packages are not installed."""
    try:
        drawing = (ICONS / f"{name}.svg").read_text("utf-8")
    except FileNotFoundError:
        return Markup("")
    svg = drawing[drawing.index("<svg") :].replace("<svg", '<svg aria-hidden="true" focusable="false"', 1)
    return Markup(svg)  # noqa: S704  # a file of the package, named in our own templates


def page(request: Request, template: str, *, status: int = 200, **context: Any) -> Response:
    """A page in the language of the request."""
    language = language_of(request)
    html = (
        environment()
        .get_template(template)
        .render(
            language=language,
            t=partial(word, language),
            icon=icon,
            switch=lambda wish: request.url.include_query_params(lang=wish).remove_query_params("link"),
            **context,
        )
    )
    return remember_language(request, HTMLResponse(html, status))


def sorry(request: Request, status: int) -> Response:
    """An error in plain words for a person."""
    known = status if status in {400, 403, 404, 406, 413, 503} else 500
    return page(request, "sorry.html", status=status, title=f"error_{known}")
