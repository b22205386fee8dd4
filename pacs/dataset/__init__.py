"""Data sets: a reader of our own, because every instance passes it and no library is fast, tolerant and exact at once.

Law: works on borrowed bytes and never changes, copies or re-encodes them. The same reader serves the receiver, the
ingest worker, the renderer and the rebuild of the index, so that they cannot disagree about an instance.
"""

from pacs.dataset.data_set import Buffer, DataSet
from pacs.dataset.elements import Element
from pacs.dataset.identity import describe_image, identify, series_key
from pacs.dataset.read import read_data_set

__all__ = ["Buffer", "DataSet", "Element", "describe_image", "identify", "read_data_set", "series_key"]
