"""The one error tree, in the archive's words.

Law: the docstring of a class *is* the message a person reads; ``detail`` may add UIDs and numbers, never a
patient's attributes. A new class is added only when some edge must answer differently. Every edge (DIMSE status,
HTTP problem) translates this tree with one table, and a test walks the subclasses to see that the table is total.
"""


class ArchiveError(Exception):
    """The archive could not do this."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail

    def __str__(self) -> str:
        sentence = (type(self).__doc__ or "").strip().splitlines()[0]
        return f"{sentence} ({self.detail})" if self.detail else sentence


class Unreadable(ArchiveError):
    """The data set cannot be read as DICOM."""


class Unidentified(ArchiveError):
    """SOP Class, SOP Instance, Series or Study Instance UID is missing or contradicts the request."""


class OutOfResources(ArchiveError):
    """There is no room for another instance."""


class NotFound(ArchiveError):
    """There is no such thing in this archive."""


class InvalidRequest(ArchiveError):
    """The request does not make sense."""


class TooBroad(ArchiveError):
    """The search would have to look at too much; please narrow it, by a date, a patient or a study."""


class NotAcceptable(ArchiveError):
    """None of the acceptable media types can be given for this."""


class NotRenderable(ArchiveError):
    """This instance has no picture that can be shown."""


class NotSignedIn(ArchiveError):
    """Please sign in first."""


class NotAllowed(ArchiveError):
    """This is not allowed for you."""


class Unavailable(ArchiveError):
    """A part of the archive does not answer at the moment."""


class Damaged(ArchiveError):
    """Stored bytes are not what was received; the instance is withheld."""


class Misconfigured(ArchiveError):
    """The archive cannot start with these settings."""
