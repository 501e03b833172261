"""numpy for stand-ins: that of the user, which has been imported with torch, or none."""

from __future__ import annotations

import sys
from typing import Any

from metalens.worker.load.unknown import UnknownError


def numpy() -> Any:
    """The module. UnknownError where it is not installed: then there are no arrays to stand in for."""
    module = sys.modules.get("numpy")
    if module is None:
        raise UnknownError("numpy is not installed")
    return module
