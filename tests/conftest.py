"""What all tests share: options, and what is left out where there is no torch."""

import importlib.util
import sys

import pytest

from metalens.worker.load import inventions


def pytest_addoption(parser):
    parser.addoption("--update", action="store_true", help="rewrite the annotations of the fixtures to what is said")
    parser.addoption("--worker-python", default=sys.executable, help="the interpreter whose torch runs the fixtures")


def pytest_collection_modifyitems(items):
    if importlib.util.find_spec("torch") is not None:
        return
    for item in items:
        if item.get_closest_marker("torch"):
            item.add_marker(pytest.mark.skip(reason="no torch in this interpreter"))


@pytest.fixture
def told():
    """The reasons to doubt that stand-ins give."""
    reasons: list[str] = []
    inventions.listen(reasons.append)
    yield reasons
    inventions.listen(lambda reason: None)
