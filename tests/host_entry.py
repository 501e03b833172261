"""A worker without torch, whose runs execute the text of their first caller: for tests of the host alone."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "server"))

from metalens.protocol.messages import Report, Run
from metalens.worker.host.serve import serve
from metalens.worker.host.work import Loaded, Work


def perform(run: Run) -> Report:
    """Execute the text; what it leaves in `result`, or the exception that it raised, is told under `problems`."""
    file = run.callers[0].file
    names: dict = {"__name__": "guest"}
    try:
        exec(compile(run.overlay[file], file, "exec"), names)
    except MemoryError:
        raise
    except Exception as problem:  # noqa: BLE001 - the border to the tests' user code
        return Report(run.id, (), (), (), problems={"error": f"{type(problem).__name__}: {problem}"})
    return Report(run.id, (), (), (), problems={"result": repr(names.get("result"))})


if __name__ == "__main__":
    serve(
        Work(lambda: "", lambda: Loaded("no torch", perform, lambda: None, lambda file: None)), __file__, sys.argv[1:]
    )
