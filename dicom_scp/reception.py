"""One C-STORE on its way into the spool.

Law: fragments go straight on and are never collected here. Once something failed, the rest of the data set is swallowed
and the failure is answered at its end: a response has no other moment (PS3.7 9.3.1). No pynetdicom, no sockets.
"""

import logging

from dicom_scp.command_set import StoreRequest
from dicom_scp.negotiation import is_storage
from dicom_scp.statuses import Status, answer_to
from pacs.errors import ArchiveError, NotAllowed, Unreadable
from pacs.model import Source
from storage.spool import Spool
from storage.spool.incoming import Incoming

LOG = logging.getLogger(__name__)


class Reception:
    """The data set of one C-STORE request; end with `finish` or `discard`."""

    def __init__(
        self,
        spool: Spool,
        hospital: str,
        request: StoreRequest,
        *,
        transfer_syntax_uid: str,
        source: Source,
        is_allowed: bool = True,
    ) -> None:
        self._request = request
        self._incoming: Incoming | None = None
        self._answer = (Status.SUCCESS, "")
        if not is_allowed:
            self._fail(NotAllowed("this AE title may not store"))
            return
        if request.sop_class_uid and not is_storage(request.sop_class_uid):
            self._answer = (Status.SOP_CLASS_NOT_SUPPORTED, "This SOP Class is not stored here.")
            return
        if not request.with_data_set:
            self._fail(Unreadable("the request has no data set"))
            return
        try:
            self._incoming = spool.begin(
                hospital,
                sop_class_uid=request.sop_class_uid,
                sop_instance_uid=request.sop_instance_uid,
                transfer_syntax_uid=transfer_syntax_uid,
                source=source,
            )
        except Exception as error:  # the edge: every failure must become a status
            self._fail(error)

    def write(self, fragment: bytes | memoryview) -> None:
        """Take the next fragment; after a failure it is dropped."""
        if self._incoming is None:
            return
        try:
            self._incoming.write(fragment)
        except Exception as error:  # the edge: every failure must become a status
            self._fail(error)

    def finish(self) -> tuple[Status, str]:
        """Status and Error Comment of the response; success means that the instance is on disk."""
        if self._incoming is not None:
            try:
                self._incoming.finish()
            except Exception as error:  # the edge: every failure must become a status
                self._fail(error)
        self.discard()
        return self._answer

    def discard(self) -> None:
        """Leave nothing behind; harmless after `finish`."""
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            incoming.discard()

    def _fail(self, error: Exception) -> None:
        self._answer = answer_to(error)
        status, comment = self._answer
        uid = self._request.sop_instance_uid
        if isinstance(error, ArchiveError):
            LOG.warning("instance %s answered 0x%04X: %s", uid, status, comment)
        else:
            LOG.error("instance %s answered 0x%04X", uid, status, exc_info=error)
        self.discard()
