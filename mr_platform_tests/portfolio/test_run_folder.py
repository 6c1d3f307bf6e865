"""A run to its files and back: the same figures, and folders that contradict themselves."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from mr_platform.errors import InputFileError
from mr_platform.portfolio.fitness import LegacyFitness
from mr_platform.portfolio.inversion import inverted
from mr_platform.portfolio.returns import PortfolioError, StrategyReturns
from mr_platform.portfolio.run_folder import (
    ERRORS_FILE,
    INVERSIONS_FILE,
    STRATEGIES_FILE,
    LegacyRun,
    RunPictures,
    best_portfolio,
    read_run,
    run_files,
)
from mr_platform.portfolio.run_summary import RunParameters
from mr_platform.portfolio.run_texts import LoggedError
from mr_platform.portfolio.strategy_metrics import STRATEGY_FILE_COLUMNS, strategy_metrics
from mr_platform_tests.portfolio import recorded

PNG = b"\x89PNG\r\n\x1a\n"
STARTED = dt.datetime(2026, 7, 26, 16, 32, 51, 123)
FINISHED = dt.datetime(2026, 7, 26, 16, 54, 13, 456)
SUMMARY = "optimization_summary_20260726_163251.txt"
SIZE_3 = "best_portfolio_size3_20260726_163251.txt"


def returns(strategies: int = 8) -> StrategyReturns:
    rng = np.random.default_rng(5)
    names = ("SENSEX 930-1030 SL7%", 'a, "b"', " c d ", *(f"s{place}" for place in range(3, 99)))
    first = np.datetime64("2024-01-04")
    pnl = rng.normal(size=(30, strategies)) * 100
    return StrategyReturns(pnl, names[:strategies], first + 7 * np.arange(30))


def portfolio(over: StrategyReturns, size: int):
    members = np.arange(size)[::-1].copy()
    fitness = float(LegacyFitness().evaluate(over.pnl, members[np.newaxis]).fitness[0])
    return best_portfolio(over, members, "SA", fitness)


def run(**changed) -> LegacyRun:
    found = inverted(returns())
    over = found.returns
    settings = {
        "started": STARTED,
        "finished": FINISHED,
        "parameters": RunParameters(smallest=2, largest=4, inverted=True),
        "strategies": strategy_metrics(over),
        "portfolios": tuple(portfolio(over, size) for size in (4, 2, 3)),
        "inversions": found.report,
        "errors": (LoggedError(STARTED, "ERROR", "a\nb"),),
        "pictures": {
            size: RunPictures(PNG + b"equity%d" % size, PNG + b"drawdown%d" % size)
            for size in (2, 3, 4)
        },
    }
    return LegacyRun(**settings | changed)


def same(one: LegacyRun, other: LegacyRun) -> bool:
    columns = ["strategy", *STRATEGY_FILE_COLUMNS]
    return (
        (one.started, one.finished) == (other.started, other.finished)
        and one.parameters == other.parameters
        and one.strategies.select(columns).equals(other.strategies.select(columns))
        and one.portfolios == other.portfolios
        and (one.inversions is None) == (other.inversions is None)
        and (one.inversions is None or one.inversions.equals(other.inversions))
        and one.errors == other.errors
        and one.pictures == other.pictures
    )  # fmt: skip


def test_files_of_a_run():
    files = run_files(run())

    assert sorted(files) == sorted(
        [
            STRATEGIES_FILE, INVERSIONS_FILE, ERRORS_FILE, SUMMARY,
            *(f"best_portfolio_size{size}_20260726_163251.txt" for size in (2, 3, 4)),
            *(
                f"{kind}_Best_Portfolio_Size{size}_20260726_165413.png"
                for kind in ("equity_curve", "drawdowns")
                for size in (2, 3, 4)
            ),
        ]
    )  # fmt: skip
    assert run().folder_name == "run_20260726_163251"


def test_reading_back_gives_the_same_figures():
    found = read_run(run_files(run()), "x")

    assert same(found, run())
    assert [one.size for one in found.portfolios] == [2, 3, 4]
    assert found.best.fitness == max(one.fitness for one in found.portfolios)


def test_a_run_without_inversion_pictures_or_errors():
    plain = run(
        inversions=None, pictures={}, errors=(), parameters=RunParameters(smallest=2, largest=4)
    )
    files = run_files(plain)

    assert INVERSIONS_FILE not in files
    assert files[ERRORS_FILE] == b""
    assert not [name for name in files if name.endswith(".png")]
    assert same(read_run(files, "x"), plain)


def test_other_files_are_left_aside():
    files = run_files(run()) | {"checkpoint_ga.pkl": b"\x80", "notes.txt": b"\xff"}
    assert same(read_run(files, "x"), run())


def test_of_equal_fitness_the_smaller_portfolio_is_the_best():
    over = StrategyReturns(np.ones((2, 3)), ("a", "b", "c"), ["2024-01-04", "2024-01-11"])
    portfolios = tuple(best_portfolio(over, np.arange(size), "HC", 1.0) for size in (3, 2))
    found = LegacyRun(
        STARTED, FINISHED, RunParameters(smallest=2, largest=3), strategy_metrics(over), portfolios
    )
    assert found.best.size == 2


@pytest.mark.real_data
def test_the_recorded_run_comes_back_with_the_same_figures(real_data):
    folder = real_data / "strategies"
    frame = recorded.recorded_metrics(folder).rename(
        {theirs: ours for ours, theirs in STRATEGY_FILE_COLUMNS.items()}
    )
    over = recorded.real_returns(folder)
    some = tuple(best_portfolio(over, np.arange(size), "SA", size / 7) for size in range(35, 61))
    given_run = LegacyRun(STARTED, FINISHED, RunParameters(), frame, some)
    # member 0, the first strategy, has no recorded figures and still is no fault
    assert over.names[0] not in set(frame["strategy"])
    found = read_run(run_files(given_run), "x")
    assert same(found, given_run)
    assert len(found.portfolios) == 26


def test_sizes_beyond_the_strategies_are_not_missed():
    wide = run(parameters=RunParameters(smallest=2, largest=60), portfolios=tuple(
        portfolio(inverted(returns()).returns, size) for size in range(2, 9)
    ), pictures={})  # fmt: skip
    assert same(read_run(run_files(wide), "x"), wide)


def with_a_gap(**changed) -> LegacyRun:
    """A run of sizes 2 and 4 that left 3 out."""
    over = inverted(returns()).returns
    drawn = {size: RunPictures(PNG, PNG + b"%d" % size) for size in (2, 4)}
    portfolios = tuple(portfolio(over, size) for size in (2, 4))
    return run(**{"portfolios": portfolios, "pictures": drawn, **changed})


def test_a_size_without_pictures_is_not_missed_where_others_have_them():
    files = run_files(with_a_gap())

    assert SIZE_3 not in files
    found = read_run(files, "x")
    assert same(found, with_a_gap())
    assert [one.size for one in found.portfolios] == [2, 4]


def test_without_any_picture_a_gap_in_the_sizes_is_a_lost_file():
    with pytest.raises(InputFileError, match=f"lacks 1 files: {SIZE_3}"):
        read_run(run_files(with_a_gap(pictures={})), "x")


def test_one_picture_of_a_size_asks_for_its_portfolio_and_the_other_picture():
    extra = {"equity_curve_Best_Portfolio_Size3_20260726_165413.png": PNG}
    with pytest.raises(InputFileError, match=f"lacks 1 files: {SIZE_3}"):
        read_run(run_files(with_a_gap()) | extra, "x")
    held = run_files(run())
    for name in [name for name in held if "Size3_" in name and name.endswith("png")]:
        del held[name]
    with pytest.raises(InputFileError, match="lacks 2 files: equity_curve_Best_Portfolio_Size3_"):
        read_run(held, "x")


# -- folders that are damaged or contradict themselves ------------------------------------------


@pytest.mark.parametrize(
    ("missing", "fault"),
    [
        (STRATEGIES_FILE, "lacks strategy_metrics.csv"),
        (ERRORS_FILE, "lacks error_log.txt"),
        (SUMMARY, "has 0 files optimization_summary_<id>.txt, not 1"),
        (SIZE_3, f"lacks 1 files: {SIZE_3}"),
        (
            "drawdowns_Best_Portfolio_Size3_20260726_165413.png",
            "lacks 1 files: drawdowns_Best_Portfolio_Size3_<id>.png",
        ),
    ],
)
def test_files_that_are_missing(missing, fault):
    files = run_files(run())
    del files[missing]
    with pytest.raises(InputFileError) as refused:
        read_run(files, "runs/x")
    assert fault in str(refused.value)
    assert str(refused.value).startswith("runs/x")


def replaced(name: str, old: str, new: str) -> dict[str, bytes]:
    files = run_files(run())
    assert old.encode() in files[name]
    return files | {name: files[name].replace(old.encode(), new.encode(), 1)}


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        (lambda: replaced(SIZE_3, "(Size 3)", "(Size 2)"), "3 members are listed, the size is 2"),
        (lambda: replaced(SIZE_3, "total_roi: ", "roi: "), "line 5"),
        (
            lambda: run_files(run()) | {SIZE_3.replace("size3", "size2"): run_files(run())[SIZE_3]},
            "holds a portfolio of 3 members",
        ),
        (lambda: replaced(SUMMARY, "Run ID: 2026", "Run ID: 2025"), "is the summary of run 2025"),
        (lambda: replaced(SUMMARY, "Method: SA", "Method: GA"), "contradicts itself"),
        (lambda: replaced(SUMMARY, "Fitness: ", "Fitness: 1"), "contradicts itself"),
        (lambda: replaced(SUMMARY, "Min Portfolio Size: 2", "Min Portfolio Size: 3"), "is no run"),
        (lambda: replaced(ERRORS_FILE, "2026", "year"), "is no entry"),
        (lambda: replaced(INVERSIONS_FILE, "# Inversion", "Inversion"), "line 1"),
        (lambda: run_files(run()) | {SIZE_3: b"\xff\xfe"}, "is not UTF-8 text (byte 0)"),
        (lambda: run_files(run()) | {SIZE_3: b""}, "line 1"),
        (
            lambda: run_files(run()) | {SIZE_3.replace("2026", "2025"): b""},
            "belongs to run 20250726_163251, not 20260726_163251",
        ),
        (
            lambda: run_files(run()) | {SUMMARY.replace("2026", "2025"): b""},
            "has 2 files optimization_summary",
        ),
        (
            lambda: run_files(run())
            | {"drawdowns_Best_Portfolio_Size3_20260726_165413.png": b"JFIF"},
            "Size3_20260726_165413.png: is no PNG picture",
        ),
        (lambda: {}, "has 0 files"),
    ],
)  # fmt: skip
def test_folders_that_are_damaged(files, fault):
    with pytest.raises(InputFileError) as refused:
        read_run(files(), "x")
    assert fault in str(refused.value)
    assert refused.value.next_step


def test_members_without_figures():
    files = run_files(run())
    lines = files[STRATEGIES_FILE].split(b"\n")
    # one strategy without figures is the legacy program's own doing
    one = files | {STRATEGIES_FILE: b"\n".join([lines[0], *lines[2:]])}
    assert read_run(one, "x").portfolios == run().portfolios
    with pytest.raises(InputFileError, match="lacks 2 members of portfolios"):
        read_run(files | {STRATEGIES_FILE: b"\n".join([lines[0], *lines[3:]])}, "x")


def test_an_instant_that_is_none():
    files = {
        name.replace("20260726_163251", "20269926_163251"): content.replace(
            b"20260726_163251", b"20269926_163251"
        )
        for name, content in run_files(run()).items()
    }
    with pytest.raises(InputFileError, match="is no run"):
        read_run(files, "x")


@pytest.mark.parametrize(
    "changed",
    [
        {"portfolios": ()},
        {"portfolios": (portfolio(returns(), 3),) * 2},
        {"parameters": RunParameters(smallest=3, largest=4)},
        {"parameters": RunParameters(smallest=2, largest=3)},
        {"pictures": {2: RunPictures(PNG, PNG)}},
        {"strategies": pl.DataFrame({"strategy": ["a"]})},
        {"inversions": pl.DataFrame({"strategy": ["a"]})},
    ],
)
def test_what_is_no_run(changed):
    with pytest.raises(PortfolioError):
        run(**changed)


def test_pictures_are_png():
    with pytest.raises(PortfolioError, match="no PNG"):
        RunPictures(PNG, b"GIF89a")
