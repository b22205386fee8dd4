"""What became of the instances of one request, and how it is told (PS3.18 10.5.3 and Annex I).

Law: an instance is told as stored only when it is on disk; what cannot be tied to an instance is told too. JSON is the
only source, and XML the same in another spelling.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from starlette.responses import Response

from pacs.dataset.native_model import native_model
from pacs.errors import ArchiveError, InvalidRequest, OutOfResources, Unavailable, Unidentified, Unreadable
from pacs.model import Identity
from viewer_api.dicomweb.addresses import resource
from viewer_api.media_types import DICOM_JSON

DICOM_XML = "application/dicom+xml"
COERCED = 0xB000  # PS3.18 I.2.1: Coercion of Data Elements
DUPLICATE = 0x0111  # Duplicate SOP Instance, as PS3.7 C.5 numbers it: kept beside the one that was there


class UnknownTransferSyntax(Unreadable):
    """The transfer syntax is none that this archive knows."""


FAILURE_REASON: Mapping[type[ArchiveError], int] = {  # PS3.18 I.2.2
    OutOfResources: 0xA700,
    Unavailable: 0xA700,  # nothing is wrong with the instance: send it again later
    Unidentified: 0xA900,
    Unreadable: 0xC000,
    UnknownTransferSyntax: 0xC122,
    ArchiveError: 0x0110,
}


@dataclass(slots=True)
class Stored:
    """An instance on disk; ``warning`` is its Warning Reason, 0 for none."""

    identity: Identity
    digest: str
    warning: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """An instance, or a part without one ("" for both UIDs), that was not stored."""

    sop_class_uid: str
    sop_instance_uid: str
    error: ArchiveError


@dataclass(slots=True)
class Outcome:
    """Everything that one request came to, in order of arrival."""

    stored: list[Stored] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)

    @property
    def status(self) -> int:
        """200 all, 202 some or with warnings, 409 none (PS3.18 Table 10.5.3-1)."""
        if not self.stored:
            return 409
        return 202 if self.failed or any(one.warning for one in self.stored) else 200


def failure_reason(error: ArchiveError) -> int:
    """Failure Reason (0008,1197) of an error, by the nearest class of the table."""
    return next(FAILURE_REASON[kind] for kind in type(error).__mro__ if kind in FAILURE_REASON)


def check(outcome: Outcome) -> None:
    """Raise what is better said about the whole request: nothing in it, or no room for any of it."""
    if not outcome.stored and not outcome.failed:
        raise InvalidRequest("the body has no instances")
    for one in outcome.failed:
        if isinstance(one.error, OutOfResources | Unavailable) and not outcome.stored:
            raise one.error


def answer(request: Request, outcome: Outcome, media_type: str) -> Response:
    """The Store Instances Response."""
    module = response_module(request, outcome)
    body = native_model(module) if media_type == DICOM_XML else json.dumps(module).encode()
    return Response(body, outcome.status, media_type=DICOM_XML if media_type == DICOM_XML else DICOM_JSON)


def response_module(request: Request, outcome: Outcome) -> dict[str, Any]:
    """The Store Instances Response Module (PS3.18 Table I.2-1) in DICOM JSON."""
    known = [one for one in outcome.failed if one.sop_instance_uid]
    other = [one for one in outcome.failed if not one.sop_instance_uid]
    module: dict[str, Any] = {}
    studies = {one.identity.study_instance_uid for one in outcome.stored}
    if len(studies) == 1:
        module["00081190"] = _attribute("UR", resource(request, studies.pop()))
    if known:
        module["00081198"] = _attribute("SQ", *(_failed(one) for one in known))
    if outcome.stored:
        module["00081199"] = _attribute("SQ", *(_stored(request, one) for one in outcome.stored))
    if other:
        reasons = ({"00081197": _attribute("US", failure_reason(one.error))} for one in other)
        module["0008119A"] = _attribute("SQ", *reasons)
    return {tag: module[tag] for tag in sorted(module)}


def _failed(one: Failed) -> dict[str, Any]:
    """An item of Failed SOP Sequence."""
    return {
        "00081150": _attribute("UI", *filter(None, [one.sop_class_uid])),
        "00081155": _attribute("UI", one.sop_instance_uid),
        "00081197": _attribute("US", failure_reason(one.error)),
    }


def _stored(request: Request, one: Stored) -> dict[str, Any]:
    """An item of Referenced SOP Sequence."""
    identity = one.identity
    address = resource(request, identity.study_instance_uid, identity.series_instance_uid, identity.sop_instance_uid)
    item = {
        "00081150": _attribute("UI", identity.sop_class_uid),
        "00081155": _attribute("UI", identity.sop_instance_uid),
        "00081190": _attribute("UR", address),
    }
    return {**item, "00081196": _attribute("US", one.warning)} if one.warning else item


def _attribute(vr: str, *values: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}
