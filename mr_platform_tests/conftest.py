"""Fixtures shared by every room."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
REAL_DATA = (
    Path(named)
    if (named := os.environ.get("MR_TEST_DATA"))
    else REPOSITORY.parent / "shared" / "data"
)
"""Where real data is looked for: ``$MR_TEST_DATA``, else ``shared/data`` beside the repository."""


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real data: ``$MR_TEST_DATA``, else ``shared/data`` beside the repository.

    Skips where neither exists; where the variable is set, a missing folder is a failure.
    """
    if (REAL_DATA / "options" / "chain").is_dir():
        return REAL_DATA
    if os.environ.get("MR_TEST_DATA"):
        pytest.fail(f"MR_TEST_DATA names {REAL_DATA}, which holds no options/chain folder")
    pytest.skip("no real data: set MR_TEST_DATA to the folder that holds options/chain")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what waits for servers, so that it runs beside everything else."""
    items.sort(key=lambda item: item.get_closest_marker("e2e") is None)


def pytest_terminal_summary(terminalreporter) -> None:
    """Print how many columns were compared with their reference, and how many values each had."""
    cells: dict[str, list[int]] = {}
    history: dict[str, int] = {}
    passed = terminalreporter.stats.get("passed", [])
    for name, value in (
        pair for report in passed for pair in getattr(report, "user_properties", ())
    ):
        if name == "compared":
            for column, (_, filled) in value.items():
                cells.setdefault(column, []).append(filled)
        elif name == "history_compared":
            for column, filled in value.items():
                history[column] = history.get(column, 0) + filled
    if cells or history:
        terminalreporter.section("columns compared with the independent reference")
    if history:
        terminalreporter.write_line(
            f"{len(history)} columns of history tables equal, {sum(history.values()):,} non-null "
            f"cells; {sum(not count for count in history.values())} columns never non-null"
        )
    if cells:
        _print_features(terminalreporter, cells)


def _print_features(terminalreporter, cells: dict[str, list[int]]) -> None:
    filled = {column: sum(counts) for column, counts in cells.items()}
    days = max(len(counts) for counts in cells.values())
    terminalreporter.write_line(
        f"{len(cells)} of 932 columns equal on up to {days} days, {sum(filled.values()):,} "
        f"non-null cells; {sum(not count for count in filled.values())} columns never non-null"
    )
    for component in sorted({column[:2] for column in filled}):
        own = {column: count for column, count in filled.items() if column.startswith(component)}
        least = sorted(own, key=own.__getitem__)[:3]
        named = ", ".join(f"{column} {own[column]:,}" for column in least)
        terminalreporter.write_line(f"  {component}: {len(own)} columns, fewest values: {named}")
    if terminalreporter.config.getoption("verbose") > 0:
        for column, count in filled.items():
            terminalreporter.write_line(f"    {column} {count:,}")
