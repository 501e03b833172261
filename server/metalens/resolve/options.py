"""The options that a script's parser knows, and the literals that code compares them with."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

from metalens.resolve.declared import Declared, composed, declared, groups
from metalens.resolve.index import View
from metalens.resolve.layers import dotted
from metalens.resolve.outline import is_main_guard
from metalens.resolve.placed import Place, places
from metalens.resolve.source import Source
from metalens.workspace.documents import Unreadable, Workspace

_CONFIGURES = re.compile(r"config|cfg|conf$|yaml")
_SAYS_CONFIGURATION = re.compile(
    r"\b(config(uration)?|options?|settings?) (ya?ml|json|file)|\bya?ml\b|\bjson file", re.I
)
_NUMBERS = frozenset({"int", "float"})
_FLAGS = frozenset({"store_true", "store_false", "store_const", "append_const", "count", "help", "version"})
_CLICK = frozenset({"option", "argument"})
_ABSL = {
    "DEFINE_string": "",
    "DEFINE_enum": "",
    "DEFINE_integer": "int",
    "DEFINE_float": "float",
    "DEFINE_bool": "bool",
    "DEFINE_config_file": "",
}
_REQUIRING = frozenset({"mark_flag_as_required", "mark_flags_as_required"})


@dataclass(frozen=True)
class Option:
    """An option or, without flags, a positional argument.

    `choices` are the values that the parser allows. `flag`: it takes no value. `open_ended`: it takes several. `files`
    are the configuration files that its values stand for; `assigned`: it is spelled `name=value`.
    `makes_config`: it takes a program that makes a configuration. `computed`: the parser allows some values alone, and
    which they are is computed.
    """

    name: str
    flags: tuple[str, ...]
    required: bool = False
    default: str | None = None
    choices: tuple[str, ...] = ()
    number: bool = False
    flag: bool = False
    open_ended: bool = False
    files: Mapping[str, str] = field(default_factory=dict, hash=False)
    assigned: bool = False
    help: str = ""
    makes_config: bool = False
    computed: bool = False

    @property
    def configures(self) -> bool:
        """Whether it says that it takes a configuration file."""
        named = _CONFIGURES.search(self.name.lower()) or _SAYS_CONFIGURATION.search(self.help)
        return bool(named) and not (self.number or self.flag)

    def spelled(self, value: str) -> tuple[str, ...]:
        """The words that give it the value."""
        flag = max(self.flags, key=len, default="")
        if self.flag:
            return (flag,)
        if self.assigned:
            return (f"{flag}={value}",)
        return (flag, value) if flag else (value,)


@dataclass(frozen=True)
class Use:
    """A literal that an option is compared with, and the names that the code chosen by it speaks of."""

    value: str
    names: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Facts:
    """What one file says: the options it defines, those of them outside its main guard, and the uses of any name.

    `tested` are the names of code that stands under `if args.name:`. `keys` are names used to look something up.
    `composed` are folders and names of configurations that are composed of others. `placed` tells where the files that
    options name are looked for.
    """

    options: tuple[Option, ...] = ()
    shared: tuple[Option, ...] = ()
    uses: Mapping[str, tuple[Use, ...]] = field(default_factory=dict)
    tested: Mapping[str, frozenset[str]] = field(default_factory=dict)
    keys: frozenset[str] = frozenset()
    composed: tuple[tuple[str, str], ...] = ()
    placed: Mapping[str, Place] = field(default_factory=dict)


_KNOWN: WeakKeyDictionary[Workspace, dict[str, tuple[str, Facts]]] = WeakKeyDictionary()


def facts_of(view: View, file: str) -> Facts:
    """What the file says, read once per text."""
    stamp = view.stamp(file)
    if stamp is None or not file.endswith(".py"):
        return Facts()
    known = _KNOWN.setdefault(view.workspace, {})
    if file not in known or known[file][0] != stamp:
        try:
            known[file] = stamp, _read(Source(view.workspace.text(file)).tree)
        except (Unreadable, RecursionError):
            known[file] = stamp, Facts()
    return known[file][1]


def options_of(view: View, script: str, reached: Iterable[str]) -> tuple[Option, ...]:
    """The options of a script, or those of the modules that it imports if it defines none itself."""
    facts = facts_of(view, script)
    own = (*facts.options, *(option for told in facts.composed for option in _grouped(view, script, *told)))
    if own:
        return own
    found: dict[str, Option] = {}
    for file in reached:
        if file != script and _defines_options(view, file):
            for option in facts_of(view, file).shared:
                found.setdefault(option.name, option)
    return tuple(found.values())


def _grouped(view: View, script: str, path: str, name: str) -> Iterator[Option]:
    for group in groups(view, script, path, name):
        flags = (group.name,) if group.name else ("--config-name",)
        yield Option(
            group.name or "config-name", flags, default=group.default, files=group.files, assigned=bool(group.name)
        )


def _defines_options(view: View, file: str) -> bool:
    try:
        text = view.workspace.text(file)
    except Unreadable:
        return False
    return ".add_argument(" in text or ".DEFINE_" in text


def _read(tree: ast.Module) -> Facts:
    reader = _Reader(_constants(tree))
    guarded = [node for node in tree.body if is_main_guard(node)]
    shared = [option for node in tree.body if node not in guarded for option in reader.options_in(node)]
    options = [*shared, *(option for node in guarded for option in reader.options_in(node))]
    options += [_of_declared(item) for item in declared(tree)]
    for node in ast.walk(tree):
        reader.look_at(node)
    options, shared = (
        [replace(each, required=True) if each.name in reader.required else each for each in found]
        for found in (options, shared)
    )
    uses = {name: tuple(found) for name, found in reader.uses.items()}
    tested = {name: frozenset(found) for name, found in reader.tested.items()}
    return Facts(
        _distinct(options), _distinct(shared), uses, tested, frozenset(reader.keys), composed(tree), places(tree)
    )


def _of_declared(item: Declared) -> Option:
    default = _text(item.default)
    number = item.kind in _NUMBERS or isinstance(getattr(item.default, "value", ""), (int, float))
    return Option(
        item.name, (f"--{item.name}",), item.default is None, default, item.choices, number, item.kind == "bool"
    )


def _distinct(options: Iterable[Option]) -> tuple[Option, ...]:
    """Each once, with all its choices: the commands of a parser are added one by one."""
    found: dict[tuple[str, tuple[str, ...]], Option] = {}
    for option in options:
        known = found.setdefault((option.name, option.flags), option)
        choices = tuple(dict.fromkeys((*known.choices, *option.choices)))
        found[option.name, option.flags] = replace(known, choices=choices)
    return tuple(found.values())


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    """The literal lists and dictionaries at the top level."""
    return {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, (ast.List, ast.Tuple, ast.Dict, ast.Set))
        for target in node.targets
        if isinstance(target, ast.Name)
    }


@dataclass
class _Reader:
    constants: dict[str, ast.expr]
    uses: dict[str, dict[Use, None]] = field(default_factory=dict)
    tested: dict[str, set[str]] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    required: set[str] = field(default_factory=set)

    def options_in(self, node: ast.AST) -> Iterator[Option]:
        """The options that are defined anywhere within a statement, in order."""
        commands: list[str] = []
        for call in [item for item in ast.walk(node) if isinstance(item, ast.Call)]:
            name = dotted(call.func).rpartition(".")[2] or getattr(call.func, "attr", "")
            first = _text(call.args[0]) if call.args else None
            if first is None:
                continue
            if name == "add_argument" or (name in _CLICK and first.startswith("-")):
                yield self._argument(call)
            elif name == "add_parser":
                commands.append(first)
            elif name in _ABSL:
                choices = self._literals(call.args[2]) if name == "DEFINE_enum" and len(call.args) > 2 else ()
                default = _text(call.args[1]) if len(call.args) > 1 else None
                number = _ABSL[name] in _NUMBERS
                option = Option(first, (f"--{first}",), False, default, choices, number, _ABSL[name] == "bool")
                yield replace(option, makes_config=name == "DEFINE_config_file")
        if commands:
            yield Option("", (), True, None, tuple(dict.fromkeys(commands)))

    def _argument(self, call: ast.Call) -> Option:
        words = [text for item in call.args if (text := _text(item)) is not None]
        flags = tuple(word for word in words if word.startswith("-"))
        given = {item.arg: item.value for item in call.keywords if item.arg}
        name = max(flags, key=len).lstrip("-").replace("-", "_") if flags else words[0]
        count = _text(given["nargs"]) if "nargs" in given else None
        kind = dotted(given["type"]) if "type" in given else ""
        optional = count in ("?", "*") or ("default" in given and not flags)
        choices = self._literals(given.get("choices", given.get("type")))
        return Option(
            name=_text(given.get("dest")) or name,
            flags=flags,
            required=_is_true(given.get("required")) or not (flags or optional),
            default=_text(given.get("default")),
            choices=choices,
            number=kind in _NUMBERS or isinstance(getattr(given.get("default"), "value", ""), (int, float)),
            flag=_text(given.get("action")) in _FLAGS or _is_true(given.get("is_flag")),
            open_ended=count is not None and count != "?",
            help=_text(given.get("help")) or "",
            computed="choices" in given and not choices,
        )

    def _literals(self, node: ast.expr | None) -> tuple[str, ...]:
        """The literals of a list, a range, a named constant, the keys of a dictionary or a `Choice(...)`."""
        if isinstance(node, ast.Name):
            node = self.constants.get(node.id)
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            return tuple(text for item in node.elts if (text := _text(item)) is not None)
        if isinstance(node, ast.Dict):
            return tuple(text for item in node.keys if (text := _text(item)) is not None)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "keys":
            return self._literals(node.func.value)
        if isinstance(node, ast.Call) and node.args:
            return self._literals(node.args[0])
        return ()

    def look_at(self, node: ast.AST) -> None:
        """Note what a node says about the values of options."""
        if isinstance(node, ast.If):
            self._test(node.test, _names(node.body))
        elif isinstance(node, ast.IfExp):
            self._test(node.test, _names([node.body]))
        elif isinstance(node, ast.Compare):
            self._compare(node, frozenset())
        elif isinstance(node, ast.Match):
            for case in node.cases:
                for pattern in ast.walk(case.pattern):
                    if isinstance(pattern, ast.MatchValue):
                        self._use(_name(node.subject), pattern.value, _names(case.body))
        elif isinstance(node, ast.Subscript):
            self._look_up(node.value, node.slice)
        elif isinstance(node, ast.Call):
            called = dotted(node.func).rpartition(".")[2] or getattr(node.func, "attr", "")
            if called == "get" and node.args and isinstance(node.func, ast.Attribute):
                self._look_up(node.func.value, node.args[0])
            elif called == "getattr" and len(node.args) > 1:
                self.keys.add(_name(node.args[1]))
            elif called in _REQUIRING and node.args:
                self.required.update(self._literals(node.args[0]) or [_text(node.args[0]) or ""])
            elif called == "import_module" and node.args:
                self.keys.update(_name(item) for item in ast.walk(node.args[0]) if isinstance(item, ast.expr))

    def _test(self, test: ast.expr, names: frozenset[str]) -> None:
        for item in ast.walk(test):
            if isinstance(item, ast.Compare):
                self._compare(item, names)
            elif isinstance(item, ast.Attribute):
                self.tested.setdefault(item.attr, set()).update(names)

    def _compare(self, node: ast.Compare, names: frozenset[str]) -> None:
        if len(node.ops) != 1:
            return
        left, right = node.left, node.comparators[0]
        if isinstance(node.ops[0], (ast.Eq, ast.NotEq)):
            self._use(_name(left), right, names)
            self._use(_name(right), left, names)
        elif isinstance(node.ops[0], (ast.In, ast.NotIn)):
            items = right.elts if isinstance(right, (ast.List, ast.Tuple, ast.Set)) else []
            for item in items:
                self._use(_name(left), item, names)
            self._use(_name(right), left, names)

    def _look_up(self, table: ast.expr, key: ast.expr) -> None:
        name = _name(key)
        if not name:
            return
        if isinstance(table, ast.Name):
            table = self.constants.get(table.id, table)
        if isinstance(table, ast.Dict):
            for item, value in zip(table.keys, table.values, strict=True):
                self._use(name, item, _names([value]))
        else:
            self.keys.add(name)

    def _use(self, name: str, value: ast.expr | None, names: frozenset[str]) -> None:
        text = _text(value)
        if name and text:
            self.uses.setdefault(name, {})[Use(text, names)] = None


def joined(facts: Iterable[Facts]) -> Facts:
    """What several files say together, each value once."""
    uses: dict[str, dict[str, Use]] = {}
    tested: dict[str, frozenset[str]] = {}
    keys: frozenset[str] = frozenset()
    placed: dict[str, Place] = {}
    for item in facts:
        keys |= item.keys
        placed = {**item.placed, **placed}
        for name, names in item.tested.items():
            tested[name] = tested.get(name, frozenset()) | names
        for name, found in item.uses.items():
            known = uses.setdefault(name, {})
            for use in found:
                before = known.get(use.value)
                known[use.value] = replace(use, names=use.names | before.names) if before else use
    told = {name: tuple(found.values()) for name, found in uses.items()}
    return Facts(uses=told, tested=tested, keys=keys, placed=placed)


def _name(node: ast.AST) -> str:
    """The last name of `args.model`, `model`, `args["model"]` or `args.model.lower()`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args:
        node = node.func.value
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Subscript):
        return _text(node.slice) or ""
    return ""


def _names(nodes: Iterable[ast.AST]) -> frozenset[str]:
    """The names that code speaks of, texts that are names included: classes are also looked up by name."""
    found: set[str] = set()
    for node in [item for part in nodes for item in ast.walk(part)]:
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.alias):
            found.add(node.name.rpartition(".")[2])
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            found.add(node.value)
    return frozenset(found)


def _text(node: ast.AST | None) -> str | None:
    """A literal as it would stand on a command line."""
    if (
        isinstance(node, ast.Constant)
        and isinstance(node.value, (str, int, float))
        and not isinstance(node.value, bool)
    ):
        return str(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _text(node.operand)
        return f"-{inner}" if inner is not None else None
    return None


def _is_true(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True
