"""The commands of a shell script, without running it: variables, loops and functions as far as they can be told.

A word, or the part of one, that cannot be told is `UNTOLD`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

UNTOLD = "\0"

MAX_COMMANDS = 200
_MAX_ROUNDS = 12  # values of a loop that are tried, and calls of a function that are followed
_MAX_DEPTH = 6

_TOKEN = re.compile(
    r"""
    (?P<skip> (?:[ \t]|\\(?:\n|\Z))+ | (?<![^\s;&|()]) \#[^\n]* )
  | (?P<heredoc> <<-?[ \t]*(?P<quote>["']?)(?P<mark>\w+)(?P=quote) [^\n]*
        \n (?:[^\n]*\n)*? [ \t]*(?P=mark)[ \t]*(?=\n|\Z) )
  | (?P<redirect> \d*(?:&>>?|>>?|<)&?[ \t]*(?:[^\s;&|()<>]+)? )
  | (?P<operator> \n | ;;? | &&? | \|[|&]? | [()] )
  | (?P<word> (?: [^\W\d]\w*\+?=\([^()]*\)
        | \$\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\) | \$\{[^{}]*\} | `[^`]*`
        | '[^']*' | "(?:\\.|[^"\\])*" | \\. | [^\s;&|()<>'"`\\] | ['"`\\] )+ )
    """,
    re.VERBOSE | re.DOTALL,
)
_PIECE = re.compile(
    r"""
    '(?P<single>[^']*)' | "(?P<double>(?:\\.|[^"\\])*)" | \\(?P<escaped>.) | `[^`]*`
  | \$\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)
  | \$\{(?P<braced>[^{}]*)\} | \$(?P<name>[^\W\d]\w*|[\d@*\#?$!]) | (?P<plain>[^'"\\`$]+ | .)
    """,
    re.VERBOSE | re.DOTALL,
)
_PARAMETER = re.compile(
    r"(?P<mark>[!\#]?)(?P<name>\w+|[@*])(?:\[(?P<index>[^\]]*)\])?(?:(?P<operator>:?[-=+?])(?P<word>.*))?"
)
_ASSIGNMENT = re.compile(r"(?P<name>[^\W\d]\w*)(?P<more>\+?)=(?P<value>.*)", re.DOTALL)
_RANGE = re.compile(r"\{(-?\d+)\.\.(-?\d+)\}")
_BRACES = re.compile(r"\{([^{},]*(?:,[^{},]*)+)\}")

_NUMBERED = (*"123456789", "@", "*")
_REST = re.compile(r"\$\{@:([1-9])\}")

_NOISE = frozenset({"if", "then", "elif", "else", "fi", "do", "esac", "case", "!", "time", "nohup", "exec", "sudo"})
_DECLARING = frozenset({"export", "local", "declare", "readonly", "typeset", "set"})


@dataclass(frozen=True)
class Command:
    """The words of a command, the folder that the script changed to (empty: none), and the function that it is in."""

    words: tuple[str, ...]
    folder: str = ""
    function: str = ""


@dataclass(frozen=True)
class _Simple:
    words: tuple[str, ...]


@dataclass(frozen=True)
class _Loop:
    name: str
    values: tuple[str, ...]
    body: tuple[_Node, ...]


@dataclass(frozen=True)
class _Function:
    name: str
    body: tuple[_Node, ...]


@dataclass(frozen=True)
class _Subshell:
    body: tuple[_Node, ...]


_Node = _Simple | _Loop | _Function | _Subshell


def commands(text: str, arguments: Sequence[str] = ()) -> tuple[Command, ...]:
    """The commands that may run a Python file or a shell script, in order, at most `MAX_COMMANDS`. Never raises.

    Of a loop each value is taken, of a loop within a loop the first. A function that nobody calls is run once.
    `arguments` are those of the script; those that are not given cannot be told.
    """
    nodes = _Parser(text).block(())
    shell = _Shell()
    shell.number(arguments)
    shell.run(nodes, 0)
    for name in [name for name in shell.functions if name not in shell.called]:
        shell.call(name, (), 0)
    return tuple(dict.fromkeys(shell.found))[:MAX_COMMANDS]


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0

    def block(self, ends: Sequence[str], depth: int = 0) -> tuple[_Node, ...]:
        """The statements up to one that begins with a word of `ends`, or to the end."""
        nodes: list[_Node] = []
        while self._at < len(self._tokens):
            operator, word = self._tokens[self._at]
            if (operator or not ends or depth) and word in ends:
                self._at += 1
                break
            if operator == "(":
                self._at += 1
                nodes.append(_Subshell(self.block((")",), depth + 1) if depth < _MAX_DEPTH else ()))
            elif operator:
                self._at += 1
            else:
                nodes.extend(self._statement(depth))
        return tuple(nodes)

    def _statement(self, depth: int) -> Iterator[_Node]:
        words = self._words()
        while words and words[0] in _NOISE:
            del words[0]
        if not words:
            return
        deep = depth < _MAX_DEPTH
        if words[0] == "for" and len(words) > 1:
            values = tuple(words[3:]) if words[2:3] == ["in"] else (UNTOLD,)
            self._skip_to("do")
            yield _Loop(words[1], values, self.block(("done",), depth + 1) if deep else ())
        elif words[0] in ("while", "until", "select"):
            self._skip_to("do")
            yield from self.block(("done",), depth + 1) if deep else ()
        elif words[0] == "function" and len(words) > 1:
            yield self._function(words[1], "{" in words, depth)
        elif len(words) == 1 and [item for item, _ in self._tokens[self._at : self._at + 2]] == ["(", ")"]:
            self._at += 2
            yield self._function(words[0], False, depth)
        elif words[0] == "{":
            self._at -= len(words) - 1
            yield from self.block(("}",), depth + 1) if deep else ()
        else:
            yield _Simple(tuple(words))

    def _function(self, name: str, opened: bool, depth: int) -> _Node:
        if not opened:
            self._skip_to("{")
        return _Function(name, self.block(("}",), depth + 1) if depth < _MAX_DEPTH else ())

    def _words(self) -> list[str]:
        """The words up to the next operator."""
        start = self._at
        while self._at < len(self._tokens) and not self._tokens[self._at][0]:
            self._at += 1
        words = [word for _, word in self._tokens[start : self._at]]
        if words[0] in ("do", "then", "else") and len(words) > 1:
            # `do for x in ...`: what follows is a statement of its own
            self._at = start + 1
            return words[:1]
        return words

    def _skip_to(self, word: str) -> None:
        """Just behind the word, if it comes within a few lines."""
        for at in range(self._at, min(self._at + 60, len(self._tokens))):
            if self._tokens[at][1] == word:
                self._at = at + 1
                return


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """Pairs of an operator (or nothing) and its text."""
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:  # what no rule knows is left out
            at += 1
            continue
        at = found.end()
        if found["operator"]:
            yield found["operator"], found["operator"]
        elif found["word"]:
            yield "", found["word"]
        elif found["heredoc"]:
            yield "\n", "\n"


@dataclass
class _Shell:
    variables: dict[str, list[str]] = field(default_factory=dict)
    functions: dict[str, tuple[_Node, ...]] = field(default_factory=dict)
    called: dict[str, int] = field(default_factory=dict)
    folder: str = ""
    function: str = ""
    found: list[Command] = field(default_factory=list)

    def run(self, nodes: Sequence[_Node], loops: int, depth: int = 0) -> None:
        """`loops` says how many loops this is in."""
        for node in nodes:
            if len(self.found) >= MAX_COMMANDS or depth > 3 * _MAX_DEPTH:
                return
            if isinstance(node, _Simple):
                self._simple(node.words, loops, depth)
            elif isinstance(node, _Function):
                self.functions[node.name] = node.body
            elif isinstance(node, _Subshell):
                folder = self.folder
                self.run(node.body, loops, depth + 1)
                self.folder = folder
            else:
                values = self._expand_all(node.values) or [UNTOLD]
                for value in values[: 1 if loops else _MAX_ROUNDS]:
                    self.variables[node.name] = [value]
                    self.run(node.body, loops + 1, depth + 1)

    def call(self, name: str, arguments: Sequence[str], loops: int, depth: int = 0) -> None:
        """Run a function, if it was not run often enough."""
        self.called[name] = self.called.get(name, 0) + 1
        if self.called[name] > _MAX_ROUNDS or depth > _MAX_DEPTH:
            return
        before = {key: self.variables.get(key) for key in _NUMBERED}
        self.number(arguments)
        self.variables.update({"@": list(arguments), "*": list(arguments)})
        outer, self.function = self.function, name
        self.run(self.functions[name], loops, depth + 1)
        self.function = outer
        for key, value in before.items():
            self.variables.pop(key, None)
            if value is not None:
                self.variables[key] = value

    def number(self, arguments: Sequence[str]) -> None:
        """These are what `$1` and so on stand for; without any, nobody can tell what they do."""
        for key in _NUMBERED:
            self.variables.pop(key, None)
        self.variables.update({str(number): [word] for number, word in enumerate(arguments[:9], 1)})
        if arguments:
            self.variables.update({"@": list(arguments), "*": list(arguments)})

    def _simple(self, raw: tuple[str, ...], loops: int, depth: int) -> None:
        words = raw[1:] if raw[0] in _DECLARING else raw
        while words and self._assign(words[0]):
            words = words[1:]
        if not words or raw[0] in _DECLARING:
            return
        told = self._expand_all(words)
        if not told:
            return
        if told[0] in ("cd", "pushd"):
            self._change_folder(told[1] if len(told) > 1 else UNTOLD)
        elif told[0] == "popd":
            self.folder = ""
        elif told[0] in self.functions:
            self.call(told[0], told[1:], loops, depth)
        elif told[0] == "shift":
            self.number(self.variables.get("@", ())[1:])
        elif any(".py" in word or word == "-m" or word.endswith(".sh") for word in told):
            inner = [word for word in told if " " in word and ".py " in word]
            if inner and depth < _MAX_DEPTH:  # bash -c "...", sbatch --wrap "...", echo "..."
                self.run(_Parser(inner[0]).block(()), loops, depth + _MAX_DEPTH)
            else:
                self.found.append(Command(tuple(told), self.folder, self.function))

    def _assign(self, word: str) -> bool:
        found = _ASSIGNMENT.fullmatch(word)
        if found is None:
            return False
        name, value = found["name"], found["value"]
        if value.startswith("("):
            values = self._expand_all(part for operator, part in _tokens(value[1:-1]) if not operator)
        else:
            values = [self._text(value)]
        if found["more"]:
            known = self.variables.get(name, [""])
            values = [*known, *values] if value.startswith("(") else ["".join((*known[:1], *values))]
        self.variables[name] = values
        return True

    def _change_folder(self, to: str) -> None:
        if to == "-" or UNTOLD in to:
            self.folder = ""
        else:
            self.folder = to if not self.folder or to.startswith("/") else f"{self.folder}/{to}"

    def _expand_all(self, words: Sequence[str] | Iterator[str]) -> list[str]:
        return [item for word in words for item in self._expand(word)]

    def _expand(self, word: str) -> list[str]:
        """The words that one becomes: none if it is empty, several if it holds blanks without quotes or braces."""
        lone = word.strip('"')
        rest = _REST.fullmatch(lone)
        if rest:
            return list(self.variables.get("@", ())[int(rest[1]) - 1 :])
        if word.startswith(('"${', "${")) and ("[@]" in word or "[*]" in word) and lone.endswith("}"):
            found = _PARAMETER.fullmatch(lone[2:-1])
            if found and found["name"] in self.variables and not found["operator"]:
                values = self.variables[found["name"]]
                return [str(index) for index in range(len(values))] if found["mark"] == "!" else list(values)
        if lone in ("$@", "$*", "${@}"):
            return list(self.variables.get("@", ()))
        if not any(sign in word for sign in "'\"\\`$"):
            return _with_braces(word)
        text = self._text(word)
        if any(sign in word for sign in "'\""):
            return [text]
        return text.split()

    def _text(self, word: str) -> str:
        parts = []
        for found in _PIECE.finditer(word):
            if found["single"] is not None:
                parts.append(found["single"])
            elif found["double"] is not None:
                parts.append(self._text(found["double"].replace("'", "\\'")))
            elif found["escaped"] is not None:
                parts.append("" if found["escaped"] == "\n" else found["escaped"])
            elif found["braced"] is not None:
                parts.append(self._parameter(found["braced"]))
            elif found["name"] is not None:
                parts.append(self._parameter(found["name"]))
            else:
                parts.append(found["plain"] or UNTOLD)
        return "".join(parts)

    def _parameter(self, text: str) -> str:
        found = _PARAMETER.fullmatch(text)
        if found is None or found["mark"]:
            return UNTOLD
        values = self.variables.get(found["name"])
        if found["index"] is not None and found["index"] not in "@*" and values is not None:
            index = self._text(found["index"] if "$" in found["index"] else f"${found['index']}")
            index = index if index.isdigit() else found["index"]
            values = [values[int(index)]] if index.isdigit() and int(index) < len(values) else None
        if values is None and found["operator"] in (":-", "-", ":=", "="):
            return self._text(found["word"])
        if found["operator"] in (":+", "+"):
            return self._text(found["word"]) if values else ""
        return " ".join(values) if values is not None else UNTOLD


def _with_braces(word: str) -> list[str]:
    """`{1..3}` and `{a,b}` written out."""
    numbers = _RANGE.search(word)
    if numbers:
        first, last = int(numbers[1]), int(numbers[2])
        step = 1 if last >= first else -1
        inner = [str(number) for number in range(first, last + step, step)[:_MAX_ROUNDS]]
    else:
        braces = _BRACES.search(word)
        if braces is None:
            return [word]
        numbers, inner = braces, braces[1].split(",")
    return [word[: numbers.start()] + item + word[numbers.end() :] for item in inner]
