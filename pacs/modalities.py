"""The modalities, workstations and archives we know: what each may do, and who an AE title at an address is.

Law: pure; a decision is a function of a `Roster`, the registry at one moment. Who is not in it may nothing. An AE title
and an address are what a peer claims, not a proof; proof is mutual TLS.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address, ip_network

from pacs.errors import InvalidRequest, NotAllowed, NotFound
from pacs.transfer_syntaxes import TRANSFER_SYNTAXES

AS_ASKED = ""  # whatever the modality itself uses when it asks
UTF_8 = "ISO_IR 192"
FOLDED = "FOLDED"  # ours: UTF-8's letters without accents, for a modality that knows ASCII only

# Specific Character Sets without code extensions (PS3.3 C.12.1.1.2, Tables C.12-2 and C.12-5)
CHARACTER_SETS = (
    AS_ASKED,
    UTF_8,
    FOLDED,
    *(f"ISO_IR {number}" for number in (13, 100, 101, 109, 110, 126, 127, 138, 144, 148, 166, 203)),
    "GB18030",
    "GBK",
)


class Right(StrEnum):
    """What a modality may do; C-ECHO is everybody's who is known."""

    STORE = "store"
    QUERY = "query"
    RETRIEVE = "retrieve"
    COMMIT = "commit"  # Storage Commitment (PS3.4 J)
    WORKLIST = "worklist"  # Modality Worklist (PS3.4 K)
    MPPS = "mpps"  # Modality Performed Procedure Step (PS3.4 F)
    DESTINATION = "destination"  # instances may be sent to it: C-MOVE, forwarding


ALL_RIGHTS = frozenset(Right)
MODALITY_RIGHTS = frozenset({Right.STORE, Right.COMMIT, Right.WORKLIST, Right.MPPS})  # what makes images needs these


@dataclass(frozen=True, slots=True, kw_only=True)
class Modality:
    """An AE title at a host ("10.1.2.3") or in a network ("10.1.2.0/24") that a hospital knows.

    ``port`` 0: we never call it. ``tls``: we speak with it over TLS only, whoever calls. ``transfer_syntaxes``: UIDs it
    wants, best first; none: as stored. ``character_set``: one of `CHARACTER_SETS`, for our answers to it.
    """

    hospital: str
    ae_title: str
    address: str
    port: int = 0
    tls: bool = False
    rights: frozenset[Right] = MODALITY_RIGHTS
    transfer_syntaxes: tuple[str, ...] = ()
    character_set: str = AS_ASKED
    note: str = ""

    def prefix_length(self, address: str) -> int:
        """How closely ``address`` is named, in bits; -1 when it is not."""
        network, found = ip_network(self.address, strict=False), ip_address(address)
        return network.prefixlen if found.version == network.version and found in network else -1


@dataclass(frozen=True, slots=True)
class Admitted:
    """What an association may do, and how its peer wants to be answered; ``tls``: only when it came over TLS."""

    hospital: str
    rights: frozenset[Right] = ALL_RIGHTS
    transfer_syntaxes: tuple[str, ...] = ()
    character_set: str = AS_ASKED
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an AE title listens; ``calling`` is the hospital's own AE title, by which it knows us."""

    calling: str
    modality: Modality


@dataclass(frozen=True, slots=True)
class Roster:
    """The registry at one moment."""

    hospitals: Mapping[str, str]  # called AE title → hospital
    modalities: tuple[Modality, ...] = ()
    _by_title: dict[tuple[str, str], list[Modality]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_title: dict[tuple[str, str], list[Modality]] = {}
        for modality in self.modalities:
            by_title.setdefault((modality.hospital, modality.ae_title), []).append(modality)
        object.__setattr__(self, "_by_title", by_title)

    def admit(self, calling: str, called: str, address: str, *, trust_local: bool = False) -> Admitted:
        """What ``calling`` at ``address`` may do in the hospital of ``called``; the closest address decides.

        With ``trust_local`` whoever calls from this machine without being registered may everything. Raises NotFound
        for an unknown called AE title, NotAllowed for an unknown calling AE title or address.
        """
        hospital = self.hospitals.get(called)
        if hospital is None:
            raise NotFound(f"called AE title {called}")
        closeness = {one.prefix_length(address): one for one in self._by_title.get((hospital, calling), ())}
        closest = max(closeness, default=-1)
        if closest >= 0:
            known = closeness[closest]
            return Admitted(hospital, known.rights, known.transfer_syntaxes, known.character_set, known.tls)
        if trust_local and ip_address(address).is_loopback:
            return Admitted(hospital)
        raise NotAllowed(f"{calling} at {address} is not registered")

    def reach(self, hospital: str, ae_title: str) -> Destination:
        """Where ``ae_title`` of ``hospital`` listens; raises NotFound when it is unknown or has no port."""
        calling = next((title for title, name in self.hospitals.items() if name == hospital), None)
        listening = (one for one in self._by_title.get((hospital, ae_title), ()) if one.port)
        modality = next(listening, None)
        if calling is None or modality is None:
            raise NotFound(f"no port of AE title {ae_title} is registered")
        return Destination(calling, modality)

    def destination(self, hospital: str, ae_title: str) -> Destination:
        """As `reach`, for one that instances may be sent to; raises NotAllowed when they may not."""
        found = self.reach(hospital, ae_title)
        if Right.DESTINATION not in found.modality.rights:
            raise NotAllowed(f"nothing may be sent to {ae_title}")
        return found


def checked(modality: Modality) -> Modality:
    """The same modality, plainly written; raises InvalidRequest naming what makes no sense."""
    title = modality.ae_title.strip()
    if not 1 <= len(title) <= 16 or not title.isascii() or not title.isprintable() or "\\" in title:
        raise InvalidRequest("an AE title has 1 to 16 ASCII characters, no backslash (PS3.5 6.2)")
    try:
        network = ip_network(modality.address.strip(), strict=False)
    except ValueError:
        raise InvalidRequest("the address is an IP address or a network such as 10.1.2.0/24") from None
    is_host = network.num_addresses == 1
    if not 0 <= modality.port < 65536:
        raise InvalidRequest("a port is between 1 and 65535")
    if modality.port and not is_host:
        raise InvalidRequest("a port needs one host's address: nobody can call a network")
    if Right.DESTINATION in modality.rights and not modality.port:
        raise InvalidRequest("a destination needs a port")
    if modality.character_set not in CHARACTER_SETS:
        raise InvalidRequest(f"the character set is one of {', '.join(filter(None, CHARACTER_SETS))}")
    if unknown := [uid for uid in modality.transfer_syntaxes if uid not in TRANSFER_SYNTAXES]:
        raise InvalidRequest(f"no transfer syntax: {', '.join(unknown)}")
    values = {name: getattr(modality, name) for name in modality.__slots__}
    address = str(network.network_address) if is_host else str(network)
    return Modality(**{**values, "ae_title": title, "address": address})
