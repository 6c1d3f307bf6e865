"""C1: distances to the previous day's pivots, and the width of its central range.

Here: pivot_columns. Not here: the other columns of C1 (c1.py, c1_path.py, c1_momentum.py).
"""

from __future__ import annotations

from mr_platform_tests.features.reference.day import MINUTES, History
from mr_platform_tests.features.reference.plain import ZERO, ratio, sub

SERIES = {"atm": "strd", "comb": "comb", "ce": "ce", "pe": "pe"}


def pivot_columns(x, history: History) -> dict[str, list]:
    """Distance and zone of every minute, width of the day."""
    out: dict[str, list] = {}
    for s, name in SERIES.items():
        levels = previous_levels(x, history, name)
        out[f"c1_pivot_dist_{s}"] = [pivot_dist(p, levels) for p in x.price[s]]
        if s in ("atm", "comb"):
            out[f"c1_pivot_zone_{s}"] = [pivot_zone(p, levels) for p in x.price[s]]
            out[f"c1_cpr_width_{s}"] = [cpr_width(levels)] * MINUTES
    return out


def previous_levels(x, history: History, name: str):
    """High, low, close of the expiry's previous session, null if one is."""
    before, table = history.dates(1).get(1), history.tables.get("hist_daily")
    if before is None or table is None:
        return None
    for row in table.iter_rows(named=True):
        key = (row["symbol"], row["date"], row["expiry_date"])
        if key == (x.day.symbol, before, x.e):
            levels = (row[f"{name}_high"], row[f"{name}_low"], row[f"{name}_close"])
            return None if None in levels else levels
    return None


def pivot_dist(p, levels):
    """(P - PP) / (H - L)."""
    if levels is None:
        return None
    high, low, close = levels
    return ratio(sub(p, (high + low + close) / 3), high - low)


def pivot_zone(p, levels):
    """Zone of P among S2, S1, PP, R1, R2."""
    if levels is None or p is None:
        return None
    high, low, close = levels
    if abs(high - low) < ZERO:
        return None
    middle = (high + low + close) / 3
    lines = (
        (middle + (high - low), 3),
        (2 * middle - low, 2),
        (middle, 1),
        (2 * middle - high, -1),
        (middle - (high - low), -2),
    )
    for line, zone in lines:
        if p >= line - ZERO * max(abs(p), abs(line)):
            return zone
    return -3


def cpr_width(levels):
    """Width of the central pivot range in percent of PP."""
    if levels is None:
        return None
    high, low, close = levels
    middle = (high + low + close) / 3
    share = ratio(2 * abs(middle - (high + low) / 2), middle)
    return None if share is None else 100 * share
