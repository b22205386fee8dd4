"""What the OpenAPI document says beyond what the endpoints' signatures do: answers, query parameters, who may ask.

Law: pure, tables by group (tag). An endpoint reads the standard's parameters from the request itself, and refuses by
the one table of `problems`; so both are told here once, and schemathesis holds the running archive to it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Document = dict[str, Any]

REFUSALS: Mapping[int, str] = {
    400: "The request does not make sense",
    401: "Nobody is signed in",
    403: "Not allowed for this session or token",
    404: "There is no such thing in this archive",
    406: "None of the acceptable media types can be given",
    409: "Nothing was stored",
    413: "Too much was asked for",
    415: "The body has a media type that is not taken",
    416: "The range lies outside of the representation",
    503: "A part of the archive does not answer at the moment; Retry-After says when to come again",
}
READING = (400, 401, 404, 406, 503)
GIVEN: Mapping[int, str] = {206: "A part, as Range asked for", 304: "Unchanged since If-None-Match"}

PICTURES = ("image/jpeg", "image/png", "image/webp")
JSON_AND_XML = ("application/dicom+json", 'multipart/related; type="application/dicom+xml"')

# group → other answers than 200, refusals, media types of 200 (none: as the endpoint itself says)
ANSWERS: Mapping[str, tuple[Sequence[int], Sequence[int], Sequence[str]]] = {
    "QIDO-RS": ((), (*READING, 413), JSON_AND_XML),
    "WADO-RS": ((206, 304), (*READING, 413, 416), ()),
    "WADO-URI": ((206, 304), (*READING, 416), ("application/dicom", *PICTURES)),
    "IIIF": ((206, 303, 304), (*READING, 416), ()),
    "Operation": ((), (401, 503), ()),
}

STRING, NUMBER = {"type": "string"}, {"type": "integer", "minimum": 0}
QUERY: Mapping[str, Sequence[tuple[str, Mapping[str, Any], str]]] = {
    "QIDO-RS": (
        (
            "PatientName",
            STRING,
            "Matching keys by keyword or tag (PS3.18 10.6.1.2); this one and those below are usual",
        ),
        ("PatientID", STRING, "Single value, list or wildcard"),
        ("StudyDate", STRING, "20261123, or a range 20261101-20261130"),
        ("ModalitiesInStudy", STRING, "CT"),
        ("AccessionNumber", STRING, "Single value, list or wildcard"),
        ("StudyInstanceUID", STRING, "One or several, separated by comma or backslash"),
        ("includefield", STRING, "Keywords or tags, or all"),
        ("fuzzymatching", {"type": "string", "enum": ["true", "false"]}, "Names without accents, in any order"),
        ("limit", NUMBER, "At most so many results"),
        ("offset", NUMBER, "Results to pass over"),
    ),
    "WADO-URI": (
        ("requestType", {"type": "string", "enum": ["WADO"]}, "WADO"),
        ("studyUID", STRING, "Study Instance UID"),
        ("seriesUID", STRING, "Series Instance UID"),
        ("objectUID", STRING, "SOP Instance UID"),
        ("contentType", STRING, "application/dicom or a picture"),
        ("frameNumber", NUMBER, "From 1"),
    ),
}
LOOKS: Sequence[tuple[str, Mapping[str, Any], str]] = (  # of /rendered and /thumbnail, PS3.18 8.3.5.1
    ("window", STRING, "center,width,function"),
    ("viewport", STRING, "width,height"),
    ("quality", NUMBER, "1 to 100"),
)
OPEN = frozenset({"/healthz", "/readyz"})  # say nothing about patients

PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {"type": STRING, "title": STRING, "status": {"type": "integer"}},
}


def described(document: Document) -> Document:
    """The document with everything that the tables know; changes the document it was given, and returns it."""
    components = document.setdefault("components", {})
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": "pacs_session"},
    }
    components["schemas"] = {"Problem": PROBLEM}
    for path, operation in operations(document):
        describe(path, operation)
    return document


def operations(document: Document) -> Iterator[tuple[str, Document]]:
    """Each operation with its path."""
    for path, methods in document["paths"].items():
        for operation in methods.values():
            yield path, operation


def describe(path: str, operation: Document) -> None:
    """Complete one operation."""
    group = operation.get("tags", [""])[0]
    answers = operation["responses"]
    answers.pop("422", None)  # the framework's own; ours is 400
    given, refusals, media_types = ANSWERS.get(group, ((), (), ()))
    if media_types:
        answers["200"]["content"] = {media_type: {} for media_type in media_types}
    elif group in ANSWERS:
        answers["200"].pop("content", None)
    for status in given:
        answers[str(status)] = {"description": GIVEN.get(status, "Look there")}
    for status in refusals if path not in OPEN else (503,):
        answers.setdefault(str(status), {"description": REFUSALS[status]})
    for status, answer in answers.items():
        if int(status) >= 400 and not answer.get("content"):
            answer["content"] = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    known = LOOKS if path.endswith(("/rendered", "/thumbnail")) else QUERY.get(group, ())
    operation.setdefault("parameters", []).extend(
        {"name": name, "in": "query", "required": False, "schema": dict(schema), "description": text}
        for name, schema, text in known
    )
    if path not in OPEN:
        operation["security"] = [{"bearer": []}, {"session": []}]
