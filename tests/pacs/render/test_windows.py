import numpy as np
import pytest

from pacs.errors import InvalidRequest
from pacs.render.windows import FUNCTIONS, Window, apply_window, full_window, parse_window


def grey(value: float, window: Window) -> float:
    """What the function gives for one value, from 0 to 1."""
    return float(FUNCTIONS[window.function](np.array([value], np.float64), window)[0])


@pytest.mark.parametrize(
    ("center", "width", "black", "white"),
    [
        (2048, 4096, 0, 4095),  # the examples of PS3.3 C.11.2.1.2.1, note 4
        (2048, 1, 2047.5, 2048),
        (0, 100, -50, 49),
        (0, 1, -0.5, 0),
    ],
)
def test_linear_by_the_examples_of_the_standard(center: float, width: float, black: float, white: float) -> None:
    """Center 2048 and width 4096 spread 0 to 4095; width 1 is a threshold half below the center."""
    window = Window(center, width)
    assert grey(black, window) == 0
    assert grey(white, window) == 1
    assert grey(black - 1, window) == 0
    assert grey(white + 1, window) == 1
    if width > 1:
        assert 0 < grey(black + 1, window) < grey(white - 1, window) < 1


@pytest.mark.parametrize(
    ("value", "expected"),
    # ((x - 39.5) / 399 + 0.5) × 255 by hand
    [(-160, 0), (-159, 1), (40, 128), (39.5, 127.5), (140, 192), (239, 255), (240, 255)],
)
def test_linear_by_hand_for_a_soft_tissue_window(value: float, expected: float) -> None:
    """40/400: the formula of C.11.2.1.2.1 calculated on paper."""
    assert grey(value, Window(40, 400)) * 255 == pytest.approx(expected, abs=0.5)


@pytest.mark.parametrize(
    ("value", "expected"), [(-50, 0), (0, 0.5), (25, 0.75), (49, 0.99), (50, 1), (51, 1), (-51, 0)]
)
def test_linear_exact_by_hand(value: float, expected: float) -> None:
    """PS3.3 C.11.2.1.3.2: 0/100 spreads -50 to 50, without the halves of LINEAR."""
    assert grey(value, Window(0, 100, "LINEAR_EXACT")) == pytest.approx(expected)


def test_sigmoid_by_hand() -> None:
    """PS3.3 C.11.2.1.3.1: half at the center, 1 / (1 + e^-2) at its upper edge, never beyond 0 and 1 however far."""
    window = Window(100, 40, "SIGMOID")
    assert grey(100, window) == 0.5
    assert grey(120, window) == pytest.approx(0.880797, abs=1e-6)
    assert grey(-1e9, window) == pytest.approx(0)
    assert grey(1e9, window) == pytest.approx(1)


def test_a_full_window_uses_every_grey_once() -> None:
    """0 to 255 through the window of 0 to 255 stay what they are."""
    every = np.arange(256)
    assert apply_window(every, full_window(0, 255)).tolist() == every.tolist()


def test_windows_in_requests() -> None:
    """PS3.18 8.3.5.1.4: center, width and, if wanted, a function."""
    assert parse_window("40,400") == Window(40, 400)
    assert parse_window("-600.5,1500,linear-exact") == Window(-600.5, 1500, "LINEAR_EXACT")
    assert parse_window("0,1,sigmoid") == Window(0, 1, "SIGMOID")


@pytest.mark.parametrize(
    "text",
    ["", "40", "40,", "a,b", "40,0", "40,0.5", "40,-1", "nan,10", "10,inf", "1e99,1", "1,2,cubic", "1,2,linear,4"],
)
def test_senseless_windows_are_refused(text: str) -> None:
    """Whatever is no window raises InvalidRequest."""
    with pytest.raises(InvalidRequest):
        parse_window(text)
