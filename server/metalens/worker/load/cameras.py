"""Views of a scene that are not here, as Blender writes them: a list of cameras, and pictures with transparency."""

from __future__ import annotations

import json
import os
import re

from metalens.worker.load.inventions import PICTURE_SIZES, invented, more

_CAMERAS = re.compile(r"transforms(?:_\w+)?\.json$")
_VIEW = re.compile(r"(?:^|[\\/])view_\d+\.png$")
_COUNT = 4
_POSE = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 4.0], [0.0, 0.0, 0.0, 1.0]]


def lists_cameras(file: str) -> bool:
    """Whether a file of this name says where each picture was taken from."""
    return _CAMERAS.search(os.path.basename(file)) is not None


def is_view(file: str) -> bool:
    """Whether a picture is one of those that `cameras` names."""
    return _VIEW.search(file) is not None


def cameras() -> str:
    """The file's text, as JSON: a field of view and a few frames, each with its picture and a pose (4 x 4)."""
    invented(PICTURE_SIZES)
    names = [f"view_{number}" for number in range(_COUNT + more())]
    frames = [{"file_path": f"./views/{name}", "rotation": 0.01, "transform_matrix": _POSE} for name in names]
    return json.dumps({"camera_angle_x": 0.7, "frames": frames})
