"""From which minute on a column may have a value, by what the registry says that it needs.

Here: for each family of c1, c3, c4, c5 and c6, the first minute of a day without a gap and without
earlier days at which its declared ``min_periods`` can be met, and why a family is not held to one.
Not here: days and assertions (``test_min_periods.py``).

The number itself is never written here: it is the column's declared ``min_periods``. What is
written is which observation is counted, that is how many minutes pass before the first one exists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mr_platform.registry.model import FeatureColumn

COMPONENTS_HELD = ("c1", "c3", "c4", "c5", "c6")
"""Components whose minima count observations of a minute series; those of c2 count strikes, those
of c7 touches and levels, those of c8 votes."""

_ONLY_LATER = frozenset({"c6_xsym_corr", "c6_decay_theta"})
"""Families that begin late for their first observation alone: from then on the minimum suffices."""

FirstMinute = Callable[[FeatureColumn], int]


def after(delay: int) -> FirstMinute:
    """The n-th observation, the first of which is known at minute ``delay``."""
    return lambda column: delay + column.min_periods - 1


def axis(column: FeatureColumn, name: str) -> int:
    """Value of an axis that counts minutes."""
    return int(dict(column.axes)[name])


def of_samples(column: FeatureColumn) -> int:
    """The n-th sample, samples being k minutes apart from the first bar on."""
    return (column.min_periods - 1) * axis(column, "window")


def of_sample_changes(column: FeatureColumn) -> int:
    """The n-th change between samples k minutes apart."""
    return column.min_periods * axis(column, "window")


def after_change(extra: int = 0) -> FirstMinute:
    """The n-th change over the column's window, ``extra`` minutes later."""
    return lambda column: axis(column, "window") + extra + column.min_periods - 1


def after_input(*, axes: Mapping[int, int], of: str) -> FirstMinute:
    """The n-th value of an input whose own first minute depends on an axis."""
    return lambda column: axes[axis(column, of)] + column.min_periods - 1


def plain(column: FeatureColumn) -> int:
    """The rule where nothing else is said: minutes from the first bar, returns from the second."""
    minutes = column.lookback.minutes
    if column.min_periods_counts == "points":
        # the value now, one window and two windows ago
        return minutes
    if column.min_periods_counts == "minutes":
        both_ends = column.min_periods == 1 and minutes > 1 and not column.lookback.session
        return minutes if both_ends else column.min_periods - 1
    return column.min_periods


LATER: Mapping[str, tuple[FirstMinute, str]] = {
    "c1_pctrank": (after(1), "the history ends a minute before"),
    "c1_rsi": (of_sample_changes, "changes between samples"),
    "c1_macd_level": (of_samples, "samples"),
    "c1_macd_hist": (of_samples, "samples"),
    "c3_oi_mtf": (after(3), "deviation of 3-minute changes"),
    "c3_quadrant": (after_change(), "changes over the window"),
    "c3_quadrant_age": (after(15 + 14), "from the first code over 15 minutes on"),
    "c3_alignment": (after_change(), "changes over the window"),
    "c3_oi_shock": (after(6), "5-minute changes, the 60 minutes end before t"),
    "c3_price_absorption": (after_change(1), "changes, the 60 minutes end before t"),
    "c3_institutional_flow": (after(6), "the shocks that it is made of"),
    "c3_vol_oi_div": (after(16), "15-minute changes, the 60 minutes end before t"),
    "c3_price_oi_corr": (after(3), "3-minute changes"),
    "c3_divergence": (after(15), "15-minute changes"),
    "c3_divergence_strength": (after(15), "15-minute changes"),
    "c3_range_ratio": (
        after_input(axes={5: 3 + 5, 15: 9 + 15}, of="window"),
        "ranges of 4 and 10 minutes, a window before t",
    ),
    "c3_range_expansion": (after(9 + 15), "the 15-minute range ratio"),
    "c4_iv_pctl": (after(1), "the history ends a minute before"),
    "c4_iv_rank": (after(1), "the history ends a minute before"),
    "c4_skew_pctl": (after(1), "the history ends a minute before"),
    "c4_vov": (after(1), "one-minute changes"),
    "c4_ssr": (after(1), "the beta to spot, whose pairs begin with the second minute"),
    "c5_atr_change": (after(13), "an ATR of 14 bars at both ends"),
    "c5_ema_slope": (after(5), "the average 5 minutes before"),
    "c5_dual_spread": (after(5), "the average 5 minutes before"),
    "c5_mom_online": (after(5), "the average 5 minutes before"),
    "c5_strd_mom_online": (after(5), "the average 5 minutes before"),
    "c5_atr_cv": (after(13), "an ATR of 14 bars"),
    "c6_xsym_corr": (
        lambda column: column.min_periods - (dict(column.axes)["series"] in ("optvol", "fvol")),
        "pairs of changes, of volumes pairs of the minutes themselves",
    ),
    "c6_xsym_lead": (after(2), "a return and the partner's a minute before"),
    "c6_anchor_z": (after(20 + 1), "correlations of 20 pairs, the history ends before t"),
    "c6_anchor_vol": (after(20), "correlations of 20 pairs"),
    "c6_decay_theta": (after(1), "returns less theta"),
    "c6_strd_trend": (after(1), "running sum of returns, null without one"),
    "c6_vr": (after(4), "sums of 5 returns, 4 of them valid"),
    "c6_rsi_xcorr": (
        after_input(axes={3: 3 + 13 + 1, 5: 5 + 13 + 1}, of="k"),
        "one-minute differences of an RSI of 14 changes",
    ),
    "c6_rsi_price": (after_input(axes={3: 3 + 13, 5: 5 + 13}, of="k"), "an RSI of 14 changes"),
    "c6_rsi_coherence": (after_input(axes={3: 3 + 13, 5: 5 + 13}, of="k"), "an RSI of 14 changes"),
    "c6_macd_corr": (
        after_input(axes={3: 104, 5: 174}, of="k"),
        "one-minute differences of a signal line",
    ),
    "c6_macd_conv": (after(5), "the histogram 5 minutes before"),
    "c6_macd_agree": (after_input(axes={3: 103, 5: 173}, of="k"), "a histogram"),
}
"""Families whose counted observation exists later than plainly, with what it is."""

_CLOCK = "begins by the clock, when its minimum is long met"
_INPUTS = "counts what other features give, each of which begins when it may"
_TERMS = "counts parts of one minute, not minutes"
UNHELD: Mapping[str, str] = {
    "c1_ret": _CLOCK,
    "c1_rsi_divergence": "counts changes of an RSI over samples: two minima on two series",
    "c1_rsi_consensus": "needs four timeframes, of which the slowest decides",
    "c1_macd_consensus": "needs four timeframes, of which the slowest decides",
    "c3_absorption": "needs open interest 15 minutes before, when its minimum is long met",
    "c4_term": _TERMS,
    "c4_term_change": _TERMS,
    "c4_term_signal": _TERMS,
    "c4_skew_term": _TERMS,
    "c4_iv_dev": _CLOCK,
    "c5_confl_count": _TERMS,
    "c6_intra_c5": _INPUTS,
    "c6_inter": _INPUTS,
    "c6_score_price": _INPUTS,
    "c6_matrix": _INPUTS,
    "c6_agreement": _INPUTS,
    "c6_breakdown": _INPUTS,
    "c6_stability": _INPUTS,
    "c6_consensus": _INPUTS,
    "c6_or_width": _CLOCK,
    "c6_or_strd": _CLOCK,
    "c6_decay_zone": _CLOCK,
    "c6_rsi_div": "needs two scales, of which the slower decides",
}
"""Families whose first minute does not tell their minimum, and why."""

DAILY_TABLES = ("hist_minute",)
"""Of earlier days only minutes continue a stream: a day that has none starts it anew."""


def waits_for_days(column: FeatureColumn) -> bool:
    """Whether a column needs finished days: without them it has no value, and no first minute."""
    return any(table not in DAILY_TABLES for table in column.lookback.history_tables)


ALSO: Mapping[str, str] = {
    "c1_vol_compression": "10 of the last 15 returns",
    "c1_momentum_score": "four returns, each with its own minimum",
    "c4_spot_iv_beta": "changes between neighbouring minutes, which a thin day seldom has",
}
"""Families that a window with enough minutes may still leave null, by what else they need."""

BARS: Mapping[str, int] = {"c3_oi_velocity": 1}
"""Bars that a window reads besides its minutes: a slope over w minutes is one of w + 1 bars."""


def window_bars(column: FeatureColumn) -> int | None:
    """Bars t-w+1..t whose observations a column counts, None where it is no such window."""
    counted = column.min_periods_counts in ("minutes", "returns", "pairs", "changes")
    back = column.lookback
    if not counted or back.session or back.history or back.minutes <= 1:
        return None
    return back.minutes + BARS.get(column.family, 0)


def enough_suffices(column: FeatureColumn) -> bool:
    """Whether a window with the minimum always has a value: nothing else is needed."""
    return column.min_periods > 1 and column.family not in {*LATER, *UNHELD, *ALSO} - _ONLY_LATER


def first_minute(column: FeatureColumn) -> int | None:
    """Minute at which a column of a family that is held can have its first value."""
    if column.family in UNHELD or waits_for_days(column):
        return None
    if column.family in LATER:
        return LATER[column.family][0](column)
    return plain(column)
