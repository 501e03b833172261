"""Results made by hand: what features say is tested without a worker and without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from metalens.engine.result import Result, merge
from metalens.plan.plan import Plan
from metalens.protocol.messages import Context, Expression, Finding, Layer, Parameter, Report, Trace
from metalens.protocol.values import Evidence, Location, Position, Range, Value
from metalens.resolve.classes import module_classes
from metalens.workspace.documents import Workspace

ROOT = Path("/project")
FILE = str(ROOT / "net.py")


def tensor(*sizes: int, dims: Sequence[str] = (), dtype: str = "f32") -> Value:
    return Value("tensor", sizes, dtype, tuple(dims))


def batch(*sizes: int) -> Value:
    """A tensor whose first dimension is called B."""
    return tensor(32, *sizes, dims=("B", *("" for _ in sizes)))


def parameter(name: str, *sizes: int) -> Parameter:
    return Parameter(name, sizes, "f32")


@dataclass(frozen=True)
class Scene:
    """A file, and places in it found by their text."""

    text: str
    file: str = FILE

    def find(self, wanted: str, nth: int = 1) -> Range:
        """The range of the nth occurrence of a text that stands in one line."""
        offset = -1
        for _ in range(nth):
            offset = self.text.index(wanted, offset + 1)
        line = self.text.count("\n", 0, offset)
        column = offset - (self.text.rfind("\n", 0, offset) + 1)
        return Range(Position(line, column), Position(line, column + len(wanted)))

    def at(self, wanted: str, nth: int = 1) -> Position:
        """Where the nth occurrence of a text begins; `|` in it marks the cursor instead."""
        place = self.find(wanted.replace("|", ""), nth).start
        return Position(place.line, place.column + max(wanted.find("|"), 0))

    def location(self, wanted: str, nth: int = 1) -> Location:
        return Location(self.file, self.find(wanted, nth))

    def evidence(self, text: str, source: str, at: str) -> Evidence:
        return Evidence(text, source, self.location(at))

    def line_of(self, wanted: str) -> int:
        return self.find(wanted).start.line

    def seen(self, wanted: str, *values: Value, nth: int = 1) -> Expression:
        return Expression(self.find(wanted, nth), values)

    def plan(self) -> Plan:
        workspace = Workspace(ROOT)
        workspace.open(self.file, self.text, 1)
        return Plan(module_classes(workspace, self.file), (), "")

    def result(self, *reports: Report) -> Result:
        return merge(self.plan(), self.text, 1, reports)


@dataclass(frozen=True)
class Seen:
    """The parts of a report."""

    contexts: tuple[Context, ...] = ()
    findings: tuple[Finding, ...] = ()
    expressions: tuple[Expression, ...] = ()
    problems: dict[str, str] = field(default_factory=dict)

    def report(self, id: int = 1) -> Report:
        traces = (Trace(FILE, self.expressions),)
        return Report(id, self.contexts, self.findings, traces, (FILE,), problems=self.problems)


def context(scene: Scene, name: str, layers: Sequence[Layer] = (), **given: object) -> Context:
    """A clean, traced context with the parameters of its layers, unless something else is given."""
    leaves = [layer for layer in layers if not any(other.name.startswith(f"{layer.name}.") for other in layers)]
    usual: dict[str, object] = {
        "status": "traced",
        "grade": "clean",
        "parameters": tuple(own for layer in leaves for own in layer.parameters),
        "layers": tuple(layers),
    }
    return Context(FILE, name, scene.line_of(f"class {name}("), **{**usual, **given})  # type: ignore[arg-type]


def linear(name: str, inputs: int, outputs: int, *, before: Value | None = None, after: Value | None = None) -> Layer:
    return Layer(
        name,
        "Linear",
        f"Linear(in_features={inputs}, out_features={outputs}, bias=True)",
        (parameter(f"{name}.weight", outputs, inputs), parameter(f"{name}.bias", outputs)),
        attribute=name.partition(".")[0],
        inputs=(before or batch(inputs),),
        output=after or batch(outputs),
        calls=1,
    )


def layer(
    name: str, repr: str, *parameters: Parameter, before: Value | None = None, after: Value | None = None
) -> Layer:
    return Layer(
        name,
        repr.partition("(")[0],
        repr,
        parameters,
        attribute=name.partition(".")[0],
        inputs=(before,) if before else (),
        output=after,
        calls=1 if after else 0,
    )
