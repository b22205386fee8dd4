"""From what was received to what is stored, and back.

Law: `restore(compress(x)) == x` for every byte, or the instance is kept as received; nothing else may be promised here.
"""

from pacs.transcode.compress import compress
from pacs.transcode.convert import CONVERTIBLE, convert, convert_frame
from pacs.transcode.restore import restore

__all__ = ["CONVERTIBLE", "compress", "convert", "convert_frame", "restore"]
