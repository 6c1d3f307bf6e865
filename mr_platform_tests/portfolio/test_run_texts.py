"""Texts of a legacy run: the recorded ones, the same figures back, every kind of damage."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mr_platform.errors import InputFileError
from mr_platform.portfolio import run_summary, run_texts
from mr_platform.portfolio.inversion import inverted
from mr_platform.portfolio.returns import PortfolioError, StrategyReturns
from mr_platform.portfolio.run_texts import (
    INVERSION_LINES,
    BestPortfolio,
    LoggedError,
)
from mr_platform.portfolio.strategy_metrics import PORTFOLIO_FILE_LINES, STRATEGY_FILE_COLUMNS
from mr_platform_tests.portfolio import recorded

NUMBERS = st.one_of(st.floats(allow_nan=False), st.just(math.inf))
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), max_size=20)
FIGURES = dict.fromkeys(PORTFOLIO_FILE_LINES, 1.5)
SMALL = BestPortfolio("SA", 30.5, FIGURES, ("SENSEX 930-1030 SL7%", 'b, "quoted"', " c "))
TIMES = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2999, 1, 1))


@pytest.mark.real_data
def test_the_best_portfolio_is_written_as_the_legacy_program_wrote_it(real_data):
    folder = real_data / "strategies"
    name = "optimization_summary_20250726_163251.txt"
    summary = run_summary.read_summary((folder / name).read_text("utf-8"), name)
    (best,) = (one for one in recorded.recorded_portfolios(folder) if one["size"] == 37)
    figures = {ours: best[theirs] for ours, theirs in PORTFOLIO_FILE_LINES.items()}
    text = run_texts.portfolio_text(
        BestPortfolio(best["method"], best["fitness"], figures, summary.members)
    )

    stem = "Python_Multi_Consolidated_20250726_161921_"
    assert [stem + strategy for strategy in best["strategies"]] == list(summary.members)
    assert text.split("\n")[:16] == [
        "Best Portfolio (Size 37) - Method: SA",
        "Fitness: 30.45764862187442",
        "",
        "Performance Metrics:",
        "total_roi: 13653.365261621726",
        "max_drawdown: 443.7869616216202",
        "win_percentage: 0.6219512195121951",
        "profit_factor: 3.276700272201562",
        "expectancy: 166.50445441002105",
        "sharpe_ratio: 7.155695823210619",
        "sortino_ratio: 20.96987610306104",
        "annualized_return: 41959.1225113253",
        "",
        "Selected Strategies:",
        f"1. {stem}SENSEX 1426-1456 SL73%TP32%",
        f"2. {stem}SENSEX 1240-1340 SL23%",
    ]


@pytest.mark.real_data
def test_recorded_portfolios_come_back_with_the_same_figures(real_data):
    for portfolio in recorded.recorded_portfolios(real_data / "strategies"):
        figures = {ours: portfolio[theirs] for ours, theirs in PORTFOLIO_FILE_LINES.items()}
        given_portfolio = BestPortfolio(
            portfolio["method"], portfolio["fitness"], figures, tuple(portfolio["strategies"])
        )
        text = run_texts.portfolio_text(given_portfolio)
        assert f"max_drawdown: {portfolio['max_drawdown']}\n" in text
        assert run_texts.read_portfolio(text, "p") == given_portfolio


def test_a_portfolio_as_it_is_written():
    assert run_texts.portfolio_text(SMALL) == (
        "Best Portfolio (Size 3) - Method: SA\n"
        "Fitness: 30.5\n\n"
        "Performance Metrics:\n"
        "total_roi: 1.5\nmax_drawdown: 1.5\nwin_percentage: 1.5\nprofit_factor: 1.5\n"
        "expectancy: 1.5\nsharpe_ratio: 1.5\nsortino_ratio: 1.5\nannualized_return: 1.5\n\n"
        'Selected Strategies:\n1. SENSEX 930-1030 SL7%\n2. b, "quoted"\n3.  c \n'
    )


def test_line_ends_of_windows_are_read():
    text = run_texts.portfolio_text(SMALL).replace("\n", "\r\n")
    assert run_texts.read_portfolio(text, "p") == SMALL


def test_an_undefined_figure_stays_undefined():
    given_portfolio = BestPortfolio("SA", -math.inf, FIGURES | {"sortino": None}, ("a",))
    found = run_texts.read_portfolio(run_texts.portfolio_text(given_portfolio), "p")
    assert found.figures["sortino"] is None
    assert found.fitness == -math.inf


@pytest.mark.parametrize(
    "wrong",
    [
        {"members": ()},
        {"members": ("a", "a")},
        {"members": ("a\nb",)},
        {"method": "S\rA"},
        {"fitness": math.nan},
        {"figures": {"roi": 1.0}},
    ],
)
def test_portfolios_that_no_text_can_hold(wrong):
    with pytest.raises(PortfolioError):
        BestPortfolio(
            **{"method": "SA", "fitness": 1.0, "figures": FIGURES, "members": ("a",)} | wrong
        )


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("Best Portfolio", "Portfolio", "line 1: 'Best Portfolio (Size' should stand here"),
        (") - Method: SA", "", "line 1: names no method"),
        ("(Size 3)", "(Size three)", "line 1: 'three' is no whole number"),
        ("(Size 3)", "(Size 4)", "3 members are listed, the size is 4"),
        ("30.5", "30,5", "line 2: '30,5' is no number"),
        ("30.5", "nan", "a portfolio has a fitness"),
        ("max_drawdown: 1.5\n", "", "line 6: 'max_drawdown:' should stand here"),
        ("win_percentage: 1.5", "win_percentage: ", "line 7: '' is no number"),
        ("Selected Strategies:", "Strategies:", "'Selected Strategies:' should stand here"),
        ("2. b", "3. b", "'2.' should stand here"),
        ("3.  c \n", "3. SENSEX 930-1030 SL7%\n", "a member is listed twice"),
        ("3.  c \n", "3.  c", "the last line does not end"),
        ("3.  c \n", "", "2 members are listed"),
        ("2. b", "2. \rb", "hold a line break"),
    ],
)
def test_damaged_portfolios(old, new, fault):
    text = run_texts.portfolio_text(SMALL)
    assert old in text
    with pytest.raises(InputFileError, match=r"p\.txt: line \d+: ") as refused:
        run_texts.read_portfolio(text.replace(old, new, 1), "p.txt")
    assert fault in str(refused.value)


def test_every_cut_of_a_text_is_noticed():
    text = run_texts.portfolio_text(SMALL)
    for end in range(len(text)):
        with pytest.raises(InputFileError):
            run_texts.read_portfolio(text[:end], "p")


# -- figures of strategies ---------------------------------------------------------------------


def metrics(*names: str) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "strategy": names,
            **{
                column: [number + place / 7 for place in range(len(names))]
                for number, column in enumerate(STRATEGY_FILE_COLUMNS)
            },
        },
        schema_overrides={"strategy": pl.String},
    )


@pytest.mark.real_data
def test_recorded_figures_of_strategies_come_back(real_data):
    frame = recorded.recorded_metrics(real_data / "strategies").rename(
        {theirs: ours for ours, theirs in STRATEGY_FILE_COLUMNS.items()}
    )
    text = run_texts.strategies_text(frame)
    assert text.startswith(",ROI,Max Drawdown,Win Percentage,Profit Factor,Expectancy\n")
    found = run_texts.read_strategies(text, "m")
    assert found.height == 25_543
    assert found.equals(frame.select(found.columns))


def test_names_with_commas_quotes_and_blanks_come_back():
    frame = metrics("a, b", 'c "d"', "  e%", "")
    assert run_texts.read_strategies(run_texts.strategies_text(frame), "m").equals(frame)


def test_infinite_and_missing_figures_come_back():
    frame = metrics("a", "b").with_columns(
        profit_factor=pl.Series([math.inf, None]), roi=pl.Series([-0.0, 5e-324])
    )
    found = run_texts.read_strategies(run_texts.strategies_text(frame), "m")
    assert found.equals(frame)
    assert str(found["roi"][0]) == "-0.0"


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (",ROI,", ",Roi,", "line 1: the header is"),
        ("b,", "b,1,", "line 3: has 7 fields"),
        ("a,0.0", "a,zero", "line 2: 'zero' is no number"),
        ("b,", "a,", "1 strategies stand twice"),
        ("b,", '"b,', "is no CSV"),
    ],
)
def test_damaged_figures_of_strategies(old, new, fault):
    text = run_texts.strategies_text(metrics("a", "b"))
    assert old in text
    with pytest.raises(InputFileError) as refused:
        run_texts.read_strategies(text.replace(old, new, 1), "m.csv")
    assert fault in str(refused.value)


def test_figures_that_are_cut_off_or_empty():
    text = run_texts.strategies_text(metrics("a", "b"))
    with pytest.raises(InputFileError, match="cut off"):
        run_texts.read_strategies(text[:-1], "m.csv")
    with pytest.raises(InputFileError):
        run_texts.read_strategies("", "m.csv")
    assert run_texts.read_strategies(text.split("\n")[0] + "\n", "m").height == 0


def test_names_of_strategies_stay_on_a_line():
    with pytest.raises(PortfolioError, match="line break"):
        run_texts.strategies_text(metrics("a\nb"))


# -- inversions and errors ---------------------------------------------------------------------


def test_a_report_of_inversions_comes_back_in_full():
    pnl = np.array([[-1.1, 2.0, -3.0], [-0.2, 1.0, 1 / 3]])
    over = StrategyReturns(pnl, ("a % b", "c", "## d"), np.array(["2024-01-04", "2024-01-11"]))
    report = inverted(over).report
    text = run_texts.inversions_text(report)

    assert report.height == 2
    assert (
        report["inverted_ratio"].is_infinite().any() or report["inverted_ratio"].is_finite().all()
    )
    assert text.startswith("# Inversion Report\n\nThe following strategies had their returns")
    assert "## a % b\n- **Original ROI:** -1.3" in text
    assert run_texts.read_inversions(text, "i").equals(report)


def test_two_digits_as_the_legacy_program_leaves_them_are_read():
    report = pl.DataFrame(
        {"strategy": ["a"], "inverted_strategy": ["a_inv"], **{n: [-1.25] for n in INVERSION_LINES}}
    )
    assert "- **Original Ratio:** -1.25\n" in run_texts.inversions_text(report)
    assert run_texts.read_inversions(run_texts.inversions_text(report), "i").equals(report)


def test_no_inversion_is_a_report_too():
    none = run_texts.read_inversions(
        run_texts.inversions_text(pl.DataFrame(schema=["strategy", *INVERSION_LINES])), "i"
    )
    assert none.height == 0
    assert none.schema["original_roi"] == pl.Float64


@pytest.mark.parametrize(
    ("old", "new"),
    [("# Inversion", "Inversion"), ("## a", "a"), ("Original ROI", "ROI"), ("-1.0\n", "x\n")],
)
def test_damaged_reports_of_inversions(old, new):
    report = pl.DataFrame(
        {"strategy": ["a"], "inverted_strategy": ["a_inv"], **{n: [-1.0] for n in INVERSION_LINES}}
    )
    text = run_texts.inversions_text(report)
    assert old in text
    with pytest.raises(InputFileError, match="line"):
        run_texts.read_inversions(text.replace(old, new, 1), "i.md")


def test_errors_as_the_legacy_program_logs_them():
    errors = (
        LoggedError(dt.datetime(2025, 7, 26, 16, 32, 51, 7_999), "ERROR", "first - with - dashes"),
        LoggedError(dt.datetime(2025, 7, 26, 16, 33), "CRITICAL", "two\n  lines\r\nno entry"),
    )
    text = run_texts.errors_text(errors)

    assert text.startswith("2025-07-26 16:32:51,007 - ERROR - first - with - dashes\n")
    assert run_texts.read_errors(text, "e") == errors
    assert run_texts.read_errors("", "e") == ()
    legacy = "2025-07-26 16:32:51,007 - ERROR - failed\nTraceback (most recent call last):\n  x\n"
    assert run_texts.read_errors(legacy, "e")[0].message.endswith("last):\n  x")


@pytest.mark.parametrize("text", ["no entry\n", "2025-07-26 25:00:00,000 - ERROR - x\n", "\x00\n"])
def test_damaged_logs(text):
    with pytest.raises(InputFileError, match=r"e\.txt: line 1"):
        run_texts.read_errors(text, "e.txt")


def test_a_level_is_a_word():
    with pytest.raises(PortfolioError, match="level"):
        LoggedError(dt.datetime(2025, 1, 1), "Error 5", "x")


# -- laws --------------------------------------------------------------------------------------


@given(
    NAMES,
    NUMBERS,
    st.lists(st.one_of(st.none(), NUMBERS), min_size=8, max_size=8),
    st.lists(NAMES, min_size=1, max_size=8, unique=True),
)
@settings(max_examples=150, deadline=None)
def test_any_portfolio_comes_back(method, fitness, figures, members):
    given_portfolio = BestPortfolio(
        method, fitness, dict(zip(PORTFOLIO_FILE_LINES, figures, strict=True)), tuple(members)
    )
    text = run_texts.portfolio_text(given_portfolio)
    assert run_texts.read_portfolio(text, "p") == given_portfolio
    again = text.encode("utf-8").decode("utf-8")
    assert run_texts.read_portfolio(again, "p") == given_portfolio


@given(st.lists(NAMES, min_size=0, max_size=6, unique=True), st.data())
@settings(max_examples=80, deadline=None)
def test_any_figures_of_strategies_come_back(names, data):
    columns = {
        name: data.draw(
            st.lists(st.one_of(st.none(), NUMBERS), min_size=len(names), max_size=len(names))
        )
        for name in STRATEGY_FILE_COLUMNS
    }
    frame = pl.DataFrame(
        {"strategy": names, **columns},
        schema={"strategy": pl.String, **dict.fromkeys(columns, pl.Float64)},
    )
    assert run_texts.read_strategies(run_texts.strategies_text(frame), "m").equals(frame)


@given(st.lists(st.tuples(TIMES, st.sampled_from(["ERROR", "CRITICAL"]), st.text()), max_size=5))
@settings(max_examples=80, deadline=None)
def test_any_log_comes_back(entries):
    errors = tuple(LoggedError(*entry) for entry in entries if "\r" not in entry[2])
    assert run_texts.read_errors(run_texts.errors_text(errors), "e") == errors
