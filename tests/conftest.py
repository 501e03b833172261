"""What all tests share: `--update`, and what is left out where there is no torch."""

import importlib.util

import pytest


def pytest_addoption(parser):
    parser.addoption("--update", action="store_true", help="rewrite the annotations of the fixtures to what is said")


def pytest_collection_modifyitems(items):
    if importlib.util.find_spec("torch") is not None:
        return
    for item in items:
        if item.get_closest_marker("torch"):
            item.add_marker(pytest.mark.skip(reason="no torch in this interpreter"))
