"""HTTP in and out: DICOMweb, IIIF, sign-in and pages.

Law: this room speaks HTTP and sees the archive, never a driver; it decides nothing about DICOM that `pacs` could.
Endpoints are plain functions run in threads; the one exception is the STOW-RS body, which arrives as a stream.
"""
