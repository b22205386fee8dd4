"""DIMSE in and out: modalities push here, and later ask here.

Law: the only package that knows pynetdicom, and in it only `transport`, `association` (acceptor) and `sender`
(requestor) do. Encoded bytes go to the spool and are never decoded here; who may send, and into which hospital, is
asked of an `Admission` that the composition root gives.
"""
