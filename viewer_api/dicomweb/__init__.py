"""DICOMweb services (PS3.18): search, retrieve, render, store.

Law: what the standard calls a resource has its path in `addresses` and nowhere else.
"""
