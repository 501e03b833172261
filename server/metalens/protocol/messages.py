"""The closed vocabulary of the pipe.

The server sends `Run`, `Cancel` and `Shutdown`. The worker sends `Starting` at once, `Ready` when torch is warm,
and for each `Run` exactly one `Report` or one `Crash`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, Union

from metalens.protocol.values import Evidence, Location, Range, Value

VERSION = 1

# How a problem of a file ends whose rehearsal there was no more time for.
CUT_SHORT = "took too long and was cut short"


# ---------------------------------------------------------------- server to worker


@dataclass(frozen=True)
class Target:
    """A module class that the server wants explained. `line` is the zero-based line of its `class` statement."""

    file: str
    qualname: str
    line: int


@dataclass(frozen=True)
class Caller:
    """A file whose code builds or calls modules and is to be rehearsed, with the command line that it gets.

    `names` are the identifiers that lead to what is wanted: of a page with many programs, only those that speak of one
    are run. Without names all are. `assumed`: nobody wrote this command line down, so that it shows shapes alone.
    `alike`: it chooses a configuration like one that is used, or what has to be chosen, but the data may be meant for
    another choice.
    `needed`: it is rehearsed although the callers before it explained everything, as it takes another branch.
    """

    file: str
    argv: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    assumed: bool = False
    needed: bool = False
    alike: bool = False


@dataclass(frozen=True)
class Pin:
    """What the user says of a class, as source text: arguments of its constructor, inputs of its `forward`.

    What is not said has no place. `sizes` are the numbers of named dimensions.
    """

    file: str
    qualname: str
    arguments: str = ""
    inputs: str = ""
    arguments_at: Optional[Location] = None
    inputs_at: Optional[Location] = None
    sizes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Mark:
    """A finding, by the code of its rule and where it stands."""

    code: str
    location: Location


@dataclass(frozen=True)
class Run:
    """One job: rehearse `callers` in order, then build and run on its own each target that none of them explained.

    `overlay` is unsaved text by absolute path. `import_paths` are the workspace folders that go first on the import
    path. `wanted` are the classes to explain: those of their files are reported, and pages are left as soon as all are
    explained; without any, every workspace class that is met is reported. `traces` names the files whose expressions
    are wanted. `timeout` is in seconds of processor time, so that a busy machine makes answers late but not fewer;
    `memory` is in MiB. `pins` are followed whatever callers do. `thorough`: what the targets run with is searched for,
    which takes seconds for each that nobody builds or calls. Without `explore` nothing is run but what callers run.
    `until` is a finding, by its rule and place, that ends the run if a caller meets it.
    """

    id: int
    root: str
    import_paths: tuple[str, ...]
    callers: tuple[Caller, ...]
    targets: tuple[Target, ...]
    wanted: tuple[Target, ...] = ()
    overlay: dict[str, str] = field(default_factory=dict)
    traces: tuple[str, ...] = ()
    timeout: float = 10.0
    memory: int = 1024
    pins: tuple[Pin, ...] = ()
    thorough: bool = False
    explore: bool = True
    until: Optional[Mark] = None

    @property
    def patience(self) -> float:
        """Seconds by the clock after which a run is given up, however little processor time it got."""
        return self.timeout * 3


@dataclass(frozen=True)
class Cancel:
    """End the run with this id; it is answered with a `Crash` of reason `cancelled`."""

    id: int


@dataclass(frozen=True)
class ReadAhead:
    """Workspace files that runs import: a process that lasts may have them ready. There is no answer."""

    files: tuple[str, ...]


@dataclass(frozen=True)
class Shutdown:
    """End the worker."""


# ---------------------------------------------------------------- worker to server


@dataclass(frozen=True)
class Starting:
    """The worker lives and begins to import torch."""

    version: int
    python: str
    executable: str


@dataclass(frozen=True)
class Ready:
    """torch is imported and warm. `mode` is `fork` or `standby`."""

    torch: str
    mode: str
    seconds: float


@dataclass(frozen=True)
class Unusable:
    """The interpreter cannot serve: it has no torch, or torch or Python is too old. The worker ends after this."""

    reason: str


@dataclass(frozen=True)
class Parameter:
    """A parameter (or buffer) with its dotted name; `dims` holds a name per dimension where known."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    dims: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layer:
    """A submodule as it was built and called. `name` is its dotted path in the model, `type` its class name.

    `repr` is torch's own text on one line. `defined` is where the constructor call stands, if that is in the workspace.
    `attribute` is the attribute of the containing class that holds it or its container (`blocks` for `blocks.0`).
    `inputs` and `output` are of the first call; `calls` counts them.
    """

    name: str
    type: str
    repr: str
    parameters: tuple[Parameter, ...]
    attribute: str = ""
    defined: Optional[Location] = None
    inputs: tuple[Value, ...] = ()
    output: Optional[Value] = None
    calls: int = 0


@dataclass(frozen=True)
class Context:
    """One way in which a class was built and run.

    `status`: `traced` (forward ran to its end), `instantiated`, `failed` (the user's own code raised), `skipped`
    (a limit). `grade`: `clean`, `mended` or `borrowed`. `reason` says why it is not traced.
    """

    file: str
    qualname: str
    line: int
    status: str
    grade: str
    reason: str = ""
    arguments: Optional[Evidence] = None
    inputs: Optional[Evidence] = None
    parameters: tuple[Parameter, ...] = ()
    buffers: tuple[Parameter, ...] = ()
    layers: tuple[Layer, ...] = ()
    output: Optional[Value] = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Expression:
    """The values that an expression or name had at this range: distinct ones, first seen first, at most four."""

    range: Range
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Trace:
    """What was seen in one file."""

    file: str
    expressions: tuple[Expression, ...]


@dataclass(frozen=True)
class Edit:
    """Replace the text at `location` by `text`."""

    location: Location
    text: str


@dataclass(frozen=True)
class Fix:
    """A repair. From the worker it is a candidate; once the engine ran it, it is an offer.

    A `guess` is tried only where nothing likelier mends the mistake. `gives` is what forward of the model gives with
    the repair, where that is known.
    """

    title: str
    edits: tuple[Edit, ...]
    preferred: bool = False
    guess: bool = False
    gives: Optional[Value] = None


@dataclass(frozen=True)
class Related:
    """A place that explains a finding."""

    location: Location
    message: str


@dataclass(frozen=True)
class Finding:
    """A mistake in the user's model. `severity`: `error`, `warning`, `information` or `hint`.

    `model` is the qualname of the class in whose run it was found. `torch` is PyTorch's own message on real tensors.
    `notes` are further sentences of the explanation. `passes` are the files whose code was under way. `called`: code
    calls the model with inputs of its own. `caller` is the first of the run's callers in which it was found.
    """

    code: str
    severity: str
    message: str
    location: Location
    model: str
    related: tuple[Related, ...] = ()
    torch: str = ""
    notes: tuple[str, ...] = ()
    fixes: tuple[Fix, ...] = ()
    passes: tuple[str, ...] = ()
    called: bool = False
    caller: Optional[int] = None


@dataclass(frozen=True)
class Report:
    """The answer to a `Run`. `files` are the workspace files that were read. `output` is the end of what was printed.

    `problems` are calm sentences about files that could not be loaded, by file.
    """

    id: int
    contexts: tuple[Context, ...]
    findings: tuple[Finding, ...]
    traces: tuple[Trace, ...]
    files: tuple[str, ...] = ()
    output: str = ""
    problems: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Crash:
    """A run that gave no report. `reason`: `timeout`, `memory`, `exit`, `signal`, `cancelled` or `internal`.

    `detail` is one sentence; `output` is the end of what the run printed.
    """

    id: int
    reason: str
    detail: str
    output: str = ""


Request = Union[Run, Cancel, ReadAhead, Shutdown]
Answer = Union[Starting, Ready, Unusable, Report, Crash]
