"""A picture as a file that browsers show.

Law: the only place that knows Pillow; sizes and formats are decided elsewhere.
"""

from collections.abc import Mapping
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pacs.errors import NotAcceptable
from pacs.render.tiles import Plan

Picture = NDArray[np.uint8]

_FORMATS: Mapping[str, tuple[str, bool, dict[str, int]]] = {  # media type → (Pillow's name, has quality, options)
    "image/jpeg": ("JPEG", True, {}),
    "image/png": ("PNG", False, {"compress_level": 4}),
    "image/webp": ("WEBP", True, {"method": 2}),  # slower methods save few bytes on a screen
}
MEDIA_TYPES = tuple(_FORMATS)


def fit(picture: Picture, plan: Plan) -> Picture:
    """The planned output from the rendered pixels of `plan.box`: scaled, mirrored, turned clockwise."""
    height, width = picture.shape[:2]
    if (width, height) != plan.size or plan.inside != (0, 0, width, height):
        image = Image.fromarray(picture).resize(plan.size, Image.Resampling.BILINEAR, box=plan.inside, reducing_gap=3.0)
        picture = np.asarray(image)
    if plan.mirror:
        picture = picture[:, ::-1]
    return np.ascontiguousarray(np.rot90(picture, -plan.rotation // 90))


def encode_image(picture: Picture, media_type: str, quality: int = 85) -> bytes:
    """The picture, grey or RGB, as JPEG, PNG or WebP; `quality` from 1 to 100 where the format has one."""
    if media_type not in _FORMATS:
        raise NotAcceptable(media_type)
    name, has_quality, options = _FORMATS[media_type]
    if has_quality:
        options = options | {"quality": min(max(quality, 1), 100)}
    file = BytesIO()
    Image.fromarray(picture).save(file, name, **options)
    return file.getvalue()
