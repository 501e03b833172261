"""What tracing learns and judging needs: how a module was built, where a tensor came from, what failed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from metalens.protocol.values import Evidence, Location

_MOST_BEFORE = 500


@dataclass(frozen=True)
class Built:
    """How a module was constructed. `location` is the constructor call's expression, if that is in the workspace.

    Or it is the call of a function that hands all but the first `kept` of its arguments on to the constructor.
    `through` is the expression around it that is under way: the call of the function in which it stands, if it does.
    """

    module: Any
    cls: type
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    location: Optional[Location]
    kept: int = 0
    through: Optional[Location] = None


@dataclass(frozen=True)
class Origin:
    """The innermost source expression that made a tensor.

    `function` is the torch function or operator, `module` the innermost torch.nn layer whose call returned it (or
    None), `inputs` the tensors that went in.
    """

    location: Location
    function: Any
    module: Any
    inputs: tuple[Any, ...]


@dataclass(frozen=True)
class Frame:
    """One frame of the user's code at the moment of a failure: the expression being evaluated, and in what."""

    location: Location
    function: str
    cls: Optional[type]


@dataclass(frozen=True)
class ModuleCall:
    """A module whose call was under way. `args` and `kwargs` are what it was called with."""

    module: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    location: Optional[Location]


@dataclass(frozen=True)
class Raised:
    """What was going on when an error was first seen: the torch function that raised, and the modules under way."""

    error: BaseException
    function: Optional[Callable[..., Any]]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@dataclass(frozen=True)
class Failure:
    """An operation that raised in the user's code, on values that are all known.

    `function`, `args` and `kwargs` are the innermost torch function that raised (None for a Python-level error such as
    a failed unpacking or an assertion). `frames` are the user's frames, outermost first, never empty. `modules` are the
    module calls under way, outermost first. `grade` is the run's grade; `fixed` tells that the sizes in conflict were
    shown not to depend on any input or assumed value (only then may a `borrowed` run say something), or on none but
    what `unless` tells of. `leaked` is what the facts said of it at the time, and `names` the variables of the
    innermost frame (forward may go on). `read` are the tensors whose sizes that frame may have used as numbers. The
    model was called once more, after `eval()`, if it is `in_use`. `caller` is the place of the run's caller.
    """

    error: BaseException
    function: Optional[Callable[..., Any]]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    frames: tuple[Frame, ...]
    modules: tuple[ModuleCall, ...]
    grade: str
    model: str
    fixed: bool = False
    arguments: Optional[Evidence] = None
    inputs: Optional[Evidence] = None
    leaked: bool = False
    unless: str = ""
    names: Mapping[str, Any] = field(default_factory=dict)
    read: tuple[Any, ...] = ()
    in_use: bool = False
    caller: Optional[int] = None


@dataclass
class Facts:
    """Everything that a run remembers, by identity of live objects (nothing is freed while a run lasts).

    `recovered` are the tensors that stand in for the output of an operation that failed, with the dimensions that the
    mistake leaves in doubt, and the only other size that such a dimension may have, if that is known; `leaked` tells
    that sizes were read as numbers after such a doubt arose. `read` are the last tensors of which a function (by its
    code) read sizes as numbers. `failed` are the failures so far. `followed` are the operations since a mistake that no
    expression of the user's shows, by the tensors that they gave.
    """

    built: dict[int, Built] = field(default_factory=dict)
    origins: dict[int, Origin] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    alive: list[Any] = field(default_factory=list)
    recovered: dict[int, dict[int, Optional[int]]] = field(default_factory=dict)
    followed: dict[int, tuple[Any, tuple[Any, ...]]] = field(default_factory=dict)
    read: dict[Any, list[Any]] = field(default_factory=dict)
    failed: list[Failure] = field(default_factory=list)
    leaked: bool = False

    def built_of(self, module: Any) -> Optional[Built]:
        """How this module was constructed."""
        return self.built.get(id(module))

    def origin_of(self, tensor: Any) -> Optional[Origin]:
        """The expression that made this tensor; None for an input of the run, a parameter or a constant."""
        return self.origins.get(id(tensor))

    def name_of(self, module: Any) -> str:
        """Dotted path of this module in the outermost model that holds it (`blocks.0.attn`), or "" for a root."""
        return self.names.get(id(module), "")

    def before(self, tensor: Any) -> Iterator[Any]:
        """A tensor and all that it was computed of, the latest first."""
        waiting, seen = deque([tensor]), set[int]()
        while waiting:
            part = waiting.popleft()
            if id(part) in seen:
                continue
            seen.add(id(part))
            yield part
            origin = self.origins.get(id(part))
            waiting += (*self.followed.get(id(part), ((), ()))[1], *(origin.inputs if origin is not None else ()))

    def rests_on_mistake(self, tensor: Any) -> bool:
        """Whether a tensor was computed of what stands in for the output of an operation that failed."""
        return any(id(part) in self.recovered or at > _MOST_BEFORE for at, part in enumerate(self.before(tensor)))

    def source_of(self, file: str) -> str:
        """The text of a workspace file as this run saw it (unsaved text included)."""
        return self.sources.get(file, "")
