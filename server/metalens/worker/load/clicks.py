"""click and typer where they are not installed: decorated functions are called with what the command line says."""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Callable, Sequence
from typing import Any, Optional

from metalens.worker.load.commandlines import NOTHING, Wanted, parameters_of, read
from metalens.worker.load.inventions import invented
from metalens.worker.load.unknown import Unknown

STAND_IN = True

_DECLARED = "__metalens_click__"


class Context:
    """What `pass_context` hands over."""

    def __init__(self) -> None:
        self.obj: Any = {}
        self.params: dict[str, Any] = {}
        self.invoked_subcommand = None

    def ensure_object(self, kind: Any) -> Any:
        """An object of that kind, made once."""
        self.obj = self.obj if isinstance(self.obj, kind) else kind()
        return self.obj

    def invoke(self, command: Any, *args: Any, **kwargs: Any) -> Any:
        """Call another command's function."""
        return getattr(command, "callback", command)(*args, **kwargs)


_context = Context()


class Command:
    """A function that is called with the words of a command line."""

    def __init__(self, callback: Callable[..., Any]) -> None:
        self.callback = callback
        self.name = callback.__name__.replace("_", "-")
        self.__name__ = callback.__name__
        self.__doc__ = callback.__doc__

    def __call__(self, args: Any = None, **options: Any) -> Any:
        """Run it."""
        return self.main(args)

    def main(self, args: Any = None, **options: Any) -> Any:
        """Run it."""
        return self.run(list(sys.argv[1:] if args is None else args))

    def run(self, words: Sequence[str]) -> Any:
        """Run it with these words."""
        given, _ = read(list(reversed(getattr(self.callback, _DECLARED, []))), words)
        return self.callback(**given)


class Group(Command):
    """A command of commands; the first word of the command line names one."""

    def __init__(self, callback: Optional[Callable[..., Any]] = None) -> None:
        super().__init__(callback or (lambda: None))
        self.commands: dict[str, Any] = {}

    def add_command(self, command: Any, name: Optional[str] = None) -> None:
        """Add one."""
        self.commands[name or command.name] = command

    def command(self, name: Any = None, **options: Any) -> Any:
        """The decorator that adds a function."""
        return _decorator(Command, name, self)

    def group(self, name: Any = None, **options: Any) -> Any:
        """The decorator that adds a group."""
        return _decorator(Group, name, self)

    def run(self, words: Sequence[str]) -> Any:
        """Its own function, then the command that is named; if none is, all of them."""
        named = next((at for at, word in enumerate(words) if word in self.commands), None)
        super().run(words if named is None else words[:named])
        if named is not None:
            return self.commands[words[named]].run(words[named + 1 :])
        invented("which command is meant")
        for command in list(self.commands.values()):
            command.run([])
        return None


def _decorator(kind: type, name: Any, owner: Optional[Group] = None) -> Any:
    def decorate(function: Callable[..., Any]) -> Any:
        made = kind(function)
        if isinstance(name, str):
            made.name = name
        if owner is not None:
            owner.add_command(made)
        return made

    # `@click.command` may stand without a call.
    return decorate(name) if callable(name) and not isinstance(name, (str, Command, Unknown)) else decorate


def _command(name: Any = None, cls: Any = None, **options: Any) -> Any:
    return _decorator(Group if isinstance(cls, type) and issubclass(cls, Group) else Command, name)


def _group(name: Any = None, **options: Any) -> Any:
    return _decorator(Group, name)


def _declared(make: Callable[..., Wanted]) -> Callable[..., Any]:
    def declare(*names: Any, **options: Any) -> Any:
        def decorate(function: Any) -> Any:
            target = function.callback if isinstance(function, Command) else function
            target.__dict__.setdefault(_DECLARED, []).append(make(names, options))
            return function

        return decorate

    declare.takes_unknown = True  # type: ignore[attr-defined]
    return declare


def _option(names: Sequence[str], options: dict[str, Any]) -> Wanted:
    flags = [part for name in names if name.startswith("-") for part in name.split("/")]
    plain = [name for name in names if not name.startswith("-")]
    name = plain[0] if plain else max((flag for flag in flags if flag), key=len).lstrip("-").replace("-", "_").lower()
    if not plain and "/" in "".join(names):
        name = names[0].partition("/")[0].lstrip("-").replace("-", "_")
    flag = bool(options.get("is_flag")) or "/" in "".join(names)
    several = bool(options.get("multiple")) or options.get("nargs", 1) != 1
    default = options.get("default", False if flag else NOTHING if options.get("required") else () if several else None)
    if default is not NOTHING and callable(default):
        default = default()
    kind = options.get("type") or (type(default) if default is not None and default is not NOTHING else str)
    return Wanted(name, _kind(kind), default, tuple(flags), False, several, flag)


def _argument(names: Sequence[str], options: dict[str, Any]) -> Wanted:
    default = options.get("default", NOTHING if options.get("required", True) else None)
    return Wanted(names[0].lower(), _kind(options.get("type") or str), default, ("",), positional=True)


def _kind(kind: Any) -> Any:
    if isinstance(kind, _Kind):
        return kind.kind
    return kind if kind in (int, float, bool, str) else str if isinstance(kind, Unknown) else kind


class _Kind:
    """A parameter type: `Choice`, `Path`, `IntRange` and their like."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind


def _made(kind: Any) -> Callable[..., _Kind]:
    return lambda *args, **kwargs: _Kind(kind)


def _pass_context(function: Callable[..., Any]) -> Callable[..., Any]:
    def passed(*args: Any, **kwargs: Any) -> Any:
        return function(_context, *args, **kwargs)

    passed.__dict__.update(function.__dict__)
    passed.__name__ = function.__name__
    return passed


# ---------------------------------------------------------------- typer


class Typer(Group):
    """Commands of functions whose parameters say what they want."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__()

    def command(self, name: Any = None, **options: Any) -> Any:
        """The decorator that adds a function, which stays what it is."""

        def decorate(function: Callable[..., Any]) -> Any:
            self.add_command(_Typed(function), name if isinstance(name, str) else None)
            return function

        return decorate

    def callback(self, *args: Any, **options: Any) -> Any:
        """The decorator of what runs before each command; its defaults matter to nobody."""
        return lambda function: function

    def add_typer(self, app: Any, name: Any = None, **options: Any) -> None:
        """Add the commands of another one."""
        self.add_command(app, name or "")

    def run(self, words: Sequence[str]) -> Any:
        """The only command, or the one that is named."""
        if len(self.commands) == 1 and not (words and words[0] in self.commands):
            return next(iter(self.commands.values())).run(words)
        return super().run(words)


class _Typed(Command):
    def run(self, words: Sequence[str]) -> Any:
        wanted = [self._told(item) for item in parameters_of(self.callback)]
        given, _ = read(wanted, words)
        return self.callback(**given)

    def _told(self, item: Wanted) -> Wanted:
        hint = inspect.signature(self.callback).parameters[item.name].annotation
        notes = [part for part in getattr(hint, "__metadata__", ()) if isinstance(part, _Default)]
        default = item.default if item.default is not NOTHING else NOTHING
        if isinstance(default, _Default):
            notes, default = [default], default.value
        kind = typing.get_args(item.kind)[0] if getattr(item.kind, "__metadata__", None) else item.kind
        flags = tuple(flag for note in notes for flag in note.flags if flag.startswith("-"))
        return Wanted(item.name, kind, default, flags, item.positional and default is NOTHING and not flags)


class _Default:
    """`typer.Option(...)`, `typer.Argument(...)`."""

    def __init__(self, default: Any = ..., *flags: Any, **options: Any) -> None:
        if isinstance(default, str) and default.startswith("--"):
            flags, default = (default, *flags), ...  # in `Annotated[int, typer.Option("--n")]` there is no default
        self.value = NOTHING if default is ... else default
        self.flags = tuple(part for flag in flags if isinstance(flag, str) for part in flag.split("/"))


def _run(function: Callable[..., Any]) -> Any:
    return _Typed(function)()


def _echo(*args: Any, **kwargs: Any) -> None:
    return None


_CLICK: dict[str, Any] = {
    "command": _command,
    "group": _group,
    "option": _declared(_option),
    "argument": _declared(_argument),
    "pass_context": _pass_context,
    "Command": Command,
    "Group": Group,
    "Choice": _made(str),
    "Path": _made(str),
    "File": _made(str),
    "Tuple": _made(str),
    "IntRange": _made(int),
    "FloatRange": _made(float),
    "STRING": str,
    "INT": int,
    "FLOAT": float,
    "BOOL": bool,
    "echo": _echo,
    "secho": _echo,
}
_TYPER = {"Typer": Typer, "Option": _Default, "Argument": _Default, "run": _run, "echo": _echo, "Context": Context}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds; None for a module of another package."""
    return {"click": _CLICK, "rich_click": _CLICK, "typer": _TYPER}.get(name)
