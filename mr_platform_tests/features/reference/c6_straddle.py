"""Reference of component 6: predictive straddle (decay, move, trend, variance ratio)."""

from __future__ import annotations

from mr_platform_tests.features.reference.c6_day import opened
from mr_platform_tests.features.reference.c6_series import (
    MINUTES,
    Sight,
    five_minute_sum,
    least,
)
from mr_platform_tests.features.reference.plain import (
    mul,
    no_variance,
    ols,
    ratio,
    std,
    sub,
    total,
    valid,
    window,
    zscore,
)
from mr_platform_tests.features.reference.streams import Series, Value, rows_of

ZONES = ("OPEN", "MID_MORN", "LUNCH", "AFTERNOON", "CLOSE")


def decay_columns(sight: Sight) -> None:
    """Decay by zone, its rate, and that of the session."""
    out, day = sight.columns, sight.day
    returns = sight.series.get("r_strd")
    zone_of = [day.zone(j) for j in range(MINUTES)]
    for zone in ZONES:
        out[f"c6_decay_{zone.lower()}"] = [
            mul(100, total([returns[s] for s in range(j + 1) if zone_of[s] == zone]))
            for j in range(MINUTES)
        ]
    out["c6_strd_session_change"] = [mul(100, total(returns[: j + 1])) for j in range(MINUTES)]
    past_rates: dict[str, list[Value]] = {zone: [] for zone in ZONES}
    for row in rows_of(day, sight.history, "hist_zone"):
        n = sight.history.back[row["date"]]
        if row["dte_bucket"] == day.bucket(sight.expiry) and 1 <= n <= 20:
            past_rates[row["zone_name"]].append(row["decay_rate"])
    rates: Series = []
    scores: Series = []
    for j in range(MINUTES):
        zone = zone_of[j]
        found = valid([returns[s] for s in range(j + 1) if zone_of[s] == zone])
        rate = 100 * sum(found) / len(found) if len(found) >= 5 else None
        rates.append(rate)
        scores.append(zscore(rate, past_rates[zone], 5))
    out["c6_decay_rate_zone"] = rates
    out["c6_decay_rate_z_20d"] = scores


def model_decay(sight: Sight, j: int) -> Value:
    """theta_m over the straddle."""
    row = sight.day.row(sight.expiry, j, 0)
    if row is None or row["ce_theta"] is None or row["pe_theta"] is None:
        return None
    minutes = 1440 if sight.day.dte[sight.expiry] == 0 else MINUTES
    return ratio((row["ce_theta"] + row["pe_theta"]) / minutes, sight.series.get("strd")[j])


def model_columns(sight: Sight) -> None:
    """Realised against model decay, move against straddle, implied less realised volatility."""
    out, get = sight.columns, sight.series.get
    returns = get("r_strd")
    excess = [sub(returns[j], model_decay(sight, j)) for j in range(MINUTES)]
    for w in (15, 30, 60):
        out[f"c6_decay_vs_theta_{w}m"] = [
            mul(100, total(window(excess, j, w), least(w))) for j in range(MINUTES)
        ]
    spot, spot_o, strd_o = get("spot"), opened(get("spot")), opened(get("strd"))
    moves: Series = []
    for j in range(MINUTES):
        moved = sub(spot[j], spot_o[j])
        moves.append(ratio(None if moved is None else abs(moved), strd_o[j]))
    out["c6_move_vs_straddle"] = moves
    for w in (30, 60):
        realised = sight.score(f"c5_rv_{w}m_und")
        out[f"c6_iv_rv_spread_{w}m"] = [sub(get("iv")[j], realised[j]) for j in range(MINUTES)]


def trend_columns(sight: Sight) -> None:
    """Straight line through the cumulative held return of the straddle."""
    out = sight.columns
    returns = sight.series.get("r_strd")
    path: Series = []
    so_far = 0.0
    for r in returns:
        so_far += 0.0 if r is None else r
        path.append(None if r is None else so_far)
    for w in (15, 30, 60):
        slopes: Series = []
        fits: Series = []
        for j in range(MINUTES):
            first = max(0, j - w + 1)
            line = ols([float(s) for s in range(first, j + 1)], path[first : j + 1], least(w))
            slopes.append(None if line is None else 100 * line[0])
            fits.append(None if line is None else line[2])
        out[f"c6_strd_trend_slope_{w}m"] = slopes
        out[f"c6_strd_trend_r2_{w}m"] = fits


def variance_columns(sight: Sight) -> None:
    """Variance of five-minute returns over five times that of one-minute returns."""
    out = sight.columns
    for asset, name in (("strd", "r_strd"), ("und", "r_und")):
        ones = sight.series.get(name)
        fives = five_minute_sum(ones)
        for w in (60, 120):
            values: Series = []
            for j in range(MINUTES):
                short, long = valid(window(ones, j, w)), valid(window(fives, j, w))
                if min(len(short), len(long)) < least(w) or no_variance(short):
                    values.append(None)
                else:
                    values.append(std(long) ** 2 / (5 * std(short) ** 2))
            out[f"c6_variance_ratio5_{asset}_{w}m"] = values
