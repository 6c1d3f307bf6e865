"""Reference of what a finished day keeps by bucket, zone and strike: the other history tables.

Here: ``hist_zone``, ``hist_c3_close``, ``hist_c3_zone``, ``hist_c4_day``, ``hist_c4_zone`` and
``hist_c8_zone`` in plain loops, from their declaration (``history.yaml``).
Not here: minutes and daily prices (``history_minutes.py``), streams over days (``streams.py``),
series of the components (``c3_legs.py``, ``c4_smile.py``, ``c8_votes.py``).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping

from mr_platform_tests.features.reference.c3_legs import OpenInterestDay
from mr_platform_tests.features.reference.c4_smile import iv_at_delta, iv_at_forward
from mr_platform_tests.features.reference.c8_votes import CHANNELS, votes_of
from mr_platform_tests.features.reference.day import MINUTES, ZONE_STARTS, Day, Result
from mr_platform_tests.features.reference.history_minutes import Table
from mr_platform_tests.features.reference.plain import (
    ANN,
    Values,
    add,
    mean,
    msr,
    ratio,
    sub,
    valid,
    window,
)
from mr_platform_tests.features.reference.streams import (
    Past,
    Row,
    atr_percent,
    straddle_bars,
    today,
    underlying_bars,
)

ATR_SPANS = (14, 21, 50)
ZONES = tuple(name for _, name in ZONE_STARTS)
REALISED_MINUTES, REALISED_LEAST = 60, 40
LEAST_VOTES = 4

Series = list[float | None]
EarlierMinutes = Mapping[tuple[int, dt.date, int], Row]
"""Rows of hist_minute by the n-th previous trading day, expiry and minute."""


def buckets(day: Day) -> dict[str, list[dt.date]]:
    """The expiries of each dte bucket."""
    found: dict[str, list[dt.date]] = {}
    for e in day.expiries:
        found.setdefault(day.bucket(e), []).append(e)
    return found


def of_zone(day: Day, zone: str, values: Values) -> Series:
    """The values of a zone's minutes."""
    return [values[j] for j in range(MINUTES) if day.zone(j) == zone]


def pooled(
    day: Day, expiries: list[dt.date], zone: str, series: dict[dt.date, Series]
) -> float | None:
    """Every valid (minute, expiry) of a zone counts once."""
    return mean([x for e in expiries for x in of_zone(day, zone, series[e])])


def by_expiry(
    day: Day, expiries: list[dt.date], zone: str, series: dict[dt.date, Series]
) -> float | None:
    """The mean of each expiry by itself, then over the expiries that have one."""
    return mean([mean(of_zone(day, zone, series[e])) for e in expiries])


# ---------------------------------------------------------------- ATR and decay


def hist_zone(day: Day, earlier: EarlierMinutes) -> Table:
    """Zone means of the ATR percentages and of the straddle's decay.

    Args:
        day: The finished day.
        earlier: Minutes of the two trading days before it.
    """
    past = Past(minute_rows=dict(earlier))
    shared = underlying_bars(day, past)
    bars = {e: straddle_bars(day, past, e) for e in day.expiries}
    und = {n: today(atr_percent(shared, n)) for n in ATR_SPANS}
    strd = {n: {e: today(atr_percent(bars[e], n)) for e in day.expiries} for n in ATR_SPANS}
    held = {e: [day.held("strd", e, j)[0] for j in range(MINUTES)] for e in day.expiries}
    table: Table = {}
    for bucket, expiries in buckets(day).items():
        for zone in ZONES:
            row = {f"atrp_{n}_und": mean(of_zone(day, zone, und[n])) for n in ATR_SPANS}
            for n in ATR_SPANS:
                row[f"atrp_{n}_strd"] = by_expiry(day, expiries, zone, strd[n])
            rates = [_rate(of_zone(day, zone, held[e])) for e in expiries]
            row["decay_rate"] = mean(rates)
            table[bucket, zone] = row
    return table


def _rate(returns: Series) -> float | None:
    """Percent a minute: the sum of the valid returns over their number."""
    found = valid(returns)
    return 100 * math.fsum(found) / len(found) if found else None


# ---------------------------------------------------------------- open interest


def hist_c3_close(day: Day) -> Table:
    """Last open interest of every contract that had any."""
    table: Table = {}
    for e in day.expiries:
        for j in range(MINUTES):
            for row in day.rows.get((e, j), []):
                for leg in ("ce_oi", "pe_oi"):
                    if row[leg] is not None:
                        empty: dict[str, float | None] = {"ce_oi": None, "pe_oi": None}
                        table.setdefault((e, row["strike"]), empty)[leg] = row[leg]
    return table


def hist_c3_zone(day: Day) -> Table:
    """Pooled means of the put-call ratio and of the turnover near the money."""
    pcr, turnover = {}, {}
    for e in day.expiries:
        legs = OpenInterestDay(day, e)
        calls, puts = legs.oi("ce"), legs.oi("pe")
        traded = legs.both("volume", 15)
        pcr[e] = [ratio(puts[j], calls[j]) for j in range(MINUTES)]
        turnover[e] = [ratio(traded[j], add(calls[j], puts[j])) for j in range(MINUTES)]
    return {
        (bucket, zone): {
            "pcr_oi": pooled(day, expiries, zone, pcr),
            "turnover": pooled(day, expiries, zone, turnover),
        }
        for bucket, expiries in buckets(day).items()
        for zone in ZONES
    }


# ---------------------------------------------------------------- implied volatility


def volatilities(day: Day, e: dt.date) -> tuple[Series, Series]:
    """iv_atm and the 25-delta risk reversal over it, minute by minute."""
    at_money: Series = []
    reversal: Series = []
    for j in range(MINUTES):
        rows = day.rows.get((e, j), [])
        forward = day.value("forward", e, j)
        iv = iv_at_forward(rows, forward)
        at_money.append(iv)
        if iv is None or forward is None:
            reversal.append(None)
            continue
        call = iv_at_delta(rows, forward, "ce", 0.25)
        put = iv_at_delta(rows, forward, "pe", 0.25)
        reversal.append(ratio(sub(call, put), iv))
    return at_money, reversal


def premium(day: Day, e: dt.date, at_money: Series) -> Series:
    """iv_atm less the realised volatility of the underlying's last 60 minutes."""
    returns = [day.held("und", e, j) for j in range(MINUTES)]
    out: Series = []
    for j in range(MINUTES):
        squared = msr(window(returns, j, REALISED_MINUTES), REALISED_LEAST)
        out.append(sub(at_money[j], None if squared is None else math.sqrt(ANN * squared)))
    return out


def hist_c4_day(day: Day) -> Table:
    """Pooled means of the day."""
    found = {e: volatilities(day, e) for e in day.expiries}
    table: Table = {}
    for bucket, expiries in buckets(day).items():
        table[(bucket,)] = {
            "iv_atm": mean([x for e in expiries for x in found[e][0]]),
            "rr25": mean([x for e in expiries for x in found[e][1]]),
            "iv_rv_spread": mean([x for e in expiries for x in premium(day, e, found[e][0])]),
        }
    return table


def hist_c4_zone(day: Day) -> Table:
    """Pooled means of iv_atm by zone."""
    at_money = {e: volatilities(day, e)[0] for e in day.expiries}
    return {
        (bucket, zone): {"iv_atm": pooled(day, expiries, zone, at_money)}
        for bucket, expiries in buckets(day).items()
        for zone in ZONES
    }


# ---------------------------------------------------------------- consensus


def hist_c8_zone(day: Day, components: dict[str, Result]) -> Table:
    """Zone means of the consensus of both channels.

    Args:
        day: The finished day.
        components: Tables of c1 to c7 of its date, as they are.
    """
    votes = {e: votes_of(day, e, components) for e in day.expiries}
    consensus: dict[str, dict[dt.date, Series]] = {}
    for channel, names in CHANNELS.items():
        consensus[channel] = {
            e: [mean([votes[e][name][j] for name in names], LEAST_VOTES) for j in range(MINUTES)]
            for e in day.expiries
        }
    return {
        (bucket, zone): {
            f"consensus_{channel}": by_expiry(day, expiries, zone, series)
            for channel, series in consensus.items()
        }
        for bucket, expiries in buckets(day).items()
        for zone in ZONES
    }
