"""Where bytes and rows live: spool, packs, objects, index, archive.

Law: SQL only in `storage.index`, object stores only in `storage.objects`; only `storage.archive` brings the
two together.
"""
