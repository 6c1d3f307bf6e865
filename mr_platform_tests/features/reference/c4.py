"""Reference of component 4: implied volatility and skew, minute by minute.

Here: term structure, changes, realised volatility and dynamics, from the levels of each minute.
Not here: one minute's strikes (c4_smile.py), percentiles, ranks and regimes (c4_ranks.py).
"""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass

from mr_platform_tests.features.reference.c4_ranks import rank_columns
from mr_platform_tests.features.reference.c4_smile import LEVELS, minute_columns, valid_iv
from mr_platform_tests.features.reference.day import Day, History, Result
from mr_platform_tests.features.reference.plain import (
    ANN,
    clip,
    lag,
    ln,
    log_ratio,
    mean,
    msr,
    no_variance,
    pairs,
    ratio,
    sqrt,
    std,
    sub,
    window,
    zscore,
)
from mr_platform_tests.features.reference.streams import Past, Series, Value, read_past

MINUTES = 375
MINUTES_A_YEAR = 525600
RANKED_MINUTES = 60
OPENING = 15
Columns = dict[str, Series]
Expiry = datetime.date
Ranked = list[tuple[Expiry, float, float]]  # expiry, iv_atm, T of rank 1, 2, ...


@dataclass
class Sight:
    """What every family of one expiry reads."""

    day: Day
    history: History
    past: Past
    expiry: Expiry
    columns: Columns

    @property
    def iv_atm(self) -> Series:
        """c4_atm_iv_mean."""
        return self.columns["c4_atm_iv_mean"]


def c4(day: Day, history: History) -> Result:
    """Every column of component 4, per expiry and minute."""
    past = read_past(day, history)
    sights: dict[Expiry, Sight] = {}
    for expiry in day.expiries:
        columns: Columns = {name: [] for name in LEVELS}
        for j in range(MINUTES):
            for name, value in minute_columns(day, expiry, j).items():
                columns[name].append(value)
        sights[expiry] = Sight(day, history, past, expiry, columns)
    term = term_columns(day, sights)
    for sight in sights.values():
        sight.columns.update(term)
        change_columns(sight)
        deviation_columns(sight)
        realised_columns(sight)
        dynamics_columns(sight)
        bias_column(sight)
        rank_columns(day, history, sight.expiry, sight.columns)
    names = sights[day.expiries[0]].columns
    return {name: {e: sights[e].columns[name] for e in day.expiries} for name in names}


# ---------------------------------------------------------------- term structure


def ranked(day: Day, sights: dict[Expiry, Sight], j: int) -> Ranked:
    """Expiries of the minute with an iv_atm and at least 60 minutes left, front first."""
    found: Ranked = []
    for expiry in day.expiries:
        iv, tau = sights[expiry].iv_atm[j], day.value("tau", expiry, j)
        if iv is not None and tau is not None and tau >= RANKED_MINUTES / MINUTES_A_YEAR:
            found.append((expiry, iv, tau))
    return found


def forward_premium(ranks: Ranked) -> Value:
    """Forward volatility between the first two expiries over the first, less one."""
    (_, iv_1, t_1), (_, iv_2, t_2) = ranks[0], ranks[1]
    variance = ratio(iv_2 * iv_2 * t_2 - iv_1 * iv_1 * t_1, t_2 - t_1)
    if variance is None or variance <= 0:
        return None
    return math.sqrt(variance) / iv_1 - 1


def slope_of_logs(ranks: Ranked) -> Value:
    """Least-squares slope of ln iv on ln T."""
    x = [math.log(t) for _, _, t in ranks]
    y = [math.log(iv) for _, iv, _ in ranks]
    if no_variance(x):
        return None
    x_mean, y_mean = sum(x) / len(x), sum(y) / len(y)
    above = sum((a - x_mean) * (b - y_mean) for a, b in zip(x, y, strict=True))
    return above / sum((a - x_mean) ** 2 for a in x)


def term_signal(ranks: Ranked) -> int:
    """Backwardation and contango in five steps."""
    s = math.log(ranks[0][1] / ranks[1][1])
    if s >= 0.10:
        return 2
    if s >= 0.02:
        return 1
    if s <= -0.10:
        return -2
    if s <= -0.02:
        return -1
    return 0


def term_columns(day: Day, sights: dict[Expiry, Sight]) -> Columns:
    """The columns that all expiries of a minute share."""
    names = ("log_ratio_12", "log_ratio_23", "forward_premium_12", "slope")
    out: Columns = {f"c4_ts_{name}": [None] * MINUTES for name in names}
    for window_minutes in (5, 15, 30):
        out[f"c4_ts_log_ratio_12_chg_{window_minutes}m"] = [None] * MINUTES
    out["c4_skew_ts_12"] = [None] * MINUTES
    out["c4_term_structure_signal"] = [None] * MINUTES
    ranks = [ranked(day, sights, j) for j in range(MINUTES)]
    for j in range(MINUTES):
        now = ranks[j]
        if len(now) >= 2:
            out["c4_ts_log_ratio_12"][j] = math.log(now[1][1] / now[0][1])
            out["c4_ts_forward_premium_12"][j] = forward_premium(now)
            out["c4_term_structure_signal"][j] = term_signal(now)
            skew = [sights[e].columns["c4_risk_reversal_25d"][j] for e, _, _ in now[:2]]
            out["c4_skew_ts_12"][j] = sub(skew[0], skew[1])
        if len(now) >= 3:
            out["c4_ts_log_ratio_23"][j] = math.log(now[2][1] / now[1][1])
            out["c4_ts_slope"][j] = slope_of_logs(now)
    level = out["c4_ts_log_ratio_12"]
    for minutes in (5, 15, 30):
        for j in range(minutes, MINUTES):
            now, then = ranks[j][:2], ranks[j - minutes][:2]
            if [e for e, _, _ in now] == [e for e, _, _ in then]:
                change = sub(level[j], level[j - minutes])
                out[f"c4_ts_log_ratio_12_chg_{minutes}m"][j] = change
    return out


# ---------------------------------------------------------------- changes and deviations


def leg_change(sight: Sight, leg: str, j: int, minutes: int) -> Value:
    """ln of a leg's volatility over that of the same strike some minutes ago."""
    row = sight.day.row(sight.expiry, j, 0)
    if row is None or j < minutes:
        return None
    before = sight.day.strike_row(sight.expiry, j - minutes, row["strike"])
    return log_ratio(valid_iv(row, leg), valid_iv(before, leg))


def change_columns(sight: Sight) -> None:
    """Log changes, second differences and skew momentum."""
    out, iv = sight.columns, sight.iv_atm
    for minutes in (5, 15, 30):
        for leg in ("ce", "pe"):
            out[f"c4_atm_iv_{leg}_chg_{minutes}m"] = [
                leg_change(sight, leg, j, minutes) for j in range(MINUTES)
            ]
        out[f"c4_atm_iv_mean_chg_{minutes}m"] = [
            log_ratio(iv[j], lag(iv, j, minutes)) for j in range(MINUTES)
        ]
    logs = [ln(x) for x in iv]
    for minutes in (5, 15):
        values: Series = []
        for j in range(MINUTES):
            points = [logs[j], lag(logs, j, minutes), lag(logs, j, 2 * minutes)]
            if any(point is None for point in points):
                values.append(None)
            else:
                values.append(points[0] - 2 * points[1] + points[2])
        out[f"c4_atm_iv_accel_{minutes}m"] = values
    sources = {
        "rr25": "c4_risk_reversal_25d",
        "bf25": "c4_butterfly_25d",
        "slope": "c4_smile_slope",
    }
    for name, source in sources.items():
        for minutes in (5, 15, 30):
            out[f"c4_skew_mom_{name}_{minutes}m"] = [
                sub(out[source][j], lag(out[source], j, minutes)) for j in range(MINUTES)
            ]


def deviation_columns(sight: Sight) -> None:
    """Deviations from the opening quarter hour, the zone before and the session."""
    out, iv, day = sight.columns, sight.iv_atm, sight.day
    opening = mean(iv[:OPENING], 10)
    zone_means = {
        zone: mean([iv[j] for j in range(MINUTES) if day.zone_id(j) == zone], 10)
        for zone in range(1, 6)
    }
    out["c4_iv_dev_open15"] = [
        None if j < OPENING else log_ratio(iv[j], opening) for j in range(MINUTES)
    ]
    out["c4_iv_dev_prev_zone"] = [
        log_ratio(iv[j], zone_means.get(day.zone_id(j) - 1)) for j in range(MINUTES)
    ]
    out["c4_iv_dev_session"] = [
        clip(zscore(iv[j], iv[: j + 1], 30), -10.0, 10.0) for j in range(MINUTES)
    ]


# ---------------------------------------------------------------- realised volatility, dynamics


def daily_volatility(past: Past) -> Value:
    """Root of 252 times the mean square of the last 20 daily returns of the last spot."""
    closes: dict[int, float] = {}
    for n in range(1, 22):
        for expiry in past.expiries(n):
            close = past.daily_rows[(n, expiry)]["spot_close"]
            if close is not None:
                closes.setdefault(n, close)
    returns = [log_ratio(closes.get(n), closes.get(n + 1)) for n in range(1, 21)]
    return sqrt(mean([None if r is None else 252 * r * r for r in returns], 15))


def realised_columns(sight: Sight) -> None:
    """iv_atm less realised volatility."""
    out, iv, day = sight.columns, sight.iv_atm, sight.day
    held = [day.held("und", sight.expiry, j) for j in range(MINUTES)]
    for name, minutes, least in (("30m", 30, 20), ("60m", 60, 40), ("session", MINUTES, 30)):
        values: Series = []
        for j in range(MINUTES):
            squared = msr(window(held, j, minutes), least)
            values.append(sub(iv[j], None if squared is None else math.sqrt(ANN * squared)))
        out[f"c4_iv_rv_spread_{name}"] = values
    daily = daily_volatility(sight.past)
    out["c4_iv_rv_spread_20d"] = [sub(iv[j], daily) for j in range(MINUTES)]


def beta(x: Series, y: Series, least: int) -> Value:
    """Slope of y on x over the pairs, clipped; null where x does not vary."""
    a, b = pairs(x, y)
    if len(a) < least or no_variance(a):
        return None
    a_mean, b_mean = sum(a) / len(a), sum(b) / len(b)
    above = sum((p - a_mean) * (q - b_mean) for p, q in zip(a, b, strict=True))
    return clip(above / sum((p - a_mean) ** 2 for p in a), -100.0, 100.0)


def dynamics_columns(sight: Sight) -> None:
    """Volatility of volatility, response to spot and skew stickiness."""
    out, iv, day = sight.columns, sight.iv_atm, sight.day
    logs = [ln(x) for x in iv]
    skew = out["c4_risk_reversal_25d"]
    d_iv = [sub(logs[j], lag(logs, j, 1)) for j in range(MINUTES)]
    d_skew = [sub(skew[j], lag(skew, j, 1)) for j in range(MINUTES)]
    returns = [day.held("und", sight.expiry, j)[0] for j in range(MINUTES)]
    for minutes, least in ((30, 20), (60, 40)):
        for name, series in (("iv", d_iv), ("rr25", d_skew)):
            out[f"c4_vol_of_{name}_{minutes}m"] = [
                std(window(series, j, minutes), 1, least) for j in range(MINUTES)
            ]
        out[f"c4_spot_iv_beta_{minutes}m"] = [
            beta(window(returns, j, minutes), window(d_iv, j, minutes), least)
            for j in range(MINUTES)
        ]
    terms: Series = []
    for j in range(MINUTES):
        slope, tau = out["c4_smile_slope"][j], day.value("tau", sight.expiry, j)
        root = None if iv[j] is None or tau is None else iv[j] * math.sqrt(tau)
        terms.append(ratio(slope, root))
    values: Series = []
    for j in range(MINUTES):
        g = mean(window(terms, j, 60), 40)
        if g is None or abs(g) < 0.05:
            values.append(None)
        else:
            values.append(clip(ratio(out["c4_spot_iv_beta_60m"][j], g), -20.0, 20.0))
    out["c4_skew_stickiness_60m"] = values


def bias_column(sight: Sight) -> None:
    """Composite of risk reversal, strike skew and smile slope."""
    out = sight.columns
    values: Series = []
    parts = (
        ("c4_risk_reversal_25d", -1 / 0.20, 0.4),
        ("c4_skew_k3", 1 / 0.10, 0.3),
        ("c4_smile_slope", -1 / 0.10, 0.3),
    )
    for j in range(MINUTES):
        terms = [
            (weight, factor * out[name][j])
            for name, factor, weight in parts
            if out[name][j] is not None
        ]
        if len(terms) < 2:
            values.append(None)
        else:
            total = sum(weight * u for weight, u in terms)
            values.append(math.tanh(total / sum(weight for weight, _ in terms)))
    out["c4_skew_bias_score"] = values
