"""VOI windows: the three functions of PS3.3 C.11.2.1.2 and C.11.2.1.3, and a window for images that bring none.

Law: the formulas are the standard's, to the half; "almost the same window" shows a radiologist another image.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacs.errors import InvalidRequest

Values = NDArray[Any]
WHITE = 255
_LARGEST = 1e9
_FUNCTION_NAMES = {"linear": "LINEAR", "linear-exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}  # PS3.18 8.3.5.1.4


@dataclass(frozen=True, slots=True)
class Window:
    """One window, in the units that the Modality LUT gives."""

    center: float
    width: float
    function: str = "LINEAR"  # VOI LUT Function (0028,1056)
    explanation: str = ""

    @property
    def usable(self) -> bool:
        """Whether the width is one that the function is defined for."""
        sound = abs(self.center) <= _LARGEST and self.width <= _LARGEST and self.function in FUNCTIONS
        return sound and (self.width >= 1 if self.function == "LINEAR" else self.width > 0)


def _linear(values: Values, window: Window) -> Values:
    center, width = window.center - 0.5, window.width - 1
    if width == 0:
        return np.where(values <= center, 0.0, 1.0)
    return np.clip((values - center) / width + 0.5, 0, 1)


def _linear_exact(values: Values, window: Window) -> Values:
    return np.clip((values - window.center) / window.width + 0.5, 0, 1)


def _sigmoid(values: Values, window: Window) -> Values:
    exponent = np.clip(-4 * (values - window.center) / window.width, -700, 700)  # beyond, exp overflows
    return np.asarray(1 / (1 + np.exp(exponent)))


FUNCTIONS: Mapping[str, Callable[[Values, Window], Values]] = {
    "LINEAR": _linear,
    "LINEAR_EXACT": _linear_exact,
    "SIGMOID": _sigmoid,
}


def apply_window(values: Values, window: Window) -> NDArray[np.uint8]:
    """Grey from 0 to 255 for values behind the Modality LUT."""
    grey = FUNCTIONS[window.function](values.astype(np.float64), window)
    return np.asarray(np.rint(grey * WHITE), np.uint8)


def parse_window(text: str) -> Window:
    """``center,width`` or ``center,width,function`` as in PS3.18 8.3.5.1.4; raises InvalidRequest."""
    parts = text.split(",")
    try:
        center, width = (float(part) for part in parts[:2])
        function = _FUNCTION_NAMES[parts[2].lower()] if len(parts) == 3 else "LINEAR"
    except (ValueError, KeyError):
        raise InvalidRequest("a window is center,width or center,width,function") from None
    window = Window(center, width, function)
    if len(parts) > 3 or not window.usable:
        raise InvalidRequest("a window is center,width or center,width,function")
    return window


def full_window(lowest: float, highest: float) -> Window:
    """The window that spreads a range over all greys: lowest is black, highest is white."""
    return Window((lowest + highest) / 2, max(highest - lowest, 1e-9), "LINEAR_EXACT")
