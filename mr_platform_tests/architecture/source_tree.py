"""The package read as text: modules, their rooms, their imports.

Here: what the architecture tests ask of the source, found with ``ast`` and never by importing.
Not here: the rules (the tests beside this file).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "mr_platform"
TESTS = REPOSITORY / "mr_platform_tests"


@dataclass(frozen=True)
class Import:
    """One imported name: the module, the line, and whether it happens when the module loads."""

    module: str
    line: int
    at_load: bool


@dataclass(frozen=True)
class Module:
    """One Python file of the package."""

    path: Path

    @property
    def relative(self) -> str:
        return self.path.relative_to(REPOSITORY).as_posix()

    @property
    def name(self) -> str:
        parts = self.path.relative_to(REPOSITORY).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def room(self) -> str:
        """First name under the package: a folder or a module of the ground floor."""
        return self.name.split(".")[1] if "." in self.name else ""

    @cached_property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    def imports(self) -> Iterator[Import]:
        """Every import of the file, those inside functions and type-checking blocks included."""
        yield from _imports(self.tree, self.name, at_load=True)


@cache
def modules() -> tuple[Module, ...]:
    """All modules of the package, by path."""
    return tuple(Module(path) for path in sorted(PACKAGE.rglob("*.py")))


def _imports(node: ast.AST, module: str, *, at_load: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, at_load)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"{module}: line {child.lineno}: imports are absolute"
            # `from package import x` may name a module or something in it: both are told
            for alias in child.names:
                yield Import(f"{child.module}.{alias.name}", child.lineno, at_load)
        else:
            later = isinstance(
                child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
            ) or _only_for_types(child)
            yield from _imports(child, module, at_load=at_load and not later)


def _only_for_types(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )
