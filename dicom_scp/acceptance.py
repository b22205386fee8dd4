"""How an association begins: admission, presentation contexts, roles, and what services negotiate beyond.

Law: decides nothing; the host says who comes in, `dicom_scp.negotiation` which contexts. Knows pynetdicom's inside, as
`association` and `transport` do; tests/dicom_scp/test_pynetdicom.py fails loudly when that changes under us.
"""

from collections.abc import Mapping
from typing import Protocol, cast

from pynetdicom.acse import ACSE
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ASSOCIATE, SCP_SCU_RoleSelectionNegotiation, SOPClassExtendedNegotiation
from pynetdicom.presentation import PresentationContext

from dicom_scp.admission import Rejection
from dicom_scp.command_set import StoreRequest
from dicom_scp.negotiation import DEFAULT_ROLES, Answer, Result, Roles, granted, is_storage, negotiate
from dicom_scp.reception import Reception
from dicom_scp.services import Caller, Service, Services


class Host(Protocol):
    """What an association asks of the archive."""

    services: Services

    def decide(self, calling: str, called: str, address: str) -> Rejection | None:
        """Whether the association is rejected, and how."""
        ...

    def may(self, service: Service) -> bool:
        """Whether it may use ``service``, after `decide` let it in."""
        ...

    def caller(self, extended: Mapping[str, bytes]) -> Caller:
        """Who asks, after `decide` let it in."""
        ...

    def leave(self) -> None:
        """The association has ended."""
        ...

    def receive(self, request: StoreRequest, transfer_syntax_uid: str) -> Reception:
        """A place for the data set of ``request``."""
        ...


class Negotiation(ACSE):
    """Admission, presentation contexts, roles and what services negotiate beyond (PS3.7 D.3.3)."""

    def __init__(self, association: Association, host: Host) -> None:
        super().__init__(association)
        self._association, self._host = association, host
        self.caller = Caller("", "", "", "")

    def negotiate_association(self) -> None:
        """Answer the A-ASSOCIATE-RQ."""
        association, request = self._association, cast("A_ASSOCIATE", self.requestor.primitive)
        calling, called = str(request.calling_ae_title).strip(), str(request.called_ae_title).strip()
        rejection = self._host.decide(calling, called, self.requestor.address)
        if rejection is not None:
            self.send_reject(*rejection)
            association.kill()
            return
        self.requestor.ae_title = calling
        roles = self._negotiate_roles()
        answers = [self._answered(proposed, roles) for proposed in request.presentation_context_definition_list]
        accepted = {cast("int", answer.context_id): answer for answer in answers if answer.result == Result.ACCEPTANCE}
        association._accepted_cx = accepted  # noqa: SLF001  # where pynetdicom keeps them
        association._rejected_cx = [answer for answer in answers if answer.result]  # noqa: SLF001  # likewise
        self.caller = self._host.caller(self._negotiate_extended())
        for event, handler in self._host.services.handlers(self.caller):
            association.bind(event, handler)
        self.send_accept()
        association.is_established = True

    def _answered(self, proposed: PresentationContext, roles: Mapping[str, Roles]) -> PresentationContext:
        uid = str(proposed.abstract_syntax)
        service = self._host.services.of(uid)
        if service is not None and not self._host.may(service):
            answer = Answer(Result.USER_REJECTION, str(proposed.transfer_syntax[0]))
        else:
            syntaxes = tuple(map(str, proposed.transfer_syntax))
            role = roles.get(uid, DEFAULT_ROLES)
            answer = negotiate(uid, syntaxes, is_served=service is not None, is_sent=role.scp and not role.scu)
        context = PresentationContext()
        context.context_id = proposed.context_id
        context.abstract_syntax = proposed.abstract_syntax
        context.transfer_syntax = [answer.transfer_syntax_uid]
        context.result = int(answer.result)
        requestor = roles.get(uid, DEFAULT_ROLES)
        context._as_scu, context._as_scp = requestor.scp, requestor.scu  # noqa: SLF001  # where pynetdicom keeps them
        return context

    def _negotiate_roles(self) -> dict[str, Roles]:
        """Answer the proposed roles; those of each SOP class that had a proposal."""
        roles = {}
        for uid, item in self.requestor.role_selection.items():
            service = self._host.services.of(str(uid))
            may_be_scp = service.as_scu if service else is_storage(str(uid))
            answer = SCP_SCU_RoleSelectionNegotiation()
            roles[str(uid)] = granted(Roles(bool(item.scu_role), bool(item.scp_role)), may_be_scp=may_be_scp)
            answer.sop_class_uid = uid
            answer.scu_role, answer.scp_role = roles[str(uid)]
            self.acceptor.add_negotiation_item(answer)
        return roles

    def _negotiate_extended(self) -> dict[str, bytes]:
        """Answer the proposed Service-class-application-information; what was agreed."""
        proposed = {str(uid): asked for uid, asked in self.requestor.sop_class_extended.items()}
        agreed = self._host.services.agreed(proposed)
        for uid, flags in agreed.items():
            answer = SOPClassExtendedNegotiation()
            answer.sop_class_uid, answer.service_class_application_information = uid, flags
            self.acceptor.add_negotiation_item(answer)
        return agreed
