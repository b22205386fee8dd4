"""How a benchmark is run: once, untimed, in every test run, so that it never rots; timed with ``--timed``."""

import time
from collections.abc import Callable

import pytest

SECONDS = 2.0  # for each measurement

Measure = Callable[..., None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--timed``."""
    parser.addoption("--timed", action="store_true", help="run benchmarks for some seconds each and print their rates")


@pytest.fixture
def measure(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Measure:
    """Call a function once, or with ``--timed`` again and again; prints calls, and bytes if told, for each second."""

    def run(what: Callable[[], object], *, size: int = 0) -> None:
        what()
        if not request.config.getoption("--timed"):
            return
        calls, began = 0, time.perf_counter()
        while (spent := time.perf_counter() - began) < SECONDS:
            what()
            calls += 1
        rate = f"{calls / spent:10.1f} a second, {1000 * spent / calls:8.2f} ms"
        with capsys.disabled():
            print(f"\n{request.node.name:<60} {rate}" + (f", {size * calls / spent / 1e6:8.1f} MB/s" if size else ""))  # noqa: T201  # the result

    return run
