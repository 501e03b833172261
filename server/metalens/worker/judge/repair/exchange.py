"""One thing written where another was meant: swapped arguments, another layer, another variable, another size."""

from __future__ import annotations

import ast
import inspect
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator

from metalens.protocol.messages import Fix
from metalens.worker.judge.case import Case, Mistake, layer_word
from metalens.worker.judge.repair.constants import distinct, names_before
from metalens.worker.judge.repair.edits import fix, literal
from metalens.worker.judge.repair.near import Site, constructions, local_names, sites
from metalens.worker.judge.repair.sizes import holder_of
from metalens.worker.judge.source import Source, source_of
from metalens.worker.judge.torchkind import parameters_of

_PER_SITE = 3
_SHOWN = 32


def swapped_in_constructor(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """`nn.Linear(50, 320)` for `nn.Linear(320, 50)`: two neighbouring arguments exchanged where a layer is built."""
    for built in constructions(case, mistake):
        yield from _swapped(built.source, built.call, 3)


def misnamed(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """`Embedding(d_model, c_in)` where the parameters are `c_in, d_model`: each goes where its name says."""
    for built in constructions(case, mistake):
        names = parameters_of(type(built.module))
        given = [(arg, _last_name(arg)) for arg in built.call.args[: len(names)]]
        if any(isinstance(arg, ast.Starred) for arg in built.call.args):
            continue
        for (one, (left, own)), (other, (right, its)) in itertools.combinations(enumerate(given), 2):
            if own != names[one] and its != names[other] and (own == names[other] or its == names[one]):
                texts = built.source.text_of(left), built.source.text_of(right)
                title = f"Swap {texts[0]} and {texts[1]} in {built.source.text_of(built.call.func)}"
                yield fix(title, built.source.replace(left, texts[1]), built.source.replace(right, texts[0]))


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def swapped_in_call(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """Two neighbouring arguments exchanged in a call in forward."""
    for site in sites(case, mistake):
        if isinstance(site.node, ast.Call):
            yield from _swapped(site.source, site.node, 4)


def forgotten_attribute(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """An attribute of the same object that is made and used nowhere, where one stands that is used elsewhere too."""
    for site, node, made, used in _attribute_uses(case, mistake):
        for name in made:
            if not used[name] and used[node.attr] > 1 and made[name]:
                yield fix(f"Use self.{name}", site.source.replace(node, f"self.{name}"))


def other_attribute(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """Another attribute of the same object: one that is used nowhere, then one that was made in the same way."""
    for site, node, made, used in _attribute_uses(case, mistake):
        others = [name for name in made if name != node.attr and _may_stand(case, site.source, node, name)]
        # What a call made stands for something else than what was handed in.
        unused = [name for name in others if not used[name] and bool(made[name]) == bool(made.get(node.attr))]
        alike = [name for name in others if used[name] and made[name] and made[name] == made.get(node.attr)]
        for name in [*unused, *sorted(alike, key=lambda name, own=node.attr: _distance(name, own))][:_PER_SITE]:  # type: ignore[misc]
            yield fix(f"Use self.{name}", site.source.replace(node, f"self.{name}"))


def forgotten_variable(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """What was made of the variable that stands here, and is never read."""
    for site, node, names in _variable_uses(case, mistake):
        scope = site.function or site.source.tree
        for statement in ast.walk(scope):
            if not isinstance(statement, ast.Assign) or statement.lineno >= node.lineno:
                continue
            parts = {part.id for part in ast.walk(statement.value) if isinstance(part, ast.Name)}
            for target in statement.targets:
                if isinstance(target, ast.Name) and names.get(target.id) == 0 and node.id in parts:
                    yield fix(f"Use {target.id}", site.source.replace(node, target.id))


def other_variable(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """Another local variable, the one that was bound last first."""
    for site, node, names in _variable_uses(case, mistake):
        taken = {part.id for part in ast.walk(site.node) if isinstance(part, ast.Name)}
        for name in [name for name in names if name not in taken][:_PER_SITE]:
            yield fix(f"Use {name}", site.source.replace(node, name))


def other_element(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """Another element of a list of layers in a call: `self.layers[i]` for `self.layers[i - 1]`."""
    for site in sites(case, mistake):
        function = site.node.func if isinstance(site.node, ast.Call) else None
        if isinstance(function, ast.Subscript):
            yield from _other_items(site.source, function)


def other_index(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """The item before or after: `shape[1]` for `shape[0]`, `layers[i]` for `layers[i - 1]`."""
    nodes = [(site.source, part) for site in sites(case, mistake)[:6] for part in ast.walk(site.node)]
    nodes += [(built.source, part) for built in constructions(case, mistake)[:4] for part in ast.walk(built.call)]
    for source, node in nodes:
        if isinstance(node, ast.Subscript):
            yield from _other_items(source, node)


def _other_items(source: Source, node: ast.Subscript) -> Iterator[Fix]:
    index, value = node.slice, literal(node.slice)
    texts: list[str] = []
    if isinstance(index, ast.BinOp) and literal(index.right) == 1:
        texts = [source.text_of(index.left)]
    elif isinstance(index, ast.Name):
        texts = [f"{index.id} + 1", f"{index.id} - 1"]
    elif value is not None:
        texts = [str(value - 1), str(value + 1)]
    for text in texts:
        yield fix(f"Use {source.text_of(node.value)}[{text}]", source.replace(index, text))


def other_size(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """Another name of the constructor that holds another whole number, for an argument of a layer near the mistake."""
    wanted = {size for size in (mistake.expected, mistake.given) if size}
    rest: list[Fix] = []
    for built in constructions(case, mistake):
        scope = built.source.function_at(built.call.lineno - 1)
        holder = case.facts.built_of(holder_of(case, built.module))
        if scope is None or holder is None:
            continue
        names = distinct(names_before(holder, scope, built.call.lineno))
        for node in _values(built.call):
            if not isinstance(node, (ast.Name, ast.Attribute)):
                continue
            written = built.source.text_of(node)
            for name, value in names.items():
                if name != written and value != names.get(written):
                    title = f"Use {name} for {written} in {layer_word(case, built.module)}"
                    found = fix(title, built.source.replace(node, name))
                    if value in wanted:
                        yield found
                    else:
                        rest.append(found)
    yield from rest


def other_default(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """A default of the models around the mistake that is one of the two sizes, made the other one."""
    if not mistake.expected or not mistake.given:
        return
    sizes = {mistake.expected: mistake.given, mistake.given: mistake.expected}
    for call in case.failure.modules:
        code = getattr(inspect.unwrap(type(call.module).__init__), "__code__", None)
        source = source_of(case.facts, code.co_filename) if code is not None else None
        scope = source.function_at(code.co_firstlineno - 1) if source is not None and code is not None else None
        if source is None or scope is None:
            continue
        plain = (*scope.args.posonlyargs, *scope.args.args)
        defaults = [*zip(plain[::-1], scope.args.defaults[::-1]), *zip(scope.args.kwonlyargs, scope.args.kw_defaults)]
        for part, node in defaults:
            new = sizes.get(literal(node) or 0)
            if node is not None and new is not None:
                title = f"Change the default of {part.arg} in {type(call.module).__name__} to {new}"
                yield fix(title, source.replace(node, str(new)))


def as_others_do(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """A number that other calls of the same kind in this class write in this place, where none writes this one."""
    for built in constructions(case, mistake):
        owner = next((n for n in built.source.enclosing(built.call) if isinstance(n, ast.ClassDef)), built.source.tree)
        function = built.source.text_of(built.call.func)
        others = [
            call
            for call in ast.walk(owner)
            if isinstance(call, ast.Call) and call is not built.call and built.source.text_of(call.func) == function
        ]
        for key, node in _places(built.call):
            value = literal(node)
            if value is None:
                continue
            counts = Counter(literal(other) for call in others for place, other in _places(call) if place == key)
            for new, count in counts.most_common(1) if not counts[value] else ():
                if new is not None and count > 1:
                    title = f"Change {built.source.text_of(node)} to {new} in {layer_word(case, built.module)}"
                    yield fix(title, built.source.replace(node, str(new)))


def as_other_calls_do(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """A number in a call of a function that builds layers, `make_layer(64, 4)`, where the others agree on another."""
    seen: set[ast.AST] = set()
    for built in constructions(case, mistake):
        scope = built.source.function_at(built.call.lineno - 1)
        if scope is None or scope.name == "__init__" or scope in seen:
            continue
        seen.add(scope)
        nodes = (node for node in built.source.nodes if isinstance(node, ast.Call))
        calls = [node for node in nodes if built.source.text_of(node.func) in (scope.name, f"self.{scope.name}")]
        for call in calls:
            for key, node in _places(call):
                same = [literal(part) for other in calls if other is not call for k, part in _places(other) if k == key]
                value, new = literal(node), same[0] if same else None
                if value is not None and new is not None and value != new and len(set(same)) == 1:
                    yield fix(f"Change {value} to {new} in line {node.lineno}", built.source.replace(node, str(new)))


def _attribute_uses(case: Case, mistake: Mistake) -> Iterator[tuple[Site, ast.Attribute, dict[str, str], Counter[str]]]:
    """Attributes in the expressions near a mistake, with what their class makes, and how often it reads each."""
    for site in sites(case, mistake):
        owner = next((n for n in site.source.enclosing(site.node) if isinstance(n, ast.ClassDef)), None)
        if owner is not None:
            made, used = _attributes(owner)
            whole = site.source.statement_of(site.node) or site.node
            own = _own_attributes(site.node)
            others = [node for node in _own_attributes(whole) if node not in own]
            yield from ((site, node, made, used) for node in (*own, *others))


def _may_stand(case: Case, source: Source, node: ast.Attribute, name: str) -> bool:
    """Whether an attribute can be called, if the one in whose place it is put is called there."""
    parent = source.parents.get(node)
    if not isinstance(parent, ast.Call) or parent.func is not node:
        return True
    known = [{**vars(call.module), **call.module._modules} for call in case.failure.modules]
    return any(callable(own[name]) for own in known if name in own) or not any(name in own for own in known)


def _variable_uses(case: Case, mistake: Mistake) -> Iterator[tuple[Site, ast.Name, dict[str, int]]]:
    """Variables in the expressions near a mistake, with those that are bound there."""
    for site in sites(case, mistake):
        names = local_names(site.function or site.source.tree, site.node.lineno)
        yield from ((site, node, names) for node in _operands(site.node))


def _swapped(source: Source, call: ast.Call, most: int) -> Iterator[Fix]:
    plain = [arg for arg in call.args if not isinstance(arg, ast.Starred)][:most]
    for place, right in enumerate(plain[1:]):
        left = plain[place]
        one, two = source.text_of(left), source.text_of(right)
        if one != two and len(one) + len(two) <= _SHOWN and "\n" not in source.slice(source.range_of(call)):
            function = source.text_of(call.func)
            yield fix(f"Swap {one} and {two} in {function}", source.replace(left, two), source.replace(right, one))


def _attributes(owner: ast.ClassDef) -> tuple[dict[str, str], Counter[str]]:
    """The attributes that a class sets, with what makes each (`nn.Linear`), and how often each is read."""
    made: dict[str, str] = {}
    used: Counter[str] = Counter()
    for node in ast.walk(owner):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if _is_own(target) and isinstance(target, ast.Attribute):
                    made[target.attr] = ast.unparse(node.value.func) if isinstance(node.value, ast.Call) else ""
        elif _is_own(node) and isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            used[node.attr] += 1
    return made, used


def _own_attributes(node: ast.AST) -> list[ast.Attribute]:
    return [n for n in ast.walk(node) if _is_own(n) and isinstance(n, ast.Attribute)][:3]


def _is_own(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"


def _operands(node: ast.expr) -> Iterable[ast.Name]:
    """The variables that an expression takes itself, not those deeper in it, and not the name of what it calls."""
    if isinstance(node, ast.Call):
        owner = [node.func.value] if isinstance(node.func, ast.Attribute) else []
        return [each for each in (*node.args, *owner) if isinstance(each, ast.Name) and each.id != "self"]
    if isinstance(node, ast.BinOp):
        return [each for each in (node.right, node.left) if isinstance(each, ast.Name)]
    return []


def _values(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def _places(call: ast.Call) -> list[tuple[object, ast.expr]]:
    """Arguments with their positions or names; of a tuple its items."""
    pairs: list[tuple[object, ast.expr]] = [*enumerate(call.args), *((k.arg, k.value) for k in call.keywords)]
    flat: list[tuple[object, ast.expr]] = []
    for key, node in pairs:
        if isinstance(node, (ast.Tuple, ast.List)):
            flat += [((key, place), item) for place, item in enumerate(node.elts)]
        else:
            flat.append((key, node))
    return flat


def _distance(one: str, other: str) -> int:
    """Small for names that begin and end alike."""
    start = next((i for i, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))
    return abs(len(one) - len(other)) - start
