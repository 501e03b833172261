"""Metalens: shapes of PyTorch models, before anything runs."""

__version__ = "0.1.0"

import os
import sys

if sys.argv[:1] == ["-m"] and sys.path[:1] == [os.getcwd()]:  # noqa: PTH109 (pathlib would be taken from that folder)
    # `python -m metalens` would import from the folder that is checked: a socket.py in there would be run, unconfined.
    del sys.path[0]
