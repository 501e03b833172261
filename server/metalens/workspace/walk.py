"""The Python files under a folder, as git would list them, without hidden, generated and foreign folders."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

MAX_FOLDERS = 20_000
PYTHON = (".py",)
PAGES = (".md", ".rst", ".ipynb")
SCRIPTS = (".sh", ".bash", ".slurm", ".sbatch", ".mk", "Makefile", "makefile", "Dockerfile")
CONFIGS = (".yaml", ".yml", ".json", ".toml")
SKIPPED = frozenset({"node_modules", "__pycache__", "site-packages", "dist-packages"})
GENERATED = frozenset({"build", "dist"})
VIRTUAL_ENVIRONMENT = ("pyvenv.cfg", "conda-meta")

# A folder changed less than this ago may change again without a newer time stamp.
_SETTLED_NS = 100_000_000


@dataclass(frozen=True)
class _Rules:
    """The patterns of one ignore file, for paths relative to `folder`."""

    folder: str
    stamp: int
    spec: GitIgnoreSpec

    def decision(self, path: str, *, is_folder: bool) -> bool | None:
        """True: ignored. False: kept by a `!` pattern. None: not mentioned."""
        relative = os.path.relpath(path, self.folder).replace(os.sep, "/")
        return self.spec.check_file(relative + "/" if is_folder else relative).include


@dataclass(frozen=True)
class _Listing:
    """What a folder holds: files with code or command lines in them and the folders to enter, as absolute paths."""

    key: tuple[int, ...]
    files: tuple[str, ...]
    folders: tuple[str, ...]
    rules: tuple[_Rules, ...]


class Walker:
    """Lists folders, and remembers each listing for as long as the folder and its ignore files stay the same."""

    def __init__(self) -> None:
        self._listings: dict[str, _Listing] = {}
        self._rules: dict[str, _Rules] = {}

    def files(self, folder: Path, endings: tuple[str, ...] = PYTHON) -> tuple[str, ...]:
        """The absolute paths of the files in and below `folder`, sorted. Links to folders are not followed.

        `endings` are of `PYTHON`, `PAGES`, `SCRIPTS` and `CONFIGS`.
        """
        found: list[str] = []
        start = os.path.abspath(folder)
        waiting = deque([(start, self._rules_above(start))])
        for _ in range(MAX_FOLDERS):
            if not waiting:
                break
            path, rules = waiting.popleft()
            listing = self._listing(path, rules)
            if listing is None:
                continue
            found.extend(file for file in listing.files if file.endswith(endings))
            waiting.extend((inner, listing.rules) for inner in listing.folders)
        return tuple(sorted(found))

    def _listing(self, folder: str, rules: tuple[_Rules, ...]) -> _Listing | None:
        try:
            changed = os.stat(folder).st_mtime_ns
        except OSError:
            return None
        own = self._rules_of(os.path.join(folder, ".gitignore"), folder)
        key = (changed, *(item.stamp for item in rules), own.stamp if own else 0)
        known = self._listings.get(folder)
        if known is not None and known.key == key:
            return known
        listing = _read(folder, key, rules, own)
        if listing is not None and time.time_ns() - changed > _SETTLED_NS:
            self._listings[folder] = listing
        return listing

    def _rules_above(self, start: str) -> tuple[_Rules, ...]:
        """The ignore files between the top of the repository and `start`, unless they ignore `start` itself."""
        between = [start]
        while not os.path.exists(os.path.join(between[-1], ".git")):
            parent = os.path.dirname(between[-1])
            if parent == between[-1]:
                return ()
            between.append(parent)
        top = between[-1]
        exclude = self._rules_of(os.path.join(top, ".git", "info", "exclude"), top)
        found = [exclude] if exclude else []
        for folder in reversed(between[1:]):
            rules = self._rules_of(os.path.join(folder, ".gitignore"), folder)
            if rules is not None and not rules.decision(start, is_folder=True):
                found.append(rules)
        return tuple(found)

    def _rules_of(self, file: str, folder: str) -> _Rules | None:
        try:
            stamp = os.stat(file).st_mtime_ns
            known = self._rules.get(file)
            if known is not None and known.stamp == stamp:
                return known
            lines = Path(file).read_text(encoding="utf-8", errors="replace").splitlines()
            rules = _Rules(folder, stamp, GitIgnoreSpec.from_lines(lines))
        except (OSError, ValueError):  # a pattern that git would reject ignores nothing
            return None
        self._rules[file] = rules
        return rules


def _read(folder: str, key: tuple[int, ...], above: tuple[_Rules, ...], own: _Rules | None) -> _Listing | None:
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return None
    names = {entry.name for entry in found}
    if any(marker in names for marker in VIRTUAL_ENVIRONMENT):
        return _Listing(key, (), (), ())
    # A repository inside the repository has rules of its own.
    rules = () if ".git" in names and any(item.folder != folder for item in above) else above
    rules = (*rules, own) if own else rules
    files = tuple(entry.path for entry in _files(found) if not _ignored(entry.path, rules, is_folder=False))
    folders = tuple(entry.path for entry in _folders(found) if not _ignored(entry.path, rules, is_folder=True))
    return _Listing(key, files, folders, rules)


def _files(entries: list[os.DirEntry[str]]) -> Iterator[os.DirEntry[str]]:
    endings = PYTHON + PAGES + SCRIPTS + CONFIGS
    return (entry for entry in entries if entry.name.endswith(endings) and entry.name[0] != "." and _is_file(entry))


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link to itself
        return False


def _folders(entries: list[os.DirEntry[str]]) -> Iterator[os.DirEntry[str]]:
    for entry in entries:
        if entry.name[0] == "." or entry.name in SKIPPED or entry.name.endswith(".egg-info"):
            continue
        if not entry.is_dir(follow_symlinks=False):
            continue
        if entry.name in GENERATED and not os.path.exists(os.path.join(entry.path, "__init__.py")):
            continue
        yield entry


def _ignored(path: str, rules: tuple[_Rules, ...], *, is_folder: bool) -> bool:
    """The nearest ignore file that mentions the path decides."""
    for item in reversed(rules):
        decision = item.decision(path, is_folder=is_folder)
        if decision is not None:
            return decision
    return False
