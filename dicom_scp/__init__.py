"""DIMSE in and out: modalities push here, workstations ask here.

Law: the only package that knows pynetdicom, and in it only `acceptance`, `association`, `exchange` and `transport` know
its inside; services keep to its public interface, and what sends instances does without it. Encoded instances go to the
spool and are never decoded here; who may send, and into which hospital, is asked of an `Admission` that the composition
root gives.
"""
