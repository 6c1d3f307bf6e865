"""What the source of a day lacks, in plain words, each with what it costs.

Here: series that are null all day, minutes without a quote, a partner index that is not there.
Not here: tables that were not made (``symbol_day.Missing``), shares of nulls (``null_map.py``).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from mr_platform.pictures.style import clock_of
from mr_platform.pictures.symbol_day import SymbolDay
from mr_platform.registry.loader import load_registry
from mr_platform.trading_calendar import SESSION_MINUTES, SYMBOLS

_SERIES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "no spot": (("spot",), "whatever is measured against the index is null"),
    "no futures": (("fut",), "families of the future are null"),
    "no volume of the future": (
        ("fut_volume",),
        "VWAP, volume profile and other families weighted by it are null",
    ),
    "no open interest": (
        ("oi_ce", "oi_pe"),
        "walls, max pain and families of open interest are null",
    ),
    "no option volume": (("chain_volume",), "families weighted by volume are null"),
    "no implied volatility": (("iv_atm",), "volatility and skew families are null"),
}
"""By what is said: panel columns of which none has a value other than zero, and what that costs."""

_IMPLIED = {"no volume of the future": "no futures"}
"""Not told where the other is told already."""
_DENSE = 0.95
"""From this share of quoted minutes on, single minutes without a quote are not told."""
_CROSS_BLOCK = "cross_symbol"
_CROSS_COLUMN = "c6_xsym_iv_spread"
"""Needs one common minute and no window: null all day means that there was no partner."""


def source_gaps(day: SymbolDay) -> tuple[str, ...]:
    """What the file of the day did not hold, one sentence each.

    Args:
        day: The day; only frames that it holds already are looked at.

    Returns:
        Sentences without full stop; none for a day with everything.
    """
    quoted = day.panel.filter(
        pl.col("expiry_date") == day.expiry, pl.col("present").fill_null(value=False)
    )
    if quoted.is_empty():
        return ("no minute of this expiry is quoted: everything of the day is null",)
    return (*_sparse(day), *_empty_series(quoted), *_partner(day, quoted))


def _empty_series(quoted: pl.DataFrame) -> list[str]:
    empty = [said for said, (names, _) in _SERIES.items() if not _any_value(quoted, names)]
    return [
        f"{said} in the file: {_SERIES[said][1]}"
        for said in empty
        if _IMPLIED.get(said) not in empty
    ]


def _any_value(rows: pl.DataFrame, names: tuple[str, ...]) -> bool:
    """A panel without the column says nothing about the file."""
    known = [name for name in names if name in rows.columns]
    return not known or any((rows[name].fill_null(0) != 0).any() for name in known)


def _sparse(day: SymbolDay) -> list[str]:
    at = np.flatnonzero(day.present)
    if len(at) >= _DENSE * SESSION_MINUTES:
        return []
    apart = np.diff(at)
    usual = int(np.median(apart)) if apart.size else 0
    if usual > 1:
        rhythm = f"a quote every {usual} minutes" if (apart == usual).mean() > _DENSE else (
            f"a quote about every {usual} minutes"
        )  # fmt: skip
        return [
            f"{rhythm} ({len(at)} of {SESSION_MINUTES}): windows that need more minutes, and "
            "changes from minute to minute, stay null"
        ]
    edges = np.concatenate(([-1], at, [SESSION_MINUTES]))
    widest = int(np.argmax(np.diff(edges)))
    first, last = int(edges[widest]) + 1, int(edges[widest + 1]) - 1
    return [
        f"{len(at)} of {SESSION_MINUTES} minutes are quoted, the longest gap from "
        f"{clock_of(first)} to {clock_of(last)}: windows that need more minutes stay null"
    ]


def _partner(day: SymbolDay, quoted: pl.DataFrame) -> list[str]:
    rows = day.rows_of("c6")
    if rows is None or rows.is_empty() or not _any_value(quoted, ("iv_atm",)):
        return []
    names = [
        column.name
        for column in load_registry().components["c6"].columns
        if column.block == _CROSS_BLOCK and column.name in rows.columns
    ]
    if _CROSS_COLUMN not in names or any(rows[name].is_not_null().any() for name in names):
        return []
    partner = " or ".join(symbol for symbol in SYMBOLS if symbol != day.symbol)
    return [f"no {partner} that day when c6 was made: cross-symbol families of c6 are null"]
