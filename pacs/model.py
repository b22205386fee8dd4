"""The values that rooms hand to each other.

Law: frozen, plain, without behaviour beyond what their own fields decide. Nothing here knows how it is stored or sent.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Identity:
    """The four UIDs without which an instance cannot be filed (PS3.3 C.12.1, C.7.3.1, C.7.2.1)."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where an instance came from, as File Meta keeps it (PS3.10 7.1)."""

    source_application_entity_title: str = ""  # (0002,0016)
    sending_application_entity_title: str = ""  # (0002,0017)
    receiving_application_entity_title: str = ""  # (0002,0018)
    source_presentation_address: str = ""  # (0002,0026)


@dataclass(frozen=True, slots=True)
class ImageDescription:
    """The Image Pixel module of one instance, as far as decoding needs it (PS3.3 C.7.6.3)."""

    rows: int
    columns: int
    samples_per_pixel: int
    photometric_interpretation: str
    bits_allocated: int
    bits_stored: int
    high_bit: int
    pixel_representation: int
    planar_configuration: int
    number_of_frames: int
    floating: bool = False  # Float or Double Float Pixel Data (PS3.3 C.7.6.24, C.7.6.25)


@dataclass(frozen=True, slots=True)
class Compressed:
    """What the proof of one instance came to.

    ``part10`` is the stored instance (Part 10 file). When ``envelope`` is not None, the received data set is
    ``envelope[:before] + pixel bytes + envelope[before:]``; when it is None, `pacs.transcode.restore` needs nothing
    else.
    """

    part10: bytes
    transfer_syntax_uid: str
    envelope: bytes | None
    before: int
    verdict: str  # "htj2k" or "as received"
    reason: str  # why an image was kept as received; "" when compressed


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """What a pack says of one member beyond DICOM: one object of ``pack.json``.

    Together with the DICOM JSON beside it, this is all the index is made from.
    """

    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    digest: str  # SHA-256 of the data set as received, hex
    received_at: int  # nanoseconds since the epoch, UTC
    received_size: int  # bytes of the data set as received
    received_transfer_syntax_uid: str
    transfer_syntax_uid: str  # as stored
    verdict: str
    reason: str
    before: int  # length of the envelope's first part; -1: no envelope
    frames: tuple[tuple[int, int], ...]  # offset and length from the start of the Part 10 member; see pacs.frames
    source: Source = field(default_factory=Source)


@dataclass(frozen=True, slots=True)
class Location:
    """Where the bytes of a stored instance are."""

    pack_key: str
    member_offset: int  # of the member's first byte in the pack object
    member_length: int  # bytes in the pack (after DEFLATE when ``deflated``)
    deflated: bool
    envelope_offset: int  # the envelope member, always deflated; -1: none
    envelope_length: int


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """One row of the index, as readers need it: identity, place, and what is known without opening the pack."""

    identity: Identity
    transfer_syntax_uid: str
    received_transfer_syntax_uid: str
    digest: str
    received_size: int
    stored_size: int  # of the Part 10 file
    before: int
    instance_number: int | None
    number_of_frames: int
    rows: int
    columns: int
    frames: tuple[tuple[int, int], ...]
    location: Location


@dataclass(frozen=True, slots=True)
class Selection:
    """Instances by their unique keys (PS3.4 C.2.2.1.1); an instance must have one value of each key that is given."""

    patient_ids: tuple[str, ...] = ()
    study_instance_uids: tuple[str, ...] = ()
    series_instance_uids: tuple[str, ...] = ()
    sop_instance_uids: tuple[str, ...] = ()
