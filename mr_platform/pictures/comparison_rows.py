"""Rows of tables that set figures side by side: dates held out, weights of rows, zones of the day.

Here: which figures are compared, and how each number is written.
Not here: the figures (``portfolio/portfolio_facts``), the main tables (``portfolio_rows.py``), the
page's markup (``portfolio_page.py``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from mr_platform.pictures.equity_plots import amount
from mr_platform.pictures.portfolio_rows import ABSENT, Cell, number, share, small
from mr_platform.portfolio.portfolio_facts import HeldOutFacts, ReportFacts
from mr_platform.portfolio.series_facts import FactSettings, SeriesFacts

Row = tuple[Cell, ...]
Write = Callable[[float], str]


@dataclass(frozen=True)
class Sheet:
    """A table of texts.

    Attributes:
        head: Its headings.
        rows: Its rows, a cell for each heading.
        marked: Place of the row that stands out; None where none does.
    """

    head: Row
    rows: tuple[Row, ...]
    marked: int | None = None


def held_out_figures(report: ReportFacts, later: HeldOutFacts) -> Sheet:
    """Figures of the best portfolio and of all strategies, searched beside held out."""
    settings = report.settings
    series = (report.best.series, later.best, report.universe, later.universe)
    rows = [
        ((name, False), *((write(take(one)), True) for one in series), (unit, False))
        for name, unit, take, write in _compared(settings)
    ]
    ours = later.table["mean_correlation"][report.portfolios.index(report.best.found)]
    rho = (number(report.best.mean_correlation), number(ours), ABSENT, ABSENT)
    rows.append((("mean correlation", False), *((text, True) for text in rho), ("", False)))
    head = (
        ("figure", False), ("portfolio, searched", True), ("portfolio, held out", True),
        ("all strategies, searched", True), ("all strategies, held out", True), ("unit", False),
    )  # fmt: skip
    return Sheet(head, tuple(rows))


def held_out_table(report: ReportFacts, later: HeldOutFacts) -> Sheet:
    """All portfolios, the fittest first: what they did where they were searched and after."""
    unit = report.settings.unit
    both: tuple[tuple[str, str, Write], ...] = (
        (f"mean row, {unit}", "mean_row", amount),
        ("ratio", "ratio", number),
        (f"drawdown, {unit}", "max_drawdown", amount),
        ("winning rows", "win_rate", share),
        ("mean correlation", "mean_correlation", number),
    )
    count = len(report.portfolios)
    ordered = (
        report.table.with_columns(mean_row=pl.col("roi") / report.dates.size)
        .hstack(
            later.table.select(
                mean_row_after=pl.col("roi") / later.dates.size,
                **{f"{name}_after": pl.col(name) for _, name, _ in both if name != "mean_row"},
            )
        )
        .with_row_index("place")
        .sort("fitness", "size", "algorithm", "form", descending=[True, False, False, False])
    )
    head: list[Cell] = [("size", True), ("algorithm", False), ("form", False), ("fitness", True)]
    for title, _, _ in both:
        head += [(f"{title}: searched", True), ("held out", True)]
    rows = []
    for row in ordered.iter_rows(named=True):
        cells: list[Cell] = [
            (f"{row['size']}", True), (row["algorithm"].replace("_", " "), False),
            (row["form"], False), (number(row["fitness"], 4), True),
        ]  # fmt: skip
        for _, name, write in both:
            cells += [(write(row[name]), True), (write(row[f"{name}_after"]), True)]
        rows.append(tuple(cells))
    best = report.portfolios.index(report.best.found)
    marked = dict(zip(ordered["place"], range(count), strict=True))[best]
    return Sheet(tuple(head), tuple(rows), marked)


def weighted_table(weighted: pl.DataFrame, settings: FactSettings) -> Sheet:
    """Figures before and after weights of rows.

    Args:
        weighted: As ``portfolio_facts.weighted_figures`` gives it.
        settings: In what it is measured.
    """
    unit = settings.unit
    told: tuple[tuple[str, str, str, Callable[[float | None], str]], ...] = (
        ("ROI", "roi", unit, _amount),
        ("drawdown", "max_drawdown", unit, _amount),
        ("ratio", "ratio", "", number),
        ("winning rows", "win_rate", "of rows", share),
        ("profit factor", "profit_factor", "", number),
        ("expectancy", "expectancy", f"{unit} a row", _amount),
        ("annual return, legacy", "annual_return", f"{unit} a year", _amount),
        ("Sharpe, legacy", "sharpe", "", number),
    )
    head: list[Cell] = [("figure", False)]
    head += [
        (f"{name}, {kind}", True) for name in weighted["strategy"] for kind in ("raw", "weighted")
    ]
    records = weighted.to_dicts()
    rows = tuple(
        (
            (title, False),
            *((write(row[f"{key}_{kind}"]), True) for row in records
              for kind in ("raw", "weighted")),
            (unit_, False),
        )
        for title, key, unit_, write in told
    )  # fmt: skip
    return Sheet((*head, ("unit", False)), rows)


def zone_table(zones: pl.DataFrame, unit: str) -> Sheet:
    """The portfolio of each zone with its share of the capital.

    Args:
        zones: Rows of ``zone_portfolios``.
        unit: Of the returns.
    """
    head: Row = (
        ("zone", False), ("dates", True), ("members", True), ("share of the capital", True),
        ("fitness", True), (f"ROI, {unit}", True), (f"drawdown, {unit}", True),
        ("winning rows", True), ("profit factor", True), (f"expectancy, {unit} a row", True),
    )  # fmt: skip
    return Sheet(head, tuple(_zone_cells(row) for row in zones.iter_rows(named=True)))


def zone_correlations(zones: pl.DataFrame) -> Sheet:
    """Correlation between the portfolios of the zones, over all dates."""
    names = zones["zone"].to_list()
    head = (("zone", False), *((name, True) for name in names))
    rows = tuple(
        ((name, False), *((number(told[other], 2), True) for other in names))
        for name, told in zip(names, map(json.loads, zones["correlation"]), strict=True)
    )
    return Sheet(head, rows)


def _zone_cells(row: Mapping[str, Any]) -> Row:
    return (
        (row["zone"], False),
        (f"{row['rows']:,}", True),
        (f"{row['size']}", True),
        (share(row["allocation"]), True),
        (number(row["fitness"], 4), True),
        (amount(row["roi"]), True),
        (amount(row["max_drawdown"]), True),
        (share(row["win_rate"]), True),
        # without losses there is none, which the legacy report calls infinite
        ("∞" if row["profit_factor"] is None else number(row["profit_factor"]), True),
        (amount(row["expectancy"]), True),
    )


def _compared(
    settings: FactSettings,
) -> tuple[tuple[str, str, Callable[[SeriesFacts], float], Write], ...]:
    """Names, units, values and texts of the figures that are set side by side."""

    def legacy(key: str) -> Callable[[SeriesFacts], float]:
        return lambda series: series.legacy[key]

    def standard(key: str) -> Callable[[SeriesFacts], float]:
        return lambda series: series.standard[key]

    unit = settings.unit
    return (
        ("rows", "", lambda series: series.rows.size, "{:,}".format),
        ("ROI", unit, legacy("roi"), amount),
        ("mean row", unit, lambda series: float(series.rows.mean()), amount),
        ("drawdown", unit, legacy("max_drawdown"), amount),
        ("ratio", "", legacy("ratio"), number),
        ("winning rows", "of rows", legacy("win_rate"), share),
        ("profit factor", "", legacy("profit_factor"), number),
        ("Sharpe", "", standard("sharpe"), number),
        ("Sortino", "", standard("sortino"), number),
        ("Calmar", "", standard("calmar"), number),
        ("CVaR 95 %", settings.risk_unit, standard("cvar_95"), small),
    )


def _amount(value: float | None) -> str:
    return ABSENT if value is None else amount(value)
