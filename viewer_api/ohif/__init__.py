"""The OHIF viewer, as its makers ship it, on our origin.

Law: OHIF's code is not ours and is not in git: `release` pins it, `unpack` takes what a browser needs out of the
package at set-up, `page` serves it with a policy of its own. It sees the archive by DICOMweb alone.
"""
