"""YBR to RGB, by the equations of PS3.3 C.7.6.3.1.2.

Law: colour is converted once, here or inside a decoder, and the caller of a decoder always gets RGB.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_FULL = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]], np.float32)
_PARTIAL = np.array([[1.1644, 0, 1.5960], [1.1644, -0.3917, -0.8130], [1.1644, 2.0173, 0]], np.float32)

# Photometric Interpretation of uncompressed or losslessly coded samples → (matrix, black level of Y at 8 bit).
_TO_RGB = {
    "YBR_FULL": (_FULL, 0),
    "YBR_FULL_422": (_FULL, 0),
    "YBR_PARTIAL_422": (_PARTIAL, 16),
    "YBR_PARTIAL_420": (_PARTIAL, 16),
}


def to_rgb(samples: NDArray[Any], photometric: str, bits: int) -> NDArray[np.generic]:
    """RGB of (rows, columns, 3) unsigned samples of `bits` bits; samples that are RGB already come back untouched."""
    if photometric not in _TO_RGB:
        return samples
    matrix, black = _TO_RGB[photometric]
    scale = 1 << max(bits - 8, 0)
    offset = np.array([black * scale, 128 * scale, 128 * scale], np.float32)
    rgb = (samples.astype(np.float32) - offset) @ matrix.T
    return np.clip(np.rint(rgb), 0, (1 << bits) - 1).astype(samples.dtype)
