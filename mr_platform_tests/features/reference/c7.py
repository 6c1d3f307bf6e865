"""Reference of component 7: support and resistance, minute by minute."""

from __future__ import annotations

import datetime

from mr_platform_tests.features.reference.c7_events import (
    BROKEN,
    STRD_BAND,
    STRD_BROKEN,
    TOUCHED,
    UND_BAND,
    Event,
    age_of_bar,
    age_since_change,
    breaks,
    dual_flag,
    false_breaks,
    hold_ratio,
    session_extreme,
    touches,
)
from mr_platform_tests.features.reference.c7_levels import (
    STRD_LEVELS,
    UND_LEVELS,
    Levels,
    centroid_distance,
    future_vwap,
    max_pain,
    mirrored,
    round_levels,
    steps_moved,
    straddle_levels,
    straddle_vwap,
    underlying_levels,
    wall,
)
from mr_platform_tests.features.reference.c7_momentum import (
    Momentum,
    exhaustion_columns,
    macd_columns,
    rsi_columns,
)
from mr_platform_tests.features.reference.c7_pool import (
    SIDES,
    Columns,
    level_strength,
    level_volume,
    pool_columns,
    probability_columns,
    straddle_confluence,
)
from mr_platform_tests.features.reference.c7_session import (
    previous_range,
    profile_columns,
    rejection_share,
    session_position,
    vwap_slope,
    vwap_z,
)
from mr_platform_tests.features.reference.day import Day, History, Result
from mr_platform_tests.features.reference.plain import ratio
from mr_platform_tests.features.reference.streams import (
    MINUTES,
    Past,
    Series,
    read_past,
    root_mean_square,
    underlying_bars,
)


def distances(price: Series, level: Series) -> Series:
    """100*(P - L)/P."""
    result: Series = []
    for p, line in zip(price, level, strict=True):
        share = None if p is None or line is None else ratio(p - line, p)
        result.append(None if share is None else 100 * share)
    return result


class Shared:
    """What all expiries of the day share."""

    def __init__(self, day: Day, past: Past) -> None:
        self.day = day
        self.past = past
        self.spot: Series = [day.spot(j) for j in range(MINUTES)]
        self.volume: Series = [day.fut_volume(j) for j in range(MINUTES)]
        self.levels, self.swing_bars = underlying_levels(day, past)
        held = [day.held("und", day.expiries[0], j) for j in range(MINUTES)]
        self.sigma = [root_mean_square(held, j, 30, 20) for j in range(MINUTES)]
        self.momentum = Momentum(underlying_bars(day, past))
        self.events: dict[str, list[Event]] = {}
        self.touches: Columns = {}
        for name in TOUCHED:
            if name in self.levels:
                self.touches[name], self.events[name] = touches(self.spot, self.levels[name])


def underlying_columns(shared: Shared) -> Columns:
    """Columns that are equal for every expiry."""
    day, spot, levels = shared.day, shared.spot, shared.levels
    out: Columns = {}
    for name in UND_LEVELS:
        if name in levels:
            out[f"c7_dist_{name}"] = distances(spot, levels[name])
    for name, counts in shared.touches.items():
        out[f"c7_touches_{name}"] = counts
    for name in BROKEN:
        out[f"c7_break_{name}"] = breaks(spot, levels[name], UND_BAND)
    for name, bars in shared.swing_bars.items():
        out[f"c7_age_{name}"] = age_of_bar(bars)
    for side in ("high", "low"):
        out[f"c7_age_session_{side}"] = age_since_change(session_extreme(spot, side))
    out["c7_false_breaks_up"] = false_breaks(spot, [levels[n] for n in ("orh", "pdh", "r1")])
    below = [mirrored(levels[n]) for n in ("orl", "pdl", "s1")]
    out["c7_false_breaks_down"] = false_breaks(mirrored(spot), below)
    vwap = future_vwap(day)
    out["c7_vwap_z_und"] = vwap_z(spot, levels["vwap"], vwap)
    out["c7_vwap_slope_15m_und"] = vwap_slope(vwap, [day.fut(j) for j in range(MINUTES)])
    out["c7_session_pos_und"] = session_position(spot)
    out.update(profile_columns(day))
    for side in ("upper", "lower"):
        out[f"c7_rejection_share_15m_{side}"] = rejection_share(day, side)
    out.update(previous_range(spot, levels["pdh"][0], levels["pdl"][0]))
    out.update(exhaustion_columns(shared.momentum))
    return out


def interest_columns(shared: Shared, expiry: datetime.date) -> tuple[Columns, Levels]:
    """Columns of open interest of one expiry, and its levels."""
    day, spot = shared.day, shared.spot
    out: Columns = {}
    levels: Levels = round_levels(day, expiry)
    for side, leg in (("call", "ce"), ("put", "pe")):
        found = wall(day, expiry, leg)
        levels[f"{side}_wall"] = found.strike
        out[f"c7_{side}_wall_oi_share"] = found.share
        out[f"c7_{side}_wall_oi_build"] = found.build
        out[f"c7_{side}_wall_dominance"] = found.dominance
        out[f"c7_age_{side}_wall"] = age_since_change(found.strike)
        out[f"c7_oi_centroid_dist_{leg}"] = centroid_distance(day, expiry, leg)
    levels["max_pain"] = max_pain(day, expiry)
    out["c7_max_pain_shift"] = steps_moved(day, expiry, levels["max_pain"])
    width: Series = []
    for call, put, s in zip(levels["call_wall"], levels["put_wall"], spot, strict=True):
        share = None if call is None or put is None else ratio(call - put, s)
        width.append(None if share is None else 100 * share)
    out["c7_wall_width"] = width
    for name, series in levels.items():
        out[f"c7_dist_{name}"] = distances(spot, series)
    return out, levels


def pool_and_events(shared: Shared, own: Levels) -> Columns:
    """Columns of the pool of levels as one expiry sees it."""
    out: Columns = {}
    counts, events = dict(shared.touches), dict(shared.events)
    for name in ("call_wall", "put_wall"):
        counts[name], events[name] = touches(shared.spot, own[name])
        out[f"c7_touches_{name}"] = counts[name]
    everything = [event for name in TOUCHED for event in events[name]]
    for side in SIDES:
        out[f"c7_hold_ratio_{side}"] = hold_ratio(shared.spot, everything, side)
    levels = {**shared.levels, **own}
    out.update(pool_columns(shared.spot, levels, counts))
    out["c7_level_strength_score"] = level_strength(out)
    probability_columns(out, shared.sigma)
    out["c7_level_volume_ratio_60m"] = level_volume(shared.spot, shared.volume, levels)
    rsi_columns(shared.momentum, out)
    macd_columns(shared.momentum, out)
    return out


def straddle_columns(shared: Shared, expiry: datetime.date) -> Columns:
    """Columns of the straddle of one expiry."""
    day = shared.day
    strd: Series = [day.value("strd", expiry, j) for j in range(MINUTES)]
    vwap = straddle_vwap(day, expiry)
    levels = straddle_levels(day, shared.past, expiry, vwap)
    out: Columns = {}
    for name in STRD_LEVELS:
        out[f"c7_strd_dist_{name}"] = distances(strd, levels[name])
    for name in STRD_BROKEN:
        out[f"c7_strd_break_{name}"] = breaks(strd, levels[name], STRD_BAND)
    for side in SIDES:
        out[f"c7_strd_confluence_{side}"] = straddle_confluence(strd, levels, side)
    out["c7_dual_level_flag"] = dual_flag(shared.spot, strd, shared.levels, levels)
    out["c7_vwap_z_strd"] = vwap_z(strd, vwap.mean, vwap)
    out["c7_vwap_slope_15m_strd"] = vwap_slope(vwap, strd)
    out["c7_session_pos_strd"] = session_position(strd)
    return out


def c7(day: Day, history: History) -> Result:
    """All 130 columns of component 7."""
    shared = Shared(day, read_past(day, history))
    common = underlying_columns(shared)
    result: Result = {}
    for expiry in day.expiries:
        interest, levels = interest_columns(shared, expiry)
        out = {
            **common,
            **interest,
            **pool_and_events(shared, levels),
            **straddle_columns(shared, expiry),
        }
        for name, values in out.items():
            result.setdefault(name, {})[expiry] = values
    return result
