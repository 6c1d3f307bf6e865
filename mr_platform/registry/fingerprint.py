"""Code versions: a short hash of what an asset's numbers follow from.

Here: hashes of expanded declarations and of source files.
Not here: which partitions are stale (``orchestration/``).

Comments, formatting, docstrings and the order of YAML fields do not change a version; a
definition, a bound or a line of code does. Sources are hashed as syntax trees, so that a version
also survives a new Python: byte code would not.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from mr_platform.config.settings import declared_market
from mr_platform.registry.loader import load_registry
from mr_platform.registry.model import Component, RawChain, Registry

# classes compared by identity: this walk is the cost of a version (4,200 lines in 0.06 s)
_PLAIN = frozenset({str, int, float, complex, bytes, bool, type(None), type(...)})
# load or store follows from the place in the tree
_FOLLOWS = frozenset({ast.Load, ast.Store, ast.Del})
PACKAGE = Path(__file__).resolve().parents[1]
# 12 hexadecimal digits: a chance of one in 10^8 that any two of 1,000 versions meet
_DIGITS = 12
# what raw rows become canonical by, beside the chain room itself
_RAW_CHAIN_SOURCES = ("chain/**/*.py", "gateways/raw_files.py", "trading_calendar*.py")


def code_version(declarations: Iterable[Any], code_files: Iterable[Path] = ()) -> str:
    """A short stable hash of declarations and source files.

    Args:
        declarations: Dataclasses, mappings, lists or plain values; order counts.
        code_files: Python files; those that do not exist are left out, order does not count.
    """
    digest = hashlib.sha256()
    for declaration in declarations:
        digest.update(_canonical(declaration).encode())
        digest.update(b"\0")
    for name, path in sorted((_place(path), path) for path in set(code_files)):
        if path.is_file():
            digest.update(f"{name}\0{_source_hash(path.read_bytes())}\0".encode())
    return digest.hexdigest()[:_DIGITS]


def component_code_version(
    component: str, code_files: Sequence[Path] = (), *, registry: Registry | None = None
) -> str:
    """The code version of a component's features (or of the labels).

    Hashes what the component declares, the shared conventions and series that it names, the
    history tables that it reads, and its code; so a change in another component leaves it alone.

    Args:
        component: ``c1`` … ``c8`` or ``labels``.
        code_files: Source files of its code; missing ones are left out.
        registry: The registry; None for the package's own.

    Raises:
        KeyError: No such component.
    """
    declared = registry or load_registry()
    part = declared.labels if component == "labels" else declared.components[component]
    tables = sorted({t for column in part.columns for t in column.lookback.history_tables})
    return code_version(
        [_declared(part), *[declared.history[table] for table in tables]], code_files
    )


def raw_chain_code_version(
    code_files: Sequence[Path] | None = None,
    *,
    registry: Registry | None = None,
    market: Mapping[str, Any] | None = None,
) -> str:
    """The code version of the canonical option chain.

    Lot sizes, rates and strike steps decide its numbers as much as its declarations do, so the
    package's market settings count too.

    Args:
        code_files: Source files; None for the chain room, the reader of raw files and the
            trading calendar.
        registry: The registry; None for the package's own.
        market: Market settings; None for the package's own.
    """
    declared: RawChain = (registry or load_registry()).raw_chain
    conventions = declared_market() if market is None else market
    files = raw_chain_sources() if code_files is None else code_files
    return code_version([declared, conventions], files)


def raw_chain_sources() -> list[Path]:
    """The source files that make the canonical option chain, sorted."""
    found = {path for pattern in _RAW_CHAIN_SOURCES for path in PACKAGE.glob(pattern)}
    return sorted(found)


def imported_sources(module: str, rooms: Iterable[str]) -> list[Path]:
    """The source file of a module and of all it imports from some rooms, sorted.

    Args:
        module: Dotted name below the package, e.g. ``features.c1_triple_straddle``.
        rooms: First parts of the names that are followed, e.g. ``features`` and ``chain``.

    Returns:
        Files whose lines decide what the module computes.
    """
    followed = frozenset(rooms)
    found: set[Path] = set()
    waiting = [_module_file(module)]
    while waiting:
        path = waiting.pop()
        if path is None or path in found:
            continue
        found.add(path)
        names = _imports(path.read_bytes())
        waiting += [_module_file(name) for name in names if name.split(".")[0] in followed]
    return sorted(found)


def _module_file(module: str) -> Path | None:
    path = PACKAGE.joinpath(*module.split("."))
    if path.with_suffix(".py").is_file():
        return path.with_suffix(".py")
    package = path / "__init__.py"
    return package if package.is_file() else None


@lru_cache(maxsize=256)
def _imports(source: bytes) -> tuple[str, ...]:
    """Names below the package that a module imports, submodules of packages too."""
    prefix = f"{PACKAGE.name}."
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(prefix):
            base = node.module.removeprefix(prefix)
            names += [base, *[f"{base}.{alias.name}" for alias in node.names]]
        elif isinstance(node, ast.Import):
            names += [
                alias.name.removeprefix(prefix)
                for alias in node.names
                if alias.name.startswith(prefix)
            ]
    return tuple(names)


def declaration_version(component: Component) -> str:
    """The hash of a component's declarations alone, for labels of rendered tables."""
    return code_version([_declared(component)])


def _declared(component: Component) -> dict[str, Any]:
    """What counts of a component: everything but the lines of its families."""
    plain = {
        field.name: getattr(component, field.name)
        for field in dataclasses.fields(component)
        if field.name != "families"
    }
    return {**plain, "columns": component.columns}


def _place(path: Path) -> str:
    """A name of the file that is the same in every checkout."""
    resolved = path.resolve()
    return (
        resolved.relative_to(PACKAGE).as_posix() if resolved.is_relative_to(PACKAGE) else path.name
    )


def _canonical(value: Any) -> str:
    return json.dumps(_plain(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


@lru_cache(maxsize=256)
def _source_hash(source: bytes) -> str:
    """Hash of a module's syntax tree, without comments, formatting and docstrings."""
    parts: list[str] = []
    _feed(ast.parse(source), parts)
    return hashlib.sha256("".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _feed(node: ast.AST, parts: list[str]) -> None:
    """Write a tree as text: node names, fields and constants, in order.

    Fields that are empty are left out, so that a field new in a later Python changes nothing.
    """
    add = parts.append
    kind = node.__class__
    add("(" + kind.__name__)
    for name in kind._fields:
        value: Any = getattr(node, name, None)
        of = value.__class__
        if of is list:
            items = _without_docstring(value) if name == "body" else value
            if items:
                add(" " + name + "[")
                for item in items:
                    if isinstance(item, ast.AST):
                        _feed(item, parts)
                    else:
                        add(repr(item))
                add("]")
        elif of in _PLAIN:
            if name != "kind" and (value is not None or name == "value"):
                add(f" {name}={value!r}")
        elif of not in _FOLLOWS:
            add(" " + name + "=")
            _feed(value, parts)
    add(")")


def _without_docstring(body: list[Any]) -> list[Any]:
    first = body[0] if body else None
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        return body[1:]
    return body
