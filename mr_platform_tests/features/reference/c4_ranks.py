"""Reference of component 4: percentiles, ranks and regimes against session and history."""

from __future__ import annotations

import datetime

from mr_platform_tests.features.reference.day import Day, History
from mr_platform_tests.features.reference.plain import irank, lag, percentile, sub
from mr_platform_tests.features.reference.streams import Series, Value, rows_of

MINUTES = 375
LEAST_DAYS = {20: 10, 60: 30, 252: 126}
SESSION_LEAST = 30
BOUNDS = (0.10, 0.25, 0.40, 0.60, 0.75, 0.90)
Columns = dict[str, Series]
Days = dict[int, Value]  # n-th previous trading day to its value


def daily_values(day: Day, history: History, expiry: datetime.date, column: str) -> Days:
    """One value per earlier trading day, of the expiry's bucket today."""
    return {
        history.back[row["date"]]: row[column]
        for row in rows_of(day, history, "hist_c4_day")
        if row["dte_bucket"] == day.bucket(expiry)
    }


def zone_values(day: Day, history: History, expiry: datetime.date) -> dict[str, Days]:
    """The same per zone, of iv_atm."""
    found: dict[str, Days] = {}
    for row in rows_of(day, history, "hist_c4_zone"):
        if row["dte_bucket"] == day.bucket(expiry):
            days = found.setdefault(row["zone_name"], {})
            days[history.back[row["date"]]] = row["iv_atm"]
    return found


def last_days(days: Days, depth: int) -> list[float]:
    """The non-null values of the previous trading days up to a depth."""
    return [value for n, value in days.items() if 1 <= n <= depth and value is not None]


def longest(days: Days) -> list[float] | None:
    """The longest history with enough values, null if none has."""
    for depth in (252, 60, 20):
        values = last_days(days, depth)
        if len(values) >= LEAST_DAYS[depth]:
            return values
    return None


def level(x: Value) -> int | None:
    """1 + the number of bounds that x reaches."""
    if x is None:
        return None
    return 1 + sum(1 for bound in BOUNDS if x >= bound)


def ages(levels: list[int | None]) -> list[int | None]:
    """Consecutive minutes at the present level; a null ends the run."""
    out: list[int | None] = []
    for j, now in enumerate(levels):
        if now is None:
            out.append(None)
        elif j > 0 and levels[j - 1] == now:
            out.append((out[j - 1] or 0) + 1)
        else:
            out.append(1)
    return out


def rank_columns(day: Day, history: History, expiry: datetime.date, out: Columns) -> None:
    """Percentiles, ranks and regimes of one expiry."""
    iv = out["c4_atm_iv_mean"]
    skew: Series = [None if x is None else -x for x in out["c4_risk_reversal_25d"]]
    spread = out["c4_iv_rv_spread_60m"]
    iv_days = daily_values(day, history, expiry, "iv_atm")
    skew_days: Days = {
        n: None if x is None else -x for n, x in daily_values(day, history, expiry, "rr25").items()
    }
    spread_days = daily_values(day, history, expiry, "iv_rv_spread")
    zones = zone_values(day, history, expiry)
    minutes = range(MINUTES)

    out["c4_iv_pctl_session"] = [percentile(iv[j], iv[:j], SESSION_LEAST) for j in minutes]
    out["c4_iv_rank_session"] = [irank(iv[j], iv[:j], SESSION_LEAST) for j in minutes]
    out["c4_skew_pctl_session"] = [percentile(skew[j], skew[:j], SESSION_LEAST) for j in minutes]
    for depth in (20, 60, 252):
        least = LEAST_DAYS[depth]
        past_iv = last_days(iv_days, depth)
        out[f"c4_iv_pctl_{depth}d"] = [percentile(x, past_iv, least) for x in iv]
        out[f"c4_iv_zone_pctl_{depth}d"] = [
            percentile(iv[j], last_days(zones.get(day.zone(j), {}), depth), least) for j in minutes
        ]
        if depth == 252:
            continue
        past_skew, past_spread = last_days(skew_days, depth), last_days(spread_days, depth)
        out[f"c4_iv_rank_{depth}d"] = [irank(x, past_iv, least) for x in iv]
        out[f"c4_skew_pctl_{depth}d"] = [percentile(x, past_skew, least) for x in skew]
        out[f"c4_vrp_pctl_{depth}d"] = [percentile(x, past_spread, least) for x in spread]
    out["c4_volatility_rank"] = [irank(x, last_days(iv_days, 252), 20) for x in iv]

    chosen = longest(iv_days)
    ivp: Series = [None if chosen is None else percentile(x, chosen) for x in iv]
    zone_ivp: Series = []
    for j in minutes:
        history_of_zone = longest(zones.get(day.zone(j), {}))
        zone_ivp.append(None if history_of_zone is None else percentile(iv[j], history_of_zone))
    for w in (30, 60):
        out[f"c4_ivp_chg_{w}m"] = [sub(ivp[j], lag(ivp, j, w)) for j in minutes]
    levels = [level(x) for x in ivp]
    out["c4_iv_regime_level"] = levels
    out["c4_iv_regime_zone_level"] = [level(x) for x in zone_ivp]
    out["c4_iv_regime_shift_30m"] = [sub(levels[j], lag(levels, j, 30)) for j in minutes]
    out["c4_iv_regime_age"] = ages(levels)
