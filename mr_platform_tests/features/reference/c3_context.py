"""C3 against the previous close, put-call ratios, their place in history, and max pain."""

from __future__ import annotations

from mr_platform_tests.features.reference.c3_legs import LEGS, OpenInterestDay
from mr_platform_tests.features.reference.day import History
from mr_platform_tests.features.reference.plain import ln, percentile, ratio, sub
from mr_platform_tests.features.reference.strikes import (
    CHAIN_STRIKES,
    MINUTES,
    NEAR_STRIKES,
    Columns,
    Series,
    Value,
    distance_then_lower,
    first_valid,
    max_pain_series,
    nothing,
    pains,
)

HISTORY_DAYS = 20
HISTORY_MIN = 10


# ---------------------------------------------------------------- previous close


def _previous_close(legs: OpenInterestDay, history: History, leg: str) -> dict[float, float]:
    """Strike to closing open interest of the previous trading day, same expiry."""
    closing = {}
    for row in history.tables["hist_c3_close"].iter_rows(named=True):
        if row["symbol"] != legs.day.symbol or row["expiry_date"] != legs.expiry:
            continue
        if history.back.get(row["date"]) == 1 and row[f"{leg}_oi"] is not None:
            closing[row["strike"]] = row[f"{leg}_oi"]
    return closing


def since_previous_close(legs: OpenInterestDay, history: History) -> Columns:
    """100 * ln(open interest / closing open interest) over the strikes of both days."""
    columns: Columns = {}
    for leg in LEGS:
        closing = _previous_close(legs, history, leg)
        column = columns[f"c3_oi_since_prev_close_{leg}"] = nothing()
        for j in range(MINUTES):
            common = [
                (row[f"{leg}_oi"], closing[row["strike"]])
                for row in legs.chain[j]
                if row[f"{leg}_oi"] is not None and row["strike"] in closing
            ]
            if len(common) < CHAIN_STRIKES:
                continue
            change = ln(ratio(sum(now for now, _ in common), sum(then for _, then in common)))
            column[j] = None if change is None else 100 * change
    return columns


# ---------------------------------------------------------------- put-call ratios


def put_call(legs: OpenInterestDay, history: History) -> Columns:
    """c3_pcr_*, c3_pcr_oi_change_* and the percentiles among the zone's past."""
    minutes = range(MINUTES)
    oi = {leg: legs.oi(leg) for leg in LEGS}
    volume = {leg: legs.volume(leg, 15) for leg in LEGS}
    columns: Columns = {
        "c3_pcr_oi": [ratio(oi["pe"][j], oi["ce"][j]) for j in minutes],
        "c3_pcr_oi_all": [_chain_ratio(legs, j) for j in minutes],
        "c3_pcr_volume_15m": [ratio(volume["pe"][j], volume["ce"][j]) for j in minutes],
        "c3_pcr_volume_session": _session_volume_ratio(legs),
    }
    for window in (30, 60):
        columns[f"c3_pcr_oi_change_{window}m"] = [_ratio_change(legs, j, window) for j in minutes]
    traded = legs.both("volume", 15)
    turnover = [
        ratio(traded[j], None if None in (oi["ce"][j], oi["pe"][j]) else oi["ce"][j] + oi["pe"][j])
        for j in minutes
    ]
    for name, series in (("pcr_oi", columns["c3_pcr_oi"]), ("turnover", turnover)):
        columns[f"c3_{name}_zone_pctl_20d"] = _zone_percentile(legs, history, name, series)
    return columns


def _chain_ratio(legs: OpenInterestDay, j: int) -> Value:
    """Put over call open interest, each over all strikes."""
    calls, puts = legs.chain_oi("ce", j), legs.chain_oi("pe", j)
    if calls is None or puts is None:
        return None
    return ratio(sum(oi for _, oi in puts), sum(oi for _, oi in calls))


def _session_volume_ratio(legs: OpenInterestDay) -> Series:
    """Put over call volume of every row since the session's start."""
    out = nothing()
    traded = {"ce": 0, "pe": 0}
    for j in range(MINUTES):
        counts = {}
        for leg in LEGS:
            volumes = [row[f"{leg}_volume"] for row in legs.chain[j]]
            volumes = [v for v in volumes if v is not None]
            traded[leg] += sum(volumes)
            counts[leg] = len(volumes)
        if min(counts.values()) >= CHAIN_STRIKES:
            out[j] = ratio(traded["pe"], traded["ce"])
    return out


def _ratio_change(legs: OpenInterestDay, j: int, window: int) -> Value:
    """Log change of the ratio over the near strikes with both legs at both ends."""
    calls = {row["strike"]: (now, then) for row, now, then in legs.ends("ce", "oi", j, window)}
    puts = {row["strike"]: (now, then) for row, now, then in legs.ends("pe", "oi", j, window)}
    common = [strike for strike in calls if strike in puts]
    if len(common) < NEAR_STRIKES:
        return None
    logs = []
    for end in (0, 1):
        put = sum(puts[strike][end] for strike in common)
        call = sum(calls[strike][end] for strike in common)
        logs.append(ln(ratio(put, call)))
    change = sub(logs[0], logs[1])
    return None if change is None else 100 * change


def _zone_percentile(legs: OpenInterestDay, history: History, name: str, series: Series) -> Series:
    """Place of the value among the previous days' means of its bucket and zone."""
    past: dict[str, list[float | None]] = {}
    for row in history.tables["hist_c3_zone"].iter_rows(named=True):
        if row["symbol"] != legs.day.symbol or row["dte_bucket"] != legs.day.bucket(legs.expiry):
            continue
        if 1 <= history.back.get(row["date"], 0) <= HISTORY_DAYS:
            past.setdefault(row["zone_name"], []).append(row[name])
    return [
        percentile(series[j], past.get(legs.day.zone(j), []), HISTORY_MIN) for j in range(MINUTES)
    ]


# ---------------------------------------------------------------- max pain


def max_pain_columns(legs: OpenInterestDay) -> Columns:
    """Distance of the max pain strike, its move since the open, and its depth."""
    strikes = max_pain_series(legs.grid, legs.spot)
    first = first_valid(strikes, 0)
    distance, shift, depth = nothing(), nothing(), nothing()
    for j in range(MINUTES):
        spot = legs.spot[j]
        if strikes[j] is None:
            continue
        distance[j] = ratio(100 * (strikes[j] - spot), spot)
        if first is not None:
            shift[j] = ratio(100 * (strikes[j] - strikes[first]), spot)
        paid = dict(
            zip([row["strike"] for row in legs.chain[j]], pains(legs.chain[j]), strict=True)
        )
        nearest = sorted(distance_then_lower(strike, spot) for strike in paid)[0][1]
        share = ratio(paid[strikes[j]], paid[nearest])
        depth[j] = None if share is None else 1 - share
    return {
        "c3_max_pain_distance": distance,
        "c3_max_pain_shift_session": shift,
        "c3_max_pain_depth": depth,
    }
