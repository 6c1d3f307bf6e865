"""What a reader may expect of every file: a docstring, a size, a name, a test beside it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from mr_platform_tests.architecture.source_tree import PACKAGE, REPOSITORY, TESTS, Module, modules

MOST_LINES = 500
# a list of cases is read one by one, not as a whole
MOST_LINES_OF_TESTS = 600
FORBIDDEN = ("utils", "util", "helpers", "helper", "common", "manager", "misc", "enhanced", "v2")

# modules without logic of their own, each with the test that exercises it
TESTED_ELSEWHERE: dict[str, str] = {
    "definitions.py": "one list: architecture/test_asset_graph.py and test_definitions_load.py",
    "trading_calendar_declared.py": "data behind the calendar: test_trading_calendar.py",
}

WHEREVER = pytest.mark.parametrize("module", modules(), ids=lambda module: module.relative)


@WHEREVER
def test_a_module_says_what_belongs_here(module: Module) -> None:
    text = ast.get_docstring(module.tree)
    assert text, f"{module.relative} has no docstring"
    assert len(text.split()) >= 5, f"{module.relative}: say what belongs here"


@WHEREVER
def test_public_names_are_documented(module: Module) -> None:
    missing = [
        f"{module.relative}:{node.lineno} {node.name}"
        for scope in [module.tree, *_public_classes(module.tree)]
        for node in scope.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not _is_overload(node)
        and not ast.get_docstring(node)
    ]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize(
    "path",
    sorted([*PACKAGE.rglob("*.py"), *TESTS.rglob("*.py")]),
    ids=lambda path: path.relative_to(REPOSITORY).as_posix(),
)
def test_a_file_stays_short_enough_to_read(path: Path) -> None:
    lines = len(path.read_text("utf-8").splitlines())
    most = MOST_LINES if path.is_relative_to(PACKAGE) else MOST_LINES_OF_TESTS
    assert lines <= most, f"{lines} lines: split it by concept"


@WHEREVER
def test_names_say_something(module: Module) -> None:
    defined = {
        node.name
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    empty = [
        name
        for name in [*module.name.split("."), *sorted(defined)]
        if set(_words(name)) & set(FORBIDDEN)
    ]
    assert not empty, f"{module.relative}: {', '.join(empty)}"


@WHEREVER
def test_every_module_has_its_test_in_the_mirrored_place(module: Module) -> None:
    if module.path.name in ("__init__.py", "__main__.py"):
        return
    relative = module.path.relative_to(PACKAGE)
    mirror = TESTS / relative.parent / f"test_{relative.name}"
    if relative.as_posix() not in TESTED_ELSEWHERE:
        assert mirror.is_file(), f"{mirror.relative_to(REPOSITORY)} is missing"


def test_exceptions_from_the_mirror_are_still_needed() -> None:
    gone = [
        name
        for name in TESTED_ELSEWHERE
        if not (PACKAGE / name).is_file()
        or (TESTS / name).with_name(f"test_{Path(name).name}").is_file()
    ]
    gone += [name for name in TESTS_OF_SEVERAL_MODULES if not (TESTS / name).is_file()]
    assert not gone, f"drop the exception: {', '.join(gone)}"


def test_every_test_file_mirrors_a_module_or_a_room_of_tests() -> None:
    rooms_of_tests = {"architecture", "golden", "gpu", "benchmarks"}
    lost = []
    for path in sorted(TESTS.rglob("test_*.py")):
        relative = path.relative_to(TESTS)
        module = PACKAGE / relative.parent / path.name.removeprefix("test_")
        if relative.parts[0] not in rooms_of_tests and not module.is_file():
            lost.append(relative.as_posix())
    assert set(lost) <= TESTS_OF_SEVERAL_MODULES.keys(), "\n".join(lost)


# tests of several modules together, each with the reason
TESTS_OF_SEVERAL_MODULES: dict[str, str] = {
    "chain/test_fault_table.py": "every kind of bad input, from file to command line",
    "features/test_gpu_plans.py": "every frame of the graph against the GPU's operations",
    "features/test_history_reference.py": "every history table against the independent reference",
    "features/test_irregular_days.py": "every table on days that are short, thin or odd",
    "features/test_life.py": "thirty days after a year of history give every column its life",
    "features/test_min_periods.py": "declared minima of five components against the code",
    "features/test_point_in_time.py": "no minute of any table knows a later one",
    "features/test_real_null_shares.py": "every empty column of a real day has a cause",
    "features/test_reference.py": "every column against the independent reference",
    "features/test_same_bits.py": "batch, order and chunks leave every bit alone",
    "gateways/test_lakehouse_processes.py": "writers in processes of their own, some killed",
    "orchestration/test_books_kept_whole.py": "kills, removed files and two loads at once",
    "orchestration/test_end_to_end.py": "webserver and daemon as a user starts them",
    "orchestration/test_instance_files.py": "dagster.yaml and workspace.yaml",
    "simulation/test_realism.py": "simulated against real days",
}


def _public_classes(tree: ast.Module) -> list[ast.ClassDef]:
    return [
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]


def _is_overload(node: ast.AST) -> bool:
    return any(
        isinstance(mark, ast.Name) and mark.id == "overload"
        for mark in getattr(node, "decorator_list", [])
    )


def _words(name: str) -> list[str]:
    # an I/O manager is Dagster's noun, not a name of ours
    ours = re.sub(r"io_manager|IOManager", "", name)
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", ours)]
