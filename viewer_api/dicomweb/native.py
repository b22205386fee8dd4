"""Frames in other forms than the stored one, and the data set that metadata speaks of (PS3.18 8.7.3.5).

Law: what was received uncompressed is given back exactly and as the metadata describes it: colour planes stay planes.
One frame in memory at a time.
"""

import json

import numpy as np

from pacs.codecs import decode_frame
from pacs.dataset import DataSet, describe_image, read_data_set
from pacs.errors import NotRenderable
from pacs.model import ImageDescription, StoredInstance
from pacs.transcode import convert_frame
from pacs.transcode.exact import exact_cells
from pacs.transcode.pixels import frame_of_cells, layout_of
from pacs.transfer_syntaxes import EXPLICIT_LE, transfer_syntax
from storage.archive import Archive


def whole_data_set(archive: Archive, hospital: str, stored: StoredInstance) -> DataSet:
    """The data set as received, pixel data included."""
    return read_data_set(archive.received(hospital, stored), stored.received_transfer_syntax_uid)


def image_of(data_set: DataSet) -> ImageDescription:
    """The Image Pixel module; raises NotRenderable when there is none."""
    image = describe_image(data_set)
    if image is None:
        raise NotRenderable
    return image


def converted_frame(archive: Archive, hospital: str, stored: StoredInstance, number: int, uid: str) -> bytes:
    """Frame ``number``, from 1, in the transfer syntax ``uid``; raises NotAcceptable, NotRenderable."""
    frame = archive.frame(hospital, stored, number)
    if uid == stored.transfer_syntax_uid and not shares_bytes(stored):
        return frame
    image = image_of(archive.header(hospital, stored))
    if uid != EXPLICIT_LE:
        return convert_frame(frame, image, stored.transfer_syntax_uid, uid)
    return native_frame(frame, image, stored, index=number - 1, planar=_planar(archive, hospital, stored, image))


def shares_bytes(stored: StoredInstance) -> bool:
    """Whether frames are single bits that share bytes, so that none is found alone in what is stored."""
    native = not transfer_syntax(stored.transfer_syntax_uid).encapsulated
    return native and len(stored.frames) == 1 and stored.number_of_frames > 1


def _planar(archive: Archive, hospital: str, stored: StoredInstance, image: ImageDescription) -> bool:
    """Whether the metadata speaks of colour planes: our HTJ2K stores colour by pixel, whatever it was before."""
    if image.samples_per_pixel == 1 or stored.transfer_syntax_uid == stored.received_transfer_syntax_uid:
        return image.planar_configuration == 1
    uids = (stored.identity.study_instance_uid, stored.identity.series_instance_uid, stored.identity.sop_instance_uid)
    (metadata,) = json.loads(b"".join(archive.metadata(hospital, *uids)))
    return bool(metadata.get("00280006", {}).get("Value", [0])[0] == 1)


def native_frame(frame: bytes, image: ImageDescription, stored: StoredInstance, *, index: int, planar: bool) -> bytes:
    """The cells of one frame in Little Endian; a frame of single bits begins in a byte of its own."""
    syntax = transfer_syntax(stored.transfer_syntax_uid)
    if not syntax.encapsulated and syntax.little_endian and not shares_bytes(stored):
        return frame
    if image.bits_allocated == 1:
        bits = decode_frame(frame, image, stored.transfer_syntax_uid, index=index)
        return np.packbits(bits.ravel(), bitorder="little").tobytes()
    cells, _ = exact_cells(frame, image, syntax)
    return frame_of_cells(cells, layout_of(image, little_endian=True, vr="OW", planar=planar))
