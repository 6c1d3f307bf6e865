from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mr_platform.pictures.equity_plots import amount
from mr_platform.pictures.portfolio_rows import (
    Figure,
    figure_groups,
    member_table,
    number,
    share,
    summary_cells,
    summary_columns,
)
from mr_platform.portfolio.portfolio_facts import ReportFacts
from mr_platform_tests.portfolio.found_portfolios import lone_report, report, weighted_report


def figures(facts: ReportFacts) -> dict[str, Figure]:
    return {each.name: each for group in figure_groups(facts) for each in group.figures}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234.5678, "1,234.568"),
        (-0.5, "−0.500"),
        (-0.0001, "0.000"),
        (None, "not defined"),
        (float("nan"), "not defined"),
        (float("inf"), "∞"),
        (float("-inf"), "−∞"),
    ],
)
def test_numbers_for_people(value: float | None, text: str) -> None:
    assert number(value) == text


def test_shares_for_people() -> None:
    assert share(0.0512) == "5.1 %"
    assert share(-0.0512) == "−5.1 %"
    assert share(None) == "–"


def test_units_follow_the_settings() -> None:
    rupees, capital, percent = (
        figures(report(**settings)) for settings in ({}, {"capital": 1e5}, {"unit": "percent"})
    )
    assert rupees["VaR 95 %"].unit == "rupees"
    assert capital["VaR 95 %"].unit == percent["VaR 95 %"].unit == "fraction"
    assert percent["ROI"].unit == "percent"
    assert "capital at work" in capital
    assert "capital at work" not in rupees


def test_cash_that_rules_leave_is_told() -> None:
    facts = weighted_report(capital=1e5)
    told = figures(facts)

    given = facts.best.allocated
    assert given > 0
    assert told["sum of Kelly shares"].portfolio == share(given)
    assert told["exposure"].portfolio == "62.5 %"
    assert told["capital utilisation"].portfolio == share(0.625 * given)
    assert told["capital utilisation"].what.endswith("Kelly shares × exposure; the rest is cash")
    assert told["capital at work"].portfolio == amount(0.625e5 * given)
    assert "exposure" not in figures(report(capital=1e5))


def test_a_capital_that_rows_tell_is_a_fact_beside_the_figures() -> None:
    facts = report()
    assert "capital told by rows" not in figures(facts)
    told = figures(replace(facts, row_capital=150_000.0))["capital told by rows"]
    assert (told.portfolio, told.unit) == (amount(150_000.0), "rupees")


def test_a_tail_of_one_row_is_called_by_its_name() -> None:
    told = figures(report())
    assert told["CVaR 99 %"].what == "the single worst of 40 rows"
    assert told["CVaR 95 %"].what.startswith("mean of the rows")


def test_the_risk_free_rate_is_told_where_there_is_one() -> None:
    assert "risk-free 2.0 %" in figures(report(capital=1e5, risk_free=0.02))["Sharpe"].what
    assert "risk-free" not in figures(report())["Sharpe"].what


def test_what_is_not_defined_is_said_in_words() -> None:
    told = figures(lone_report(np.full((3, 2), 4.0)))
    assert told["Sharpe"].portfolio == told["Calmar"].portfolio == "not defined"
    assert told["profit factor"].portfolio == "∞"
    assert figures(lone_report(np.array([[1.0]])))["annual return"].portfolio == "not defined"
    lone_loss = figures(lone_report(np.array([[4.0], [-1.0]])))["Sortino, legacy"]
    assert lone_loss.portfolio == "∞"
    assert lone_loss.what.endswith("∞ where they are all equal, as a single one is")


def test_rows_have_a_cell_for_each_heading() -> None:
    facts = report()
    cells = summary_cells(facts.table.to_dicts()[0])
    assert [is_number for _, is_number in cells] == [
        is_number for _, is_number in summary_columns(facts.settings)
    ]
    for of in (facts, report(capital=1e5)):
        head, rows = member_table(of)
        assert len(rows) == 4
        assert all([n for _, n in row] == [n for _, n in head] for row in rows)


def test_a_member_is_told_by_its_name() -> None:
    _, rows = member_table(report())
    assert [text for text, _ in rows[0][:7]] == [
        "1", "SENSEX 930-1030 SL38%TP27%", "09:30", "10:30", "38 %", "27 %", "no",
    ]  # fmt: skip
    assert [text for text, _ in rows[2][2:7]] == ["12:26", "13:26", "2 × 56 %", "56 %", "yes"]
    assert [text for text, _ in rows[3][2:7]] == ["–", "–", "–", "–", "no"]
