"""Starts the language server from the libraries that lie beside this file.

They are put on the import path of this process alone: the interpreter that runs the user's models never sees them.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "server"), str(HERE / "libs")]

from metalens.__main__ import main  # noqa: E402 (only now can it be found)

sys.exit(main(["server"]))
