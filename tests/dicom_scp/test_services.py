from types import SimpleNamespace
from typing import Any

import pytest
from pynetdicom import evt
from pynetdicom.dimse_primitives import C_FIND, C_GET

from dicom_scp.negotiation import Roles, granted
from dicom_scp.services import Caller, Service, Services
from pacs.modalities import Right

ONE = Service(Right.QUERY, ("1.1", "1.2"), {evt.EVT_N_CREATE: lambda *_: "one"}, extended=b"\1\0\1")
TWO = Service(Right.WORKLIST, ("2.1",), {evt.EVT_N_CREATE: lambda *_: "two"}, exchanges={C_FIND: print})


def event(abstract_syntax: str) -> Any:
    return SimpleNamespace(event=evt.EVT_N_CREATE, context=SimpleNamespace(abstract_syntax=abstract_syntax))


def test_requests_of_one_kind_go_to_the_service_of_their_context() -> None:
    """Query and worklist are both C-FIND; the presentation context says which is meant."""
    services = Services([ONE, TWO])
    handlers = dict(services.handlers(Caller("default", "CT1", "PACS", "127.0.0.1")))
    handle = handlers[evt.EVT_N_CREATE]
    assert [handle(event(uid)) for uid in ("1.1", "1.2", "2.1")] == ["one", "one", "two"]
    with pytest.raises(NotImplementedError):
        handle(event("3.1"))
    assert services.exchange("2.1", C_FIND) is print
    assert services.exchange("2.1", C_GET) is services.exchange("1.1", C_FIND) is None


def test_extended_negotiation_agrees_on_what_both_know() -> None:
    """Byte by byte, no longer than what was asked, and nothing for a class that has no flags."""
    services = Services([ONE, TWO])
    asked = {"1.1": b"\1\1\1\1", "1.2": b"\0", "2.1": b"\1", "3.1": b"\1"}
    assert services.agreed(asked) == {"1.1": b"\1\0\1\0", "1.2": b"\0"}


@pytest.mark.parametrize(
    ("proposed", "may_be_scp", "roles"),
    [
        (Roles(scu=True, scp=True), True, (True, True)),
        (Roles(scu=False, scp=True), True, (False, True)),
        (Roles(scu=True, scp=True), False, (True, False)),
        (Roles(scu=True, scp=False), True, (True, False)),
    ],
)
def test_roles_are_granted_as_proposed_where_we_can_have_the_other(
    proposed: Roles, roles: tuple[bool, bool], *, may_be_scp: bool
) -> None:
    """PS3.7 D.3.3.4: never more than what was proposed."""
    assert granted(proposed, may_be_scp=may_be_scp) == roles
