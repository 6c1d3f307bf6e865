"""Imports only ever point down the house."""

from __future__ import annotations

import pytest

from mr_platform_tests.architecture.source_tree import PACKAGE, Module, modules

# From the roof to the ground. A room may import itself and any room below it; rooms that share a
# floor don't know each other. `simulation` stands above `chain` because it prices with the
# chain's formulas and writes its dialects; nothing of the product imports the simulator but the
# commands.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("cli",),
    ("definitions",),
    ("orchestration",),
    ("pictures",),
    ("serving",),
    ("pipelines",),
    ("training",),
    ("features",),
    ("portfolio",),
    ("parity", "gates"),
    ("simulation",),
    ("chain",),
    ("gateways",),
    ("registry",),
    ("config",),
    ("trading_calendar",),
    ("trading_calendar_declared",),
    ("errors",),
)
FLOOR = {room: height for height, floor in enumerate(reversed(FLOORS)) for room in floor}

# who may import what when it loads; everybody may inside a function, except dagster and the
# clouds' clients, which stay in their rooms altogether
MAY_IMPORT_DAGSTER = ("orchestration", "definitions")
CLOUD_ROOMS = ("gateways", "orchestration", "pipelines")
SLOW_TO_IMPORT = {
    # seconds with compiled bytecode on two cores, as measured when the rule was made
    "great_expectations": "5 to 9 s",
    "google": "4 s",
    "vertexai": "4 s",
    "dagster_gcp": "2.5 s",
    "exchange_calendars": "1 s, with pandas",
    "pandas": "0.5 s",
    "matplotlib": "0.7 s",
    "scipy": "0.5 s",
    "duckdb": "0.2 s",
}

WHEREVER = pytest.mark.parametrize("module", modules(), ids=lambda module: module.relative)


def test_every_room_has_a_floor() -> None:
    rooms = {module.room for module in modules()} - {""}
    assert rooms <= set(FLOOR), "give the new room a place in FLOORS"
    assert set(FLOOR) - rooms <= {"serving", "definitions"}, "a floor without a room"


@WHEREVER
def test_imports_point_down(module: Module) -> None:
    wrong = [
        f"{module.relative}:{found.line} imports {found.module}"
        for found in module.imports()
        if found.module.startswith("mr_platform.")
        and (target := found.module.split(".")[1]) != module.room
        and FLOOR.get(target, -1) >= FLOOR.get(module.room, len(FLOORS))
        and _is_room(target)
    ]
    assert not wrong, "\n".join(wrong)


@WHEREVER
def test_tests_are_not_imported_by_the_product(module: Module) -> None:
    assert not [found for found in module.imports() if found.module.startswith("mr_platform_tests")]


@WHEREVER
def test_dagster_stays_in_orchestration(module: Module) -> None:
    found = [
        f"{module.relative}:{found.line} imports {found.module}"
        for found in module.imports()
        if found.module.split(".")[0].startswith("dagster")
    ]
    assert module.room in MAY_IMPORT_DAGSTER or not found, "\n".join(found)


@WHEREVER
def test_cloud_clients_stay_behind_the_gateways(module: Module) -> None:
    found = [
        f"{module.relative}:{found.line} imports {found.module}"
        for found in module.imports()
        if found.module.split(".")[0] in {"google", "vertexai", "gcsfs"}
    ]
    assert module.room in CLOUD_ROOMS or not found, "\n".join(found)


@WHEREVER
def test_slow_libraries_are_imported_where_they_are_used(module: Module) -> None:
    found = [
        f"{module.relative}:{found.line} imports {found.module} when it loads"
        f" ({SLOW_TO_IMPORT[found.module.split('.')[0]]}); move it into the function"
        for found in module.imports()
        if found.at_load and found.module.split(".")[0] in SLOW_TO_IMPORT
    ]
    assert not found, "\n".join(found)


PURE_ROOMS = (
    "chain",
    "features",
    "pictures",
    "portfolio",
    "parity",
    "gates",
    "training",
    "trading_calendar",
    "trading_calendar_declared",
    "errors",
)
OUTSIDE = (
    "deltalake",
    "http",
    "os",
    "requests",
    "shutil",
    "socket",
    "sqlite3",
    "subprocess",
    "tempfile",
    "urllib.request",
)


@WHEREVER
def test_pure_rooms_import_no_door_to_the_outside(module: Module) -> None:
    if module.room not in PURE_ROOMS:
        return
    found = [
        f"{module.relative}:{found.line} imports {found.module}"
        for found in module.imports()
        if any(found.module == door or found.module.startswith(f"{door}.") for door in OUTSIDE)
    ]
    assert not found, "\n".join(found)


def _is_room(name: str) -> bool:
    return (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()
