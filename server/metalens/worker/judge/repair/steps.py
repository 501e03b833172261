"""Steps of a chain of methods that were left out or altered: as the statements beside it have them, or by the rank."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, Optional

from metalens.protocol.messages import Edit, Fix
from metalens.protocol.values import Range
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.judge.lineage import RESHAPES, operation_of
from metalens.worker.judge.repair.edits import chain, failing_call, fix, literal
from metalens.worker.judge.repair.forward import beside
from metalens.worker.judge.repair.near import Site, sites
from metalens.worker.judge.repair.ranks import merging
from metalens.worker.judge.source import Source, source_of

_SHOWN = 40
_MOST_SITES = 40
_MODULES = frozenset(["self", "torch", "F", "nn", "np"])
_TURNS = frozenset(["permute", "transpose"])


def as_in_parallel(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """`.transpose(1, 2)` behind `k = self.k(x).view(b, n, h, d)`, if q and v have it; then what differs there."""
    altered: list[Fix] = []
    seen: set[ast.stmt] = set()
    for site in sites(case, mistake, _MOST_SITES):
        statement = site.source.statement_of(site.node)
        if not isinstance(statement, ast.Assign) or _is_of_itself(statement) or statement in seen:
            continue
        seen.add(statement)
        base, own = _chain(statement.value)
        for other in beside(site.source, statement):
            foreign, theirs = _chain(other.value)
            if type(foreign) is not type(base) or ast.dump(other.targets[0]) == ast.dump(statement.targets[0]):
                continue
            names, wanted = [_attribute(call) for call in own], [_attribute(call) for call in theirs]
            for place in range(len(theirs)):
                if own and names == wanted[:place] + wanted[place + 1 :]:
                    yield _inserted(site.source, (base, *own)[place], (foreign, *theirs)[place], theirs[place])
            if names == wanted:
                altered += _other_turn(site.source, own, theirs)
    yield from altered


def _is_of_itself(statement: ast.Assign) -> bool:
    """`k = k.view(b, n, h, d)`."""
    names = {part.id for part in ast.walk(statement.value) if isinstance(part, ast.Name)}
    return any(isinstance(target, ast.Name) and target.id in names for target in statement.targets)


def before_permute(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """Dimensions merged (or added) before a permute that names fewer (or more) than there are."""
    called, x = failing_call(case), mistake.tensor
    if called is None or x is None or not isinstance(called[1].func, ast.Attribute) or case.name != "permute":
        return
    source, call = called
    order = call.args[0].elts if call.args and isinstance(call.args[0], (ast.Tuple, ast.List)) else call.args
    count, owner = len(order), called[1].func.value
    if x.dim() == count + 1:
        pairs = [(first, first + 1) for first in range(count - 1, -1, -1)]
        suffixes = [f".flatten({first}, {last})" if last < count else f".flatten({first})" for first, last in pairs]
    elif x.dim() > count > 1:
        suffixes = [f".flatten({count - 1})", f".flatten(0, {x.dim() - count})"]
    else:
        suffixes = [".unsqueeze(1)", ".unsqueeze(0)"] if x.dim() == count - 1 else []
    for suffix in suffixes:
        yield fix(f"Insert {suffix} before permute", chain(source, owner, suffix))


def unsqueezed(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """A dimension put in before what counts on it: `.repeat(1, n, 1)` of two dimensions, `.unsqueeze(3)` of two."""
    for site in sites(case, mistake, _MOST_SITES):
        call = site.node
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        name, values = call.func.attr, [literal(node) for node in call.args]
        rank = _rank_before(case, mistake, site)
        if name in ("repeat", "expand") and rank is not None and len(values) == rank + 1 > 2:
            suffixes = [".unsqueeze(1)", ".unsqueeze(-1)"]
        elif name == "unsqueeze" and rank is not None and values[:1] == [rank + 1]:
            suffixes = [f".unsqueeze({rank})"]
        else:
            continue
        for suffix in suffixes:
            yield fix(f"Insert {suffix} before {name}", chain(site.source, call.func.value, suffix))


def _rank_before(case: Case, mistake: Mistake, site: Site) -> Optional[int]:
    """How many dimensions what a method is called on has."""
    if site.origin is not None:
        return int(site.origin.inputs[0].dim()) if site.origin.inputs else None
    return mistake.tensor.dim() if mistake.tensor is not None else None


def each_dimension_once(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """The dimension that a permute forgets, for one that it names twice or that there is not."""
    called = failing_call(case)
    if called is None or not isinstance(called[1].func, ast.Attribute) or called[1].func.attr != "permute":
        return
    source, call = called
    nodes = call.args[0].elts if call.args and isinstance(call.args[0], (ast.Tuple, ast.List)) else call.args
    order = [
        value % len(nodes) if -len(nodes) <= value < 0 else value for value in map(literal, nodes) if value is not None
    ]
    missing = sorted(set(range(len(nodes))) - set(order))
    if len(order) != len(nodes) or len(missing) != 1:
        return
    new = missing[0]
    wrong = [place for place, dim in enumerate(order) if order.count(dim) > 1 or dim >= len(nodes)]
    orders = {place: [*order[:place], new, *order[place + 1 :]] for place in wrong}
    # The batch stays in front, and a permute that changes nothing would not have been written.
    for place in sorted(wrong, key=lambda place: (orders[place] == sorted(orders[place]), orders[place][0] != 0)):
        text = ", ".join(map(str, orders[place]))
        yield fix(f"Use permute({text})", source.replace(nodes[place], str(new)))


def flattened_early(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """The flatten on the way to a Linear begun behind the batch, or put where the sizes came about."""
    x, wanted, function = mistake.tensor, mistake.expected, None
    if x is None or x.dim() < 3 or not x.shape[0] or x.numel() // int(x.shape[0]) != wanted:
        return
    last = None
    for site in _straight(case, x):
        function = function or site.function
        if site.function is not function:
            break
        operation = operation_of(site.origin) if site.origin is not None else ""
        if operation == "flatten" and isinstance(site.node, ast.Call):
            for node in [*site.node.args, *(part.value for part in site.node.keywords)]:
                if literal(node) not in (None, 1):
                    yield fix("Use dim 1 in flatten", site.source.replace(node, "1"))
            return
        last = site
    if last is not None and last.tensor is not x and isinstance(last.node, ast.Call):
        text = last.source.text_of(last.node)
        shown = f"{text}.flatten(1)" if len(text) <= _SHOWN else "….flatten(1)"
        yield fix(f"Write {shown} in line {last.node.lineno}", chain(last.source, last.node, ".flatten(1)"))


def _straight(case: Case, x: Any) -> Iterator[Site]:
    """The expressions that the tensor came through with as many elements in each row, the last first."""
    rows = (int(x.shape[0]), x.numel())
    for _ in range(8):
        origin = case.facts.origin_of(x)
        if origin is None or x.dim() < 3 or (int(x.shape[0]), x.numel()) != rows:
            return
        source = source_of(case.facts, origin.location.file)
        node = source.node_at(origin.location.range)
        if node is not None:
            yield Site(source, node, origin, x)
        if not origin.inputs:
            return
        x = origin.inputs[0]


def exchanged_sizes(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """Two neighbouring sizes of a view exchanged: the order that its input, or another view of the function, has."""
    for site in sites(case, mistake, _MOST_SITES):
        for part in (site.node,) if site.origin is not None else ast.walk(site.node):
            if isinstance(part, ast.Call) and _attribute(part) in ("view", "reshape", "expand", "repeat", "zeros"):
                yield from _exchanged(site, part)


def _exchanged(site: Site, call: ast.Call) -> Iterator[Fix]:
    nodes = list(call.args[0].elts) if call.args and isinstance(call.args[0], (ast.Tuple, ast.List)) else call.args
    texts = [site.source.text_of(node) for node in nodes]
    made = site.tensor if call is site.node and site.origin is not None and _reshapes(site) else None
    before = [int(size) for size in site.origin.inputs[0].shape] if made is not None and site.origin is not None else []
    after = [int(size) for size in made.shape] if made is not None and made.dim() == len(nodes) else []
    others = _sizes_of_others(site, call)
    for place in range(len(nodes) - 1):
        one, two = nodes[place], nodes[place + 1]
        if isinstance(one, ast.Starred) or isinstance(two, ast.Starred) or texts[place] == texts[place + 1]:
            continue
        turned = [*after[:place], *after[place : place + 2][::-1], *after[place + 2 :]]
        now, then = _kept(before, after), _kept(before, turned)
        if then > now or (then == now and (place, texts[place + 1], texts[place]) in others):
            title = f"Swap {texts[place]} and {texts[place + 1]} in {_attribute(call)}"
            yield fix(title, site.source.replace(one, texts[place + 1]), site.source.replace(two, texts[place]))


def _reshapes(site: Site) -> bool:
    origin = site.origin
    return origin is not None and operation_of(origin) in RESHAPES and bool(origin.inputs) and site.tensor is not None


def _sizes_of_others(site: Site, call: ast.Call) -> set[tuple[int, str, str]]:
    """Neighbouring arguments of calls of the same name in the same function, with their place."""
    found = set()
    for other in ast.walk(site.function or site.source.tree):
        if isinstance(other, ast.Call) and other is not call and _attribute(other) == _attribute(call):
            texts = [site.source.text_of(node) for node in other.args]
            found |= {(place, texts[place], texts[place + 1]) for place in range(len(texts) - 1)}
    return found


def _kept(before: list[int], after: list[int]) -> int:
    """How many sizes a view leaves where they were, at the beginning and at the end."""
    count = 0
    for left, right in ((before, after), (before[::-1], after[::-1])):
        for one, other in zip(left, right):
            if one != other:
                break
            count += 1
    return count


def unpadded(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """A pad on the way by so much less, or more, as the sizes in conflict differ; or as much as on the other side."""
    more = (mistake.expected or 0) - (mistake.given or 0)
    for site in sites(case, mistake, _MOST_SITES):
        if site.origin is None or operation_of(site.origin) != "pad" or not isinstance(site.node, ast.Call):
            continue
        pads = next((part for part in site.node.args if isinstance(part, (ast.Tuple, ast.List))), None)
        for place, node in reversed(list(enumerate(pads.elts if pads is not None else ()))):
            dim, value = site.tensor.dim() - 1 - place // 2, literal(node)
            fits = more and dim >= 0 and int(site.tensor.shape[dim]) == mistake.given
            if value is not None and value + more >= 0 and fits:
                yield fix(f"Pad {value + more} instead of {value}", site.source.replace(node, str(value + more)))
        parts = [(node, site.source.text_of(node)) for node in (pads.elts if pads is not None else ())]
        for one, other in zip(parts[::2], parts[1::2]):
            if one[1] != other[1]:
                yield fix(f"Pad {one[1]} on both sides", site.source.replace(other[0], one[1]))
                yield fix(f"Pad {other[1]} on both sides", site.source.replace(one[0], other[1]))


def like_the_other(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """Neighbouring dimensions of one operand merged, where the other one has them as one."""
    for source, node, suffix in merging(case, mistake):
        text = source.text_of(node)
        yield fix(f"Use {text if len(text) <= _SHOWN else '…'}{suffix}", chain(source, node, suffix))


def _chain(node: ast.expr) -> tuple[ast.expr, list[ast.Call]]:
    """What a chain of methods begins with, and its calls, the first first."""
    calls: list[ast.Call] = []
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        owner = node.func.value
        if isinstance(owner, ast.Name) and owner.id in _MODULES:
            break
        if isinstance(owner, ast.Attribute) and isinstance(owner.value, ast.Name) and owner.value.id in _MODULES:
            break
        calls.append(node)
        node = owner
    return node, calls[::-1]


def _inserted(source: Source, after: ast.expr, start: ast.expr, step: ast.Call) -> Fix:
    text = source.slice(Range(source.range_of(start).end, source.range_of(step).end)).strip()
    place = source.range_of(after).end
    shown = text if len(text) <= _SHOWN else f".{_attribute(step)}(…)"
    return fix(f"Insert {shown}, as in line {step.lineno}", source.insert(place, text))


def _other_turn(source: Source, own: list[ast.Call], theirs: list[ast.Call]) -> Iterator[Fix]:
    """The order of dimensions that the other chain has, where only it differs."""
    for call, other in zip(own, theirs):
        edits: list[Edit] = []
        if _attribute(call) in _TURNS and len(call.args) == len(other.args):
            for node, new in zip(call.args, other.args):
                if literal(node) is not None and literal(new) is not None and literal(node) != literal(new):
                    edits.append(source.replace(node, source.text_of(new)))
        if edits:
            order = ", ".join(source.text_of(node) for node in other.args)
            yield fix(f"Use {_attribute(call)}({order}), as in line {other.lineno}", *edits)


def _attribute(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
