"""Pictures for people: from stored values and a presentation to JPEG, PNG or WebP.

Law: one renderer for thumbnails, tiles and DICOMweb's rendered frames, so that they cannot disagree.
"""

from pacs.render.encode import encode_image, fit
from pacs.render.picture import auto_window, render
from pacs.render.presentation import Presentation, presentation_of
from pacs.render.windows import Window, parse_window

__all__ = ["Presentation", "Window", "auto_window", "encode_image", "fit", "parse_window", "presentation_of", "render"]
