"""What a reader of a portfolio report must know before trusting a figure, in sentences.

Here: which facts call for a warning, and its words.
Not here: the facts (``portfolio_facts``), how warnings are shown (``pictures/``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from mr_platform.portfolio.legacy_metrics import LEGACY_PERIODS, NO_DRAWDOWN
from mr_platform.portfolio.portfolio_facts import ReportFacts

FEW_ROWS: Final = 30
"""Below this many rows every figure of risk is told to rest on few."""

FEW_HELD_OUT: Final = 10
"""Fewer dates than this that were held out prove nothing."""

FITTED_RATIO: Final = 50.0
"""A ratio of ROI to drawdown above this is told to be fitted; the run of record reached 30."""

_PERIODS_APART = 0.05
_NAMED = 5
_WHOLE = 1000.0


def report_warnings(report: ReportFacts, dropped: Sequence[str] = ()) -> tuple[str, ...]:
    """Warnings about the best portfolio and its data, the weightiest first; plain text.

    Args:
        report: The facts.
        dropped: Members that were asked for and are not among the strategies.
    """
    held = [] if report.held_out is None else [held_out_sentence(report)]
    return (*held, *_about_members(report, dropped), *_about_rows(report), *_about_units(report))


def held_out_sentence(report: ReportFacts) -> str:
    """What became of the best portfolio on the dates held out; empty where none were."""
    later = report.held_out
    if later is None:
        return ""
    best, unit = report.best.series, report.settings.unit
    count = np.unique(later.dates).size
    gained = int(np.count_nonzero(later.table["roi"].to_numpy() > 0))
    were = "was" if count == 1 else "were"
    few = "; so few dates judge nothing" if count < FEW_HELD_OUT else ""
    return (
        f"the last {_count(count, 'date')} ({later.dates[0]} to {later.dates[-1]}) {were} held "
        f"out: the best portfolio's ratio is {_plain(best.legacy['ratio'])} where it was searched, "
        f"{_plain(later.best.legacy['ratio'])} after; its mean row {_plain(best.rows.mean())} "
        f"{unit}, then {_plain(later.best.rows.mean())}; {gained} of "
        f"{_count(len(report.portfolios), 'portfolio')} gained there{few}"
    )


def _about_members(report: ReportFacts, dropped: Sequence[str]) -> list[str]:
    best, told = report.best, []
    names = best.members["name"].to_list()
    if dropped:
        told.append(
            f"{_count(len(dropped), 'member')} left out, not among the strategies of this data: "
            f"{_listed(dropped)}"
        )
    for group in best.duplicates:
        same = _listed([names[place] for place in group])
        told.append(f"{len(group)} members are equal in every row, so one position in fact: {same}")
    constant = [name for name, rho in zip(names, np.diag(best.correlation), strict=True) if not rho]
    if constant:
        told.append(
            f"{_count(len(constant), 'member')} without any variation, correlation taken as 0: "
            f"{_listed(constant)}"
        )
    unread = best.members.filter(~best.members["name_parsed"])["name"].to_list()
    if unread:
        told.append(
            f"{_count(len(unread), 'name')} of no known form, hours and stops unknown: "
            f"{_listed(unread)}"
        )
    return told


def _about_rows(report: ReportFacts) -> list[str]:
    best, rows, told = report.best.series, report.dates.size, []
    if rows < FEW_ROWS:
        told.append(f"{_count(rows, 'row')} only: figures of risk rest on very little")
    told.extend(
        f"CVaR {level} % is the single worst of {_count(rows, 'row')}, no mean"
        for level in ("95", "99")
        if best.standard[f"cvar_{level}_rests_on_one_row"]
    )
    ratio, fall = best.legacy["ratio"], best.legacy["max_drawdown"]
    if fall > NO_DRAWDOWN and ratio > FITTED_RATIO:
        told.append(
            f"ROI is {ratio:,.0f} times the deepest fall: members were chosen until their losses "
            f"on these {_count(rows, 'row')} cancelled; other rows will not be so kind"
        )
    if fall <= NO_DRAWDOWN:
        told.append(
            "no drawdown: the ratio is not ROI / drawdown but the legacy program's 100 x ROI "
            "of a gain, 10 x ROI of a loss; Calmar is not defined"
        )
    if report.zoned:
        told.append("a row is a zone of a day, not a whole day; rows are shown one after the other")
    return told


def _about_units(report: ReportFacts) -> list[str]:
    settings, told = report.settings, []
    year = report.best.series.standard["periods_a_year"]
    if np.isnan(year):
        told.append("all rows bear one date: annual figures of the standard kind are not defined")
    elif abs(year / LEGACY_PERIODS - 1) > _PERIODS_APART:
        told.append(
            f"legacy annual figures take {LEGACY_PERIODS} rows a year, the dates say {year:.1f}: "
            f"the legacy annual return is {LEGACY_PERIODS / year:.2f} times, its Sharpe ratio "
            f"{np.sqrt(LEGACY_PERIODS / year):.2f} times what the dates allow"
        )
    if settings.unit == "percent":
        told.append("returns are per cent of the capital, not rupees; risk is told in fractions")
    elif settings.capital is None:
        told.append(
            "returns are rupees and no capital is given (setting portfolio.capital): nothing is a "
            "return on capital, and no "
            "risk-free rate is subtracted"
        )
    return told


def _plain(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= _WHOLE else f"{value:.3g}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
