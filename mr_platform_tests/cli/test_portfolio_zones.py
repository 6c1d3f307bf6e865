"""Searching the zones of a book, the way a person calls it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from mr_platform.cli.portfolio_zones import fitted_zones
from mr_platform_tests.cli.conftest import Run, document, of_its_own
from mr_platform_tests.orchestration.small_books import zone_sheet

QUICK = ("--sizes", "2:3", "--evaluations", 60)


@pytest.fixture(scope="module")
def zone_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a book by zone; what one test searches the next searches anew."""
    folder = tmp_path_factory.mktemp("zones")
    file = folder / "enhanced.csv"
    zone_sheet().write_csv(file)
    with of_its_own():
        from click.testing import CliRunner

        from mr_platform.cli.application import root

        words = ["portfolio", "load", str(file), "--home", str(folder / "home")]
        result = CliRunner().invoke(root, words)
        assert result.exit_code == 0, result.output
    return folder / "home"


def test_zones_tell_what_was_searched_and_what_to_do_next(run: Run, zone_home: Path) -> None:
    result = run("portfolio", "zones", "enhanced", *QUICK, "--home", zone_home)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[2:4]] == ["A", "B"]
    assert lines[4:] == [
        "",
        "searched with hill_climbing, sizes 2, 3, up to 60 evaluations for each zone and size, "
        "seed 2024",
        "They were searched for ratio − 10 × mean correlation on 2023-01-02 to 2023-01-30. No date "
        "was held out, no row weighed.",
        "",
        "next",
        "  mr portfolio optimize enhanced --zones collapsed --correlation-weight 0 --sizes 2,3",
    ]


def test_measure_dates_and_rules_reach_the_search(run: Run, zone_home: Path) -> None:
    words = ["--metric", "roi", "--holdout", 0.25, "--rules", "regime", "--multiplier", "bull=1.5"]
    result = run("portfolio", "zones", "enhanced", *QUICK, *words, "--json", "--home", zone_home)
    assert result.exit_code == 0, result.output
    rows = document(result)
    assert [row["metric"] for row in rows] == ["roi", "roi"]
    assert [row["rows"] for row in rows] == [15, 15], "of 20 dates"
    assert rows[0]["preparation"] == {
        "holdout": 0.25, "regime_multipliers": {"bull": 1.5}, "row_rules": ["regime"],
    }  # fmt: skip
    assert rows[0]["last_date"] == "2023-01-20"


def test_zones_searched_otherwise_than_the_portfolios_are_told_at_once(
    run: Run, zone_home: Path
) -> None:
    words = ["--sizes", 3, "--algorithms", "random_search", "--evaluations", 20, "--holdout", 0.25]
    text = run("portfolio", "optimize", "enhanced", *words, "--home", zone_home).stdout
    assert "  mr portfolio zones enhanced" in text.splitlines(), "its rows have zones"

    home = ["--home", zone_home]
    prices = ["--correlation-weight", 10, "--drawdown-threshold", 0]
    again = ["--metric", "ratio", *prices, "--holdout", 0.25, "--rules", "none"]
    told = run("portfolio", "zones", "enhanced", *QUICK, *home).stdout
    assert "warning: " in told
    assert "on all dates, the others on all dates but the last 25 %" in told
    assert f"mr portfolio zones enhanced {' '.join(map(str, again))}" in told
    assert "the others" not in run("portfolio", "zones", "enhanced", *QUICK, *again, *home).stdout
    assert "  mr portfolio report enhanced" in told.splitlines(), "there are portfolios now"


def test_zones_that_werefitted_zones_to_their_rows_are_told() -> None:
    rows = pl.DataFrame(
        {"zone": ["A", "B", "C"], "roi": [49.0, 51.0, 9.0], "max_drawdown": [1.0, 1.0, 0.0]}
    )
    (told,) = fitted_zones(rows)
    assert told.startswith("zone B, C: ROI is more than 50 times the deepest fall")
    assert fitted_zones(rows[:1]) == []


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--sizes", "1"], 2, "1 is no size of a portfolio. Give a number from 2 to 100"),
        ([], 1, "enhanced: the book has 6 strategies, too few for portfolios of 10, 11"),
        (["--sizes", "30"], 1, "Search sizes up to 6, such as --sizes 3"),
        (["--sizes", "2", "--metric", "beauty"], 2, "Choose one of ratio, roi"),
        (["--sizes", "2", "--algorithm", "hill_climb"], 2, "Did you mean 'hill_climbing'?"),
        (["--sizes", "2", "--rules", "regimes"], 2, "rules regimes are not known"),
        (["--sizes", "2", "--multiplier", "bull=2"], 2, "not the rule that uses them"),
        (["--sizes", "2", "--rules", "regime", "--multiplier", "calm=2"], 2, "not declared: calm"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(
    run: Run, zone_home: Path, words: list[str], code: int, told: str
) -> None:
    result = run("portfolio", "zones", "enhanced", *words, "--home", zone_home)
    assert result.exit_code == code, result.output
    assert told in result.stderr
    assert result.stdout == ""


def test_a_book_of_whole_days_is_told_what_to_do(run: Run, book_home: Path) -> None:
    result = run("portfolio", "zones", "sensex", "--sizes", 3, "--home", book_home)
    assert result.exit_code == 1
    assert "sensex: its rows name no zone of the day" in result.stderr
    assert "mr portfolio optimize sensex --zones rows" in result.stderr
