"""Frames to stored values and back.

Law: a codec sees one frame and a small description of the image, returns an array or bytes, and changes nothing.
"""

from pacs.codecs.decode import MAX_SAMPLES, decode_frame
from pacs.codecs.htj2k import encode_htj2k, levels, prefix_length

__all__ = ["MAX_SAMPLES", "decode_frame", "encode_htj2k", "levels", "prefix_length"]
