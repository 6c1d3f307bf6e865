"""Tables of figures side by side: dates held out, weights of rows, zones."""

from __future__ import annotations

import json

import polars as pl
import pytest

from mr_platform.pictures.comparison_rows import (
    Sheet,
    held_out_figures,
    held_out_table,
    weighted_table,
    zone_correlations,
    zone_table,
)
from mr_platform.pictures.equity_plots import amount
from mr_platform.pictures.portfolio_rows import number, share
from mr_platform_tests.portfolio.found_portfolios import held_out_report, weighted_report

ZONES = pl.DataFrame(
    {
        "zone": ["A", "B"],
        "rows": [1200, 30],
        "size": [10, 11],
        "fitness": [4.5, -1.25],
        "roi": [120.0, -3.0],
        "max_drawdown": [12.0, 40.0],
        "win_rate": [0.6, 0.25],
        "profit_factor": [None, 1.5],
        "expectancy": [0.1, -0.2],
        "allocation": [0.9999, 0.0001],
        "correlation": [json.dumps({"A": 1.0, "B": -0.126}), json.dumps({"A": -0.126, "B": 1.0})],
    }
)


def texts(sheet: Sheet) -> list[list[str]]:
    assert all([kind for _, kind in row] == [kind for _, kind in sheet.head] for row in sheet.rows)
    return [[text for text, _ in row] for row in sheet.rows]


def test_figures_searched_stand_beside_those_held_out() -> None:
    facts = held_out_report()
    later = facts.held_out
    assert later is not None
    sheet = held_out_figures(facts, later)
    told = {row[0]: row[1:] for row in texts(sheet)}
    assert [text for text, _ in sheet.head][1:3] == ["portfolio, searched", "portfolio, held out"]
    assert told["rows"] == ["40", "10", "40", "10", ""]
    own, after = facts.best.series, later.best
    assert told["ratio"][:2] == [number(own.legacy["ratio"]), number(after.legacy["ratio"])]
    assert told["mean row"][:2] == [amount(own.rows.mean()), amount(after.rows.mean())]
    assert told["winning rows"][3] == share(later.universe.legacy["win_rate"])
    assert told["Sharpe"][1] == number(after.standard["sharpe"])
    best = later.table.filter((pl.col("size") == 4) & (pl.col("algorithm") == "genetic"))
    assert told["mean correlation"] == [
        number(facts.best.mean_correlation), number(best["mean_correlation"].item()), "–", "–", "",
    ]  # fmt: skip


def test_all_portfolios_are_told_before_and_after_the_fittest_first() -> None:
    facts = held_out_report()
    later = facts.held_out
    assert later is not None
    sheet = held_out_table(facts, later)
    rows = texts(sheet)
    assert [row[3] for row in rows] == ["4.0000", "3.0000", "2.0000", "1.5000"]
    assert sheet.marked == 0
    assert rows[3][:3] == ["3", "hill climbing", "legacy"]
    place = [found.fitness for found in facts.portfolios].index(1.5)
    searched, after = facts.table.row(place, named=True), later.table.row(place, named=True)
    assert rows[3][4:6] == [amount(searched["roi"] / 40), amount(after["roi"] / 10)]
    assert rows[3][6:8] == [number(searched["ratio"]), number(after["ratio"])]
    assert rows[3][12:] == [
        number(searched["mean_correlation"]), number(after["mean_correlation"]),
    ]  # fmt: skip


def test_rows_raw_stand_beside_rows_weighted() -> None:
    facts = weighted_report()
    assert facts.weighted is not None
    sheet = weighted_table(facts.weighted, facts.settings)
    told = {row[0]: row[1:] for row in texts(sheet)}
    assert [text for text, _ in sheet.head] == [
        "figure", "portfolio, raw", "portfolio, weighted", "all strategies, raw",
        "all strategies, weighted", "unit",
    ]  # fmt: skip
    row = facts.weighted.row(0, named=True)
    assert told["ROI"][:2] == [amount(row["roi_raw"]), amount(row["roi_weighted"])]
    assert told["ROI"][0] != told["ROI"][1]
    assert told["ratio"][1] == number(row["ratio_weighted"])
    assert told["expectancy"][4] == "rupees a row"
    without = facts.weighted.with_columns(expectancy_raw=pl.lit(None, pl.Float64))
    rows = {row[0]: row for row in texts(weighted_table(without, facts.settings))}
    assert rows["expectancy"][1] == "–"


def test_zones_have_their_share_and_figures() -> None:
    sheet = zone_table(ZONES, "percent")
    assert texts(sheet) == [
        ["A", "1,200", "10", "100.0 %", "4.5000", "120", "12", "60.0 %", "∞", "0.1"],
        ["B", "30", "11", "0.0 %", "−1.2500", "−3", "40", "25.0 %", "1.500", "−0.2"],
    ]
    assert ("ROI, percent", True) in sheet.head
    rho = zone_correlations(ZONES)
    assert [text for text, _ in rho.head] == ["zone", "A", "B"]
    assert texts(rho) == [["A", "1.00", "−0.13"], ["B", "−0.13", "1.00"]]


@pytest.mark.parametrize("unit", ["percent", "rupees"])
def test_units_are_those_of_the_settings(unit: str) -> None:
    facts = held_out_report(unit=unit)
    assert facts.held_out is not None
    told = {row[0]: row[-1] for row in texts(held_out_figures(facts, facts.held_out))}
    assert told["ROI"] == unit
    assert told["CVaR 95 %"] == ("fraction" if unit == "percent" else "rupees")
