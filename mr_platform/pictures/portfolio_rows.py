"""Rows of the tables of a portfolio report: names, texts of numbers, units, what a figure is.

Here: which figures and columns a reader is shown, and how each number is written.
Not here: the figures (``portfolio/portfolio_facts``), the page's markup (``portfolio_page.py``).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mr_platform.pictures.equity_plots import amount
from mr_platform.portfolio.legacy_metrics import LEGACY_PERIODS
from mr_platform.portfolio.portfolio_facts import ReportFacts
from mr_platform.portfolio.series_facts import FactSettings

UNDEFINED: Final = "not defined"
ABSENT: Final = "–"

Cell = tuple[str, bool]
"""A text and whether it is a number."""


@dataclass(frozen=True)
class Figure:
    """One line of the table of figures, all texts."""

    name: str
    portfolio: str
    universe: str
    unit: str
    what: str


@dataclass(frozen=True)
class Group:
    """Figures under one heading."""

    title: str
    figures: tuple[Figure, ...]


def number(value: float | None, digits: int = 3) -> str:
    """A ratio for people; what is not defined is said in words."""
    if value is None or math.isnan(value):
        return UNDEFINED
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:,.{digits}f}"
    return (text if float(text.replace(",", "")) else text.removeprefix("-")).replace("-", "−")


def share(value: float | None) -> str:
    """A share as per cent; an absent one is a dash."""
    return ABSENT if value is None else f"{100 * value:.1f} %".replace("-", "−")


def small(value: float | None) -> str:
    """An amount that may be a fraction of the capital; what is not defined is said in words."""
    if value is None or math.isnan(value):
        return UNDEFINED
    return f"{value:.5f}".replace("-", "−") if 0 < abs(value) < 1 else amount(value)


def figure_groups(report: ReportFacts) -> tuple[Group, ...]:
    """The table of figures: the best portfolio beside all strategies."""
    return _legacy(report), _standard(report), _sizing(report)


def summary_columns(settings: FactSettings) -> tuple[Cell, ...]:
    """Headings of the table of all portfolios."""
    unit, risk = settings.unit, settings.risk_unit
    return (
        ("size", True), ("algorithm", False), ("form", False), ("fitness", True),
        (f"ROI, {unit}", True), (f"drawdown, {unit}", True), ("ratio", True),
        ("winning rows", True), ("profit factor", True), ("Sharpe", True), ("Sortino", True),
        ("Calmar", True), (f"CVaR 95 %, {risk}", True), ("mean correlation", True),
        ("judged", True),
    )  # fmt: skip


def summary_cells(row: Mapping[str, Any]) -> tuple[Cell, ...]:
    """A row of ``portfolio_facts.portfolio_table`` as texts."""
    return (
        (f"{row['size']}", True),
        (row["algorithm"].replace("_", " "), False),
        (row["form"], False),
        (number(row["fitness"], 4), True),
        (amount(row["roi"]), True),
        (amount(row["max_drawdown"]), True),
        (number(row["ratio"]), True),
        (share(row["win_rate"]), True),
        *((number(row[name]), True) for name in ("profit_factor", "sharpe", "sortino", "calmar")),
        (small(row["cvar_95"]), True),
        (number(row["mean_correlation"]), True),
        (f"{row['evaluations']:,}", True),
    )


def member_table(report: ReportFacts) -> tuple[tuple[Cell, ...], list[tuple[Cell, ...]]]:
    """Headings and rows of the members; without capital nothing is told in its rupees."""
    unit, members = report.settings.unit, report.best.members
    head: list[Cell] = [
        ("#", True), ("strategy", False), ("entry", False), ("exit", False), ("stop loss", True),
        ("take profit", True), ("inverted", False), (f"own ROI, {unit}", True),
        (f"own drawdown, {unit}", True), ("winning rows", True), (f"part of ROI, {unit}", True),
        ("share of ROI", True), (f"part of deepest fall, {unit}", True),
        ("correlation with others", True), ("Kelly fraction", True), ("Kelly share", True),
    ]  # fmt: skip
    rows = [_member_cells(row) for row in members.iter_rows(named=True)]
    if report.settings.capital is not None:
        head.append(("Kelly share, rupees", True))
        rows = [
            (*cells, (amount(rupees), True))
            for cells, rupees in zip(rows, members["kelly_rupees"], strict=True)
        ]
    return tuple(head), rows


def _member_cells(row: Mapping[str, Any]) -> tuple[Cell, ...]:
    rho = row["correlation_with_others"]
    return (
        (f"{row['number']}", True),
        (row["name"], False),
        (_clock(row["entry"]), False),
        (_clock(row["exit"]), False),
        (_stop(row, "stop_loss"), True),
        (_stop(row, "take_profit"), True),
        ("yes" if row["inverted"] else "no", False),
        (amount(row["roi"]), True),
        (amount(row["max_drawdown"]), True),
        (share(row["win_rate"]), True),
        (amount(row["contribution"]), True),
        (share(row["contribution_share"]), True),
        (amount(row["fall_contribution"]), True),
        (ABSENT if rho is None else number(rho), True),
        (share(row["kelly_fraction"]), True),
        (share(row["kelly_share"]), True),
    )


def _legacy(report: ReportFacts) -> Group:
    unit = report.settings.unit
    own, all_ = report.best.series.legacy, report.universe.legacy

    def line(name: str, key: str, unit: str, what: str, write: Any = number) -> Figure:
        return Figure(name, write(own[key]), write(all_[key]), unit, what)

    return Group(
        "Figures of the legacy program",
        (
            line("ROI", "roi", unit, "sum of the rows", amount),
            line("drawdown", "max_drawdown", unit,
                 "deepest fall of the running sum; its peak starts at the first row", amount),
            line("ratio", "ratio", "",
                 "ROI / drawdown; without drawdown 100 × a gain, 10 × a loss"),
            line("winning rows", "win_rate", "of rows", "rows above 0", share),
            line("profit factor", "profit_factor", "", "gains / losses"),
            line("expectancy", "expectancy", f"{unit} a row",
                 "win rate × mean win − (1 − win rate) × mean loss", amount),
            line("annual return, legacy", "annual_return", f"{unit} a year",
                 f"ROI × {LEGACY_PERIODS} / rows, whatever the dates say", amount),
            line("Sharpe, legacy", "sharpe", "",
                 f"annual return / (population deviation × √{LEGACY_PERIODS})"),
            line("Sortino, legacy", "sortino", "",
                 "the same over the deviation of losing rows alone; 0 without them, ∞ where they "
                 "are all equal, as a single one is"),
        ),
    )  # fmt: skip


def _standard(report: ReportFacts) -> Group:
    settings = report.settings
    own, all_ = report.best.series.standard, report.universe.standard
    unit, rows = settings.risk_unit, report.dates.size

    def line(name: str, key: str, unit: str, what: str, write: Any = number) -> Figure:
        return Figure(name, write(own[key]), write(all_[key]), unit, what)

    def tail(level: int) -> str:
        single = own[f"cvar_{level}_rests_on_one_row"]
        return (
            f"the single worst of {rows:,} rows"
            if single
            else f"mean of the rows not above the {level} % value at risk"
        )

    free = f", risk-free {share(settings.risk_free)} a year" if settings.risk_free else ""
    return Group(
        "Figures in standard definitions",
        (
            line("rows a year", "periods_a_year", "", "from the dates, unless it was given",
                 lambda value: number(value, 1)),
            line("annual return", "annual_return", f"{unit} a year", "mean row × rows a year",
                 small),
            line("Sharpe", "sharpe", "", f"mean / sample deviation × √rows a year{free}"),
            line("Sortino", "sortino", "",
                 "mean / root mean square of losses over all rows × √rows a year"),
            line("Calmar", "calmar", "", "annual return / drawdown"),
            line("VaR 95 %", "var_95", unit, "quantile of rows at 0.05; a loss is negative",
                 small),
            line("VaR 99 %", "var_99", unit, "quantile of rows at 0.01", small),
            line("CVaR 95 %", "cvar_95", unit, tail(95), small),
            line("CVaR 99 %", "cvar_99", unit, tail(99), small),
        ),
    )  # fmt: skip


def _sizing(report: ReportFacts) -> Group:
    best, settings = report.best, report.settings
    none = ABSENT
    in_rupees = () if settings.capital is None else (
        Figure("capital at work", amount(best.utilisation * settings.capital), none, "rupees",
               f"of {amount(settings.capital)} rupees; the rest is cash"),
    )  # fmt: skip
    of_rows = () if report.row_capital is None else (
        Figure("capital told by rows", amount(report.row_capital), none, "rupees",
               "mean over the rows searched that tell one; no figure is measured against it"),
    )  # fmt: skip
    ruled = () if report.weighted is None else (
        Figure("sum of Kelly shares", share(best.allocated), none, "of the capital",
               "what the members are given, where no rule takes any of it away"),
        Figure("exposure", share(best.exposure), none, "of that",
               "what rules of regimes leave at work, mean over all rows of the dates searched, "
               "those left out as 0"),
    )  # fmt: skip
    members = "sum of the members' Kelly shares"
    return Group(
        "Correlation, sizing, composition",
        (
            Figure("mean correlation", number(best.mean_correlation), none, "",
                   "signed, over all pairs of members"),
            Figure("Kelly fraction", share(best.kelly), none, "of the capital",
                   "p − q × mean loss / mean win of the portfolio's rows, in [0, "
                   f"{share(settings.kelly_cap)}]"),
            *ruled,
            Figure("capital utilisation", share(best.utilisation), none, "of the capital",
                   f"{members}{' × exposure' if ruled else ''}; the rest is cash"),
            *in_rupees,
            *of_rows,
            Figure("inverted members", share(best.inverted_share), none, "of members",
                   "sold instead of bought, names ending in _inv"),
        ),
    )  # fmt: skip


def _clock(time: dt.time | None) -> str:
    return ABSENT if time is None else f"{time:%H:%M}"


def _stop(row: Mapping[str, Any], which: str) -> str:
    percent, multiple = row[f"{which}_percent"], row[f"{which}_multiple"]
    if percent is None:
        return ABSENT
    return f"{'' if multiple is None else f'{multiple:g} × '}{percent:g} %"
