"""Reference of component 6: gap, opening range and previous day."""

from __future__ import annotations

from mr_platform_tests.features.reference.c6_series import MINUTES, Expiry, Sight, least
from mr_platform_tests.features.reference.plain import (
    clip,
    ln,
    log_ratio,
    mean,
    mul,
    percentile,
    ratio,
    std,
    sub,
    total,
)
from mr_platform_tests.features.reference.streams import Past, Row, Series, Value

LAST_OPEN_MINUTE = 15
SMALLEST_GAP = 0.0002
MINUTES_OF_RANGE = (5, 15, 30)


def opened(values: Series) -> Series:
    """The open value from the minute that it is known; null before, or all day if none."""
    out: Series = []
    value: Value = None
    for j, now in enumerate(values):
        if value is None and j <= LAST_OPEN_MINUTE:
            value = now
        out.append(value)
    return out


def spot_of(past: Past, n: int, column: str) -> Value:
    """A spot value of the n-th previous trading day, from the first expiry that has it."""
    for expiry in past.expiries(n):
        value = past.daily_rows[(n, expiry)][column]
        if value is not None:
            return value
    return None


def expiry_row(past: Past, expiry: Expiry) -> Row:
    """The row of the previous trading day of the same expiry."""
    return past.daily_rows.get((1, expiry), {})


def percent_log(a: Value, b: Value) -> Value:
    """100 ln(a / b)."""
    return mul(100, log_ratio(a, b))


def gap_columns(sight: Sight) -> None:
    """Overnight gaps."""
    out, past, get = sight.columns, sight.past, sight.series.get
    row = expiry_row(past, sight.expiry)
    spot, strd = opened(get("spot")), opened(get("strd"))
    iv, basis = opened(get("iv")), opened(get("basis"))
    spot_close = spot_of(past, 1, "spot_close")
    basis_close = ratio(spot_of(past, 1, "basis_close"), spot_close)
    daily_gaps = [
        percent_log(spot_of(past, n, "spot_open"), spot_of(past, n + 1, "spot_close"))
        for n in range(1, 21)
    ]
    deviation = std(daily_gaps, 1, 10)
    atr = sight.score("c5_atr_daily_14d_und")
    minutes = range(MINUTES)
    gaps = [percent_log(spot[j], spot_close) for j in minutes]
    out["c6_gap_spot"] = gaps
    out["c6_gap_strd"] = [percent_log(strd[j], row.get("strd_close")) for j in minutes]
    out["c6_gap_iv"] = [sub(iv[j], row.get("iv_close")) for j in minutes]
    out["c6_gap_basis"] = [mul(100, sub(ratio(basis[j], spot[j]), basis_close)) for j in minutes]
    out["c6_gap_atr"] = [ratio(gaps[j], atr[j]) for j in minutes]
    out["c6_gap_z_20d"] = [ratio(gaps[j], deviation) for j in minutes]


def fill_columns(sight: Sight) -> None:
    """How much of the gap has been filled so far."""
    out = sight.columns
    spot = sight.series.get("spot")
    first = opened(spot)
    close = spot_of(sight.past, 1, "spot_close")
    shares: Series = []
    for j in range(MINUTES):
        seen = [x for x in spot[: j + 1] if x is not None]
        gap = sub(first[j], close)
        size = ratio(None if gap is None else abs(gap), close)
        if gap is None or size is None or size < SMALLEST_GAP:
            shares.append(None)
        elif gap > 0:
            shares.append(clip(ratio(first[j] - min(seen), gap), 0.0, 1.0))
        else:
            shares.append(clip(ratio(max(seen) - first[j], -gap), 0.0, 1.0))
    out["c6_gap_fill_share"] = shares
    out["c6_gap_filled_flag"] = [None if s is None else int(s >= 1) for s in shares]


def opening_columns(sight: Sight) -> None:
    """Opening range and the straddle's change over it."""
    out = sight.columns
    spot, returns = sight.series.get("spot"), sight.series.get("r_strd")
    first = opened(spot)
    for w in MINUTES_OF_RANGE:
        seen = [x for x in spot[:w] if x is not None]
        width = max(seen) - min(seen) if len(seen) >= least(w) else None
        change = mul(100, total(returns[:w], least(w)))
        out[f"c6_or_width_{w}m"] = [
            None if j < w - 1 else mul(100, ratio(width, first[j])) for j in range(MINUTES)
        ]
        out[f"c6_or_strd_change_{w}m"] = [None if j < w - 1 else change for j in range(MINUTES)]


def straddle_percentile(sight: Sight) -> Value:
    """Straddle over spot at the last close, among the 20 days before of the same bucket."""
    past = sight.past
    row = expiry_row(past, sight.expiry)
    bucket = row.get("dte_bucket")
    days: list[Value] = []
    for n in range(2, 22):
        rows = [past.daily_rows[(n, e)] for e in past.expiries(n)]
        days.append(
            mean(
                [ratio(r["strd_close"], r["spot_close"]) for r in rows if r["dte_bucket"] == bucket]
            )
        )
    return percentile(ratio(row.get("strd_close"), row.get("spot_close")), days, 5)


def previous_columns(sight: Sight) -> None:
    """The previous trading day of the same expiry."""
    out, get = sight.columns, sight.series.get
    row = expiry_row(sight.past, sight.expiry)
    for name, series, column in (
        ("atm", "strd", "strd_close"),
        ("itm1", "itm1", "itm1_close"),
        ("otm1", "otm1", "otm1_close"),
    ):
        out[f"c6_prev_close_ratio_{name}"] = [log_ratio(x, row.get(column)) for x in get(series)]
    constants = {
        "c6_prev_itm1_otm1_ratio": log_ratio(row.get("itm1_close"), row.get("otm1_close")),
        "c6_prev_ce_pe_ratio": ln(ratio(row.get("ce_close"), row.get("pe_close"))),
        "c6_prev_close30_volume_share": row.get("close30_volume_share"),
        "c6_prev_close30_strd_return": row.get("close30_strd_return"),
        "c6_prev_day_decay": row.get("strd_day_return"),
        "c6_prev_strd_pctl_20d": straddle_percentile(sight),
    }
    for name, value in constants.items():
        out[name] = [value] * MINUTES
