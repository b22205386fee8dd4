from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pacs.errors import NotAcceptable
from pacs.render import encode_image

GREY = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1))
COLOUR = np.stack([GREY, GREY.T, 255 - GREY], axis=2)


@pytest.mark.parametrize("picture", [GREY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize(("media_type", "name"), [("image/jpeg", "JPEG"), ("image/png", "PNG"), ("image/webp", "WEBP")])
def test_pictures_open_as_what_they_say(picture: NDArray[np.uint8], media_type: str, name: str) -> None:
    """Another reader sees the format, the size and about the same picture; PNG exactly the same."""
    opened = Image.open(BytesIO(encode_image(picture, media_type, 90)))
    assert (opened.format, opened.size) == (name, (64, 64))
    again = np.asarray(opened.convert("L" if picture.ndim == 2 else "RGB"))
    assert np.abs(again.astype(int) - picture).mean() < (0.001 if name == "PNG" else 6)


def test_quality_costs_bytes() -> None:
    """A picture of quality 95 is larger than one of 20; senseless qualities are brought into range."""
    assert len(encode_image(COLOUR, "image/jpeg", 95)) > len(encode_image(COLOUR, "image/jpeg", 20))
    assert encode_image(COLOUR, "image/jpeg", 900) == encode_image(COLOUR, "image/jpeg", 100)


def test_an_unknown_format_is_not_acceptable() -> None:
    """TIFF is no picture for browsers."""
    with pytest.raises(NotAcceptable):
        encode_image(GREY, "image/tiff")
