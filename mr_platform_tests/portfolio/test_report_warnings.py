from __future__ import annotations

import numpy as np
import pytest

from mr_platform.portfolio.portfolio_facts import report_facts
from mr_platform.portfolio.report_warnings import FEW_HELD_OUT, held_out_sentence, report_warnings
from mr_platform.portfolio.returns import StrategyReturns
from mr_platform.portfolio.series_facts import FactSettings
from mr_platform_tests.portfolio.found_portfolios import (
    drawn,
    found,
    held_out_report,
    lone_report,
    report,
)


def told(pnl: np.ndarray, **settings: object) -> str:
    return "\n".join(report_warnings(lone_report(pnl, **settings)))


def test_dropped_members_come_first_and_are_named() -> None:
    first = report_warnings(report(), tuple(f"gone {n}" for n in range(7)))[0]
    assert first.startswith("7 members left out")
    assert first.endswith("gone 0, gone 1, gone 2, gone 3, gone 4 and 2 more")
    assert "1 member left out" in report_warnings(report(), ("gone",))[0]


def test_names_of_no_known_form_are_told() -> None:
    assert any("1 name of no known form" in text for text in report_warnings(report()))


def test_the_single_worst_row_is_told_of_the_99_per_cent_tail() -> None:
    texts = "\n".join(report_warnings(report()))
    assert "CVaR 99 % is the single worst of 40 rows" in texts
    assert "CVaR 95 %" not in texts


def test_few_rows_and_one_date() -> None:
    text = told(np.array([[3.0, -1.0]]))
    assert "1 row only" in text
    assert "all rows bear one date" in text
    assert "CVaR 95 % is the single worst of 1 row," in text


def test_no_drawdown() -> None:
    assert "no drawdown" in told(np.array([[3.0], [1.0]]))
    assert "no drawdown" not in told(np.array([[3.0], [-1.0]]))


def test_a_drawdown_of_next_to_nothing_is_told_to_be_fitted() -> None:
    assert "101 times the deepest fall" in told(np.array([[51.0], [-1.0], [51.0]]))
    assert "deepest fall" not in told(np.array([[25.0], [-1.0], [26.0]]))


def test_equal_and_constant_members() -> None:
    text = told(np.array([[1.0, 5.0, 1.0], [2.0, 5.0, 2.0]]))
    assert "2 members are equal in every row" in text
    assert "1 member without any variation" in text


def test_legacy_years_are_told_where_the_dates_say_otherwise() -> None:
    assert "4.7" in "\n".join(report_warnings(report()))
    assert "legacy annual" not in "\n".join(report_warnings(report(periods_a_year=250.0)))


@pytest.mark.parametrize(
    ("settings", "word"),
    [({}, "no capital is given"), ({"unit": "percent"}, "per cent of the capital")],
)
def test_units(settings: dict, word: str) -> None:
    assert word in report_warnings(report(**settings))[-1]


def test_a_capital_needs_no_warning_of_units() -> None:
    assert not any("capital" in text for text in report_warnings(report(capital=1e6)))


def test_zones_are_told() -> None:
    plain = drawn(rows=4)
    days = np.repeat(plain.dates[:2], 2)
    zoned = StrategyReturns(plain.pnl, plain.names, days, ("A", "B", "A", "B"))
    texts = report_warnings(report_facts(zoned, [found(0, 1)], FactSettings()))
    assert any("zone of a day" in text for text in texts)


def test_what_became_of_it_after_the_search_comes_first() -> None:
    facts = held_out_report()
    later = facts.held_out
    assert later is not None
    text = report_warnings(facts, ("gone",))[0]
    assert text == held_out_sentence(facts)
    assert text.startswith("the last 10 dates (2024-10-10 to 2024-12-12) were held out: ")
    searched, after = facts.best.series, later.best
    assert f"ratio is {searched.legacy['ratio']:.3g} where it was searched" in text
    assert f", {after.legacy['ratio']:.3g} after" in text
    assert f"mean row {searched.rows.mean():.3g} rupees, then {after.rows.mean():.3g}" in text
    gained = sum(roi > 0 for roi in later.table["roi"])
    assert text.endswith(f"{gained} of 4 portfolios gained there")
    assert held_out_sentence(report()) == ""


def test_few_dates_that_were_held_out_are_told_to_judge_nothing() -> None:
    returns = drawn(rows=12)
    for held, told in ((1, "the last 1 date "), (FEW_HELD_OUT - 1, "the last 9 dates ")):
        first = 12 - held
        facts = report_facts(
            StrategyReturns(returns.pnl[:first], returns.names, returns.dates[:first]),
            [found(0, 1)],
            FactSettings(),
            held_out=StrategyReturns(returns.pnl[first:], returns.names, returns.dates[first:]),
        )
        sentence = held_out_sentence(facts)
        assert sentence.startswith(told)
        assert sentence.endswith("; so few dates judge nothing")


def test_large_amounts_are_told_whole() -> None:
    returns = drawn(rows=12)
    large = StrategyReturns(returns.pnl * 1e5, returns.names, returns.dates)
    first, last = large.pnl[:8], large.pnl[8:]
    facts = report_facts(
        StrategyReturns(first, large.names, large.dates[:8]),
        [found(0, 1)],
        held_out=StrategyReturns(last, large.names, large.dates[8:]),
    )
    assert f"mean row {first[:, :2].mean():,.0f} rupees" in held_out_sentence(facts)
    assert "of 1 portfolio gained" in held_out_sentence(facts)
