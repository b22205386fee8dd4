"""Which presentation contexts are proposed for instances, and in which transfer syntax each one is then sent.

Law: pure. One context for each SOP class and transfer syntax, so that the acceptor tells of each whether it takes it.
What the peer's registration prefers comes first, then the syntax in which the instance was received, because its data
set then leaves byte for byte as it came, then the stored one, then the uncompressed ones that everybody must take
(PS3.5 10.1). An instance without its own loss is never sent in a lossy one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dicom_scp.negotiation import UNCOMPRESSED
from pacs.transcode.convert import CONVERTIBLE
from pacs.transcode.encoders import ENCODERS

MOST_CONTEXTS = 128  # odd presentation context IDs from 1 to 255 (PS3.8 9.3.2.2)
EXACT = CONVERTIBLE - {uid for uid, encoder in ENCODERS.items() if encoder.method}
"""Transfer syntaxes that an instance can be put into without loss."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One presentation context."""

    sop_class_uid: str
    transfer_syntax_uid: str


def wanted(own: Sequence[str], preferred: Sequence[str]) -> tuple[str, ...]:
    """Transfer syntaxes for an instance that exists in ``own``, best first, for a peer that prefers ``preferred``.

    A preference with an uncompressed one in it is complete, for peers that fail over presentation contexts that they do
    not know.
    """
    possible = [uid for uid in preferred if uid in EXACT or uid in own]
    if any(uid in UNCOMPRESSED for uid in possible):
        return tuple(dict.fromkeys(possible))
    return tuple(dict.fromkeys([*possible, *own, *UNCOMPRESSED]))


def choices(own: Sequence[str], preferred: Sequence[str], accepted: Iterable[str]) -> list[str]:
    """Those of ``accepted`` in which such an instance can be sent, best first; other exact ones come last."""
    accepted = list(accepted)
    best = [uid for uid in wanted(own, preferred) if uid in accepted]
    return best + [uid for uid in accepted if uid in EXACT and uid not in best]


def proposals(needs: Mapping[str, Iterable[str]]) -> list[tuple[Proposal, ...]]:
    """Presentation contexts, one tuple for each association; ``needs``: transfer syntaxes by SOP class.

    All contexts of a SOP class are in one association.
    """
    associations: list[list[Proposal]] = []
    for sop_class_uid, syntaxes in needs.items():
        contexts = [Proposal(sop_class_uid, uid) for uid in dict.fromkeys(syntaxes)][:MOST_CONTEXTS]
        if not associations or len(associations[-1]) + len(contexts) > MOST_CONTEXTS:
            associations.append([])
        associations[-1] += contexts
    return [tuple(contexts) for contexts in associations]
