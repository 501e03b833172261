"""The worker process: `<python> .../metalens/worker/__main__.py [--no-fork]`, run by the user's interpreter.

Requests come in on descriptor 0, answers go out on descriptor 1. This file keeps to the syntax of every Python 3, so
that an interpreter that is too old can say so; all that it imports needs Python 3.9.
"""

import os
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))

# A script's own folder comes first on the import path, where it would shadow the user's modules.
if sys.path and os.path.realpath(sys.path[0]) == os.path.realpath(FOLDER):
    del sys.path[0]
sys.dont_write_bytecode = True

TYPE_CHECKING = False
if TYPE_CHECKING:
    from metalens.worker.host.work import Loaded


def main() -> None:
    """Serve until the peer goes away."""
    if sys.version_info < (3, 9):  # noqa: UP036 - any interpreter may be asked to run this file
        _refuse("Metalens needs Python 3.9 or newer; {} is Python {}.{}.".format(sys.executable, *sys.version_info))
        return
    _register_package()
    from metalens.worker.host.serve import serve  # noqa: PLC0415 - importable from here on
    from metalens.worker.host.torchimport import why_unusable  # noqa: PLC0415
    from metalens.worker.host.work import Work  # noqa: PLC0415

    serve(Work(why_unusable, _load), __file__, sys.argv[1:])


def _load() -> "Loaded":
    from metalens.worker.host.torchimport import import_torch  # noqa: PLC0415
    from metalens.worker.host.work import Loaded  # noqa: PLC0415

    version = import_torch()
    from metalens.worker.load.pages import read_ahead  # noqa: PLC0415
    from metalens.worker.perform import perform, warm  # noqa: PLC0415 - these import torch, in their own way

    warm()
    return Loaded(version, perform, warm, read_ahead)


def _register_package() -> None:
    """Make `metalens` importable, and nothing else that lies beside it."""
    from importlib.util import module_from_spec, spec_from_file_location  # noqa: PLC0415

    package = os.path.dirname(FOLDER)
    init = os.path.join(package, "__init__.py")
    spec = spec_from_file_location("metalens", init, submodule_search_locations=[package])
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["metalens"] = module
    spec.loader.exec_module(module)


def _refuse(reason: str) -> None:
    """Answer in the protocol's own bytes, since the codec cannot be imported."""
    import json  # noqa: PLC0415
    import struct  # noqa: PLC0415

    body = json.dumps({"type": "Unusable", "reason": reason}).encode()
    os.write(1, b"metalens\n" + struct.pack(">I", len(body)) + body)


if __name__ == "__main__":
    main()
