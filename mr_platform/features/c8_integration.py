"""C8: how far the components agree, how lasting their agreement is, and how complete the row is.

Here: the 48 columns of c8, from the votes of c1 … c7.
Not here: the votes (``c8_votes.py``), the table of past consensus (``c8_history.py``).

In the families across expiries a "dte row" is an expiry whose consensus is known at the minute:
min_periods counts valid observations. Groups of a day ascend by expiry, so the same minute of the
next expiry is 375 rows on. Signs are zero up to rounding, of votes and consensus alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import polars as pl

from mr_platform.features.c8_history import TABLE, ZONE_VALUES
from mr_platform.features.c8_votes import (
    ALERT,
    CHANNELS,
    DIVERGENCE,
    VOTING,
    Channel,
    channel_of,
    declared_votes,
    expanding_z,
    valid_count,
    vote_frame,
)
from mr_platform.features.chain_grid import DAY
from mr_platform.features.column_plan import GROUP, INDEX, ColumnPlan
from mr_platform.features.history import wide
from mr_platform.features.inputs import ZONE_KEYS, FeatureInputs, groups
from mr_platform.features.kernels.across import count_where_across, sum_across
from mr_platform.features.kernels.dependence import pearson
from mr_platform.features.kernels.ranks import percentile
from mr_platform.features.kernels.windows import (
    TINY,
    change,
    forward_filled,
    lag,
    minutes_since,
    ratio,
    rolling_std,
    sign,
    window_count,
    window_count_where,
)
from mr_platform.registry.loader import load_registry
from mr_platform.trading_calendar import SESSION_MINUTES

CONFLICT = 0.2
"""Size above which a vote counts for or against."""

AGREEMENT_CHANGE = 15
"""Minutes between the two agreement scores compared."""

NEAR_EXPIRY_SLOPE = {1: 0.5, 2: 1.5, 3: 1.0, 4: -0.5, 5: -0.5, 6: 0.0, 7: 0.5}
"""Extra weight of a component's vote at expiry: gamma, OI and levels more, skew, trend less."""

NEAR_EXPIRY_DAYS = 7.0
"""Calendar days in which that extra weight falls to 1/e."""

HISTORY_DAYS = 20
HISTORY_NEEDED = 5
"""Past days with a value that the percentile needs."""

WEAK_FIFTHS = 4
"""A component is weak with fewer than this many fifths (80 percent) of its features non-null."""

VOLATILITY_WINDOW, VOLATILITY_NEEDED = 30, 20
FLIP_WINDOW, FLIP_NEEDED = 60, 40
AUTOCORRELATION_WINDOW, AUTOCORRELATION_LAG, AUTOCORRELATION_NEEDED = 60, 5, 40
"""Windows of the stability families and the valid minutes they need."""

SETTLING_MINUTES = 15.0
"""Minutes of lasting consensus after which 1 - 1/e of the confidence is there."""

HINT_NEEDED = 30
HINT_Z_LIMIT = 3.0
HINT_BASE, HINT_VOLATILITY, HINT_AGREEMENT, HINT_ALERT, HINT_DIVERGENCE = -1.0, 0.6, 0.6, 0.5, 0.4
MOST_ALERT = 3.0
"""Weights of the transition hint, a logistic index; the alert runs from 0 to 3."""

PAIRS = ("e1_e5", "e1_e4", "e2_e7", "e5_e7", "e1_e6", "d2_d3", "d3_d5", "d4_d5")
TRIADS = ("e1_e4_e5", "d2_d3_d7", "d3_d5_d7")

Features = Iterator[tuple[str, pl.Expr]]


def c8_features(inputs: FeatureInputs) -> pl.DataFrame:
    """The columns of c8 on the panel's rows.

    Args:
        inputs: Keys of the panel, tables of c1 … c7, ``hist_c8_zone`` and the calendar.

    Returns:
        All declared columns, one row for each panel row, in the panel's order.
    """
    plan, outputs = _plan(_doublings(inputs.panel))
    frame = _with_past(vote_frame(inputs.panel, inputs.components), inputs)
    return plan.compute(inputs.engine.collect(frame), outputs, inputs.engine)


def _with_past(frame: pl.LazyFrame, inputs: FeatureInputs) -> pl.LazyFrame:
    """The frame with the past zone means of its bucket and zone beside it."""
    keys = [key for key in ZONE_KEYS if key != "date"]
    past = wide(
        inputs.past_table(TABLE), inputs.days, keys=keys, values=ZONE_VALUES, depth=HISTORY_DAYS
    )
    return frame.join(past, on=["date", *keys], how="left", maintain_order="left")


def _past_name(channel: str) -> str:
    return f"consensus_{channel}"


def _doublings(panel: pl.DataFrame) -> int:
    """How often a reach of one expiry must double to span the expiries of any day."""
    # a row an expiry, worked out here: the plan itself depends on the answer
    days = groups(panel, [DAY]).group_by(DAY).agg(pl.len())
    most = days.select(pl.col("len").max()).collect().item() or 0
    return (max(int(most), 2) - 2).bit_length()


@lru_cache(maxsize=8)
def _plan(doublings: int) -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    p = ColumnPlan()
    channels = {name: channel_of(p, name) for name in CHANNELS}
    found: dict[str, pl.Expr] = {}
    days = _expiries(p, doublings)
    for name, channel in channels.items():
        found.update(_agreement(p, name, channel))
        found.update(_across_expiries(p, name, channel, days))
        found.update(_stability(p, name, channel))
    found.update(_completeness())
    found.update(_confidence(p, found))
    found.update(_synergy(p, channels))
    declared = load_registry().components["c8"].columns
    return p, {column.name: found[column.name] for column in declared}


# -- agreement ------------------------------------------------------------------------------------


def _agreement(p: ColumnPlan, name: str, channel: Channel) -> Features:
    score = "component" if name == "direction" else name
    values = list(channel.votes.values())
    squares = sum_across([(value - channel.consensus) ** 2 for value in values])
    like = [(sign(value) == channel.side) & (channel.side != 0.0) for value in values]
    above = count_where_across([value > CONFLICT for value in values])
    below = count_where_across([value < -CONFLICT for value in values])
    yield f"c8_{score}_agreement_score", channel.agreement
    yield f"c8_consensus_{name}", channel.consensus
    yield f"c8_dispersion_{name}", channel.if_enough((squares / channel.count).sqrt())
    yield f"c8_majority_share_{name}", channel.if_enough(count_where_across(like) / channel.count)
    yield f"c8_conflict_pairs_{name}", channel.if_enough(above * below)
    yield f"c8_agreement_change_15m_{name}", p.let(change(p, channel.agreement, AGREEMENT_CHANGE))


# -- across the expiries of a minute --------------------------------------------------------------


@dataclass(frozen=True)
class _Expiries:
    """Where a row's expiry stands among those of its day.

    Attributes:
        place: 0 for the nearest expiry of the day.
        last: Place of the farthest one.
        doublings: How often a reach of one expiry must double to span them all.
    """

    place: pl.Expr
    last: pl.Expr
    doublings: int


def _expiries(p: ColumnPlan, doublings: int) -> _Expiries:
    group = p.let(pl.col(GROUP).cast(pl.Int32))
    first, last = p.let(group.min().over(DAY)), p.let(group.max().over(DAY))
    return _Expiries(p.let(group - first), p.let(last - first), doublings)


def _across_expiries(p: ColumnPlan, name: str, channel: Channel, days: _Expiries) -> Features:
    x, side = channel.consensus, channel.side
    known = p.let(x.is_not_null())
    count = _of_minute(p, p.let(known.cast(pl.Int32)))
    others, several = count - 1, known & (count >= 2)
    mean = (_of_minute(p, x) - x) / others
    # this row is one of those with its sign
    alike = (
        pl.when(side > 0).then(_of_minute(p, p.let((side > 0).cast(pl.Int32))) - 1)
        .when(side < 0).then(_of_minute(p, p.let((side < 0).cast(pl.Int32))) - 1)
        .otherwise(0)
    )  # fmt: skip
    past = [pl.col(f"{_past_name(name)}_{back}") for back in range(1, HISTORY_DAYS + 1)]
    yield f"c8_dte_deviation_{name}", pl.when(several).then(x - mean)
    yield f"c8_dte_sign_agreement_{name}", pl.when(several).then(alike / others)
    yield f"c8_dte_term_slope_{name}", _term_slope(p, x, count)
    yield f"c8_dte_vs_nearest_{name}", x - _nearest(p, x, days)
    yield f"c8_dte_weighted_consensus_{name}", channel.if_enough(_weighted(p, name, channel))
    yield f"c8_dte_pctl_20d_{name}", percentile(p, x, past, HISTORY_NEEDED)


def _of_minute(p: ColumnPlan, column: pl.Expr) -> pl.Expr:
    """Sum over the expiries of the minute; a column."""
    return p.let(column.sum().over(DAY, INDEX))


def _term_slope(p: ColumnPlan, x: pl.Expr, count: pl.Expr) -> pl.Expr:
    """Least squares of the consensus on the root of dte; the same in all rows of the minute."""
    root = p.let(pl.when(x.is_not_null()).then(pl.col("dte").cast(pl.Float64).sqrt()))
    mean_root, mean_x = _of_minute(p, root) / count, _of_minute(p, x) / count
    off_root, off_x = p.let(root - mean_root), p.let(x - mean_x)
    spread = _of_minute(p, p.let(off_root * off_root))
    level = _of_minute(p, p.let(root * root))
    slope = _of_minute(p, p.let(off_root * off_x)) / spread
    return pl.when((count >= 2) & (spread > TINY * level)).then(slope)


def _nearest(p: ColumnPlan, x: pl.Expr, days: _Expiries) -> pl.Expr:
    """Consensus of the nearest other expiry that has one; the shorter one on a tie."""
    dte = p.let(pl.when(x.is_not_null()).then(pl.col("dte")))
    shorter, longer = _next_known(p, x, days, -1), _next_known(p, x, days, 1)
    down = pl.col("dte") - _next_known(p, dte, days, -1)
    up = _next_known(p, dte, days, 1) - pl.col("dte")
    return p.let(pl.when(longer.is_null() | (down <= up)).then(shorter).otherwise(longer))


def _next_known(p: ColumnPlan, x: pl.Expr, days: _Expiries, way: int) -> pl.Expr:
    """Nearest non-null value among the shorter (way -1) or longer (1) expiries; a column."""

    def expiries_on(column: pl.Expr, steps: int) -> pl.Expr:
        inside = days.place >= steps if way < 0 else days.place + steps <= days.last
        return pl.when(inside).then(column.shift(-way * steps * SESSION_MINUTES))

    # values of the next 1, 2, 4, … expiries, the nearest first
    found = p.let(expiries_on(x, 1))
    for step in range(days.doublings):
        found = p.let(pl.coalesce(found, expiries_on(found, 2**step)))
    return found


def _weighted(p: ColumnPlan, name: str, channel: Channel) -> pl.Expr:
    nearness = p.let((pl.col("dte").cast(pl.Float64) / -NEAR_EXPIRY_DAYS).exp())
    weights = [
        p.let(1.0 + NEAR_EXPIRY_SLOPE[vote.component] * nearness) for vote in declared_votes()[name]
    ]
    values = list(channel.votes.values())
    pairs = list(zip(weights, values, strict=True))
    total = sum_across([weight * value for weight, value in pairs])
    size = sum_across([pl.when(value.is_not_null()).then(weight) for weight, value in pairs])
    return total / size


# -- stability ------------------------------------------------------------------------------------


def _stability(p: ColumnPlan, name: str, channel: Channel) -> Features:
    x, side = channel.consensus, channel.side
    before = p.let(lag(p, forward_filled(p, side), 1))
    known = side.is_not_null()
    turned = p.let(known & side.ne_missing(before))
    flipped = known & before.is_not_null() & (side != before)
    enough = window_count(p, x, FLIP_WINDOW) >= FLIP_NEEDED
    flips = window_count_where(p, flipped, FLIP_WINDOW)
    yield f"c8_persistence_{name}", p.let(pl.when(known).then(minutes_since(p, turned)))
    yield (
        f"c8_consensus_vol_30m_{name}",
        rolling_std(p, x, VOLATILITY_WINDOW, VOLATILITY_NEEDED),
    )
    yield f"c8_flips_60m_{name}", pl.when(enough).then(flips)
    yield (
        f"c8_autocorr5_60m_{name}",
        pearson(
            p,
            x,
            p.let(lag(p, x, AUTOCORRELATION_LAG)),
            AUTOCORRELATION_WINDOW,
            AUTOCORRELATION_NEEDED,
        ),
    )


def _completeness() -> Features:
    sizes = {name: len(load_registry().components[name].columns) for name in VOTING}
    shares = [pl.col(valid_count(name)) / size for name, size in sizes.items()]
    weak = [pl.col(valid_count(name)) * 5 < WEAK_FIFTHS * size for name, size in sizes.items()]
    yield "c8_data_completeness", sum_across(shares) / len(VOTING)
    yield "c8_weak_components", count_where_across(weak)


def _confidence(p: ColumnPlan, found: dict[str, pl.Expr]) -> Features:
    complete = p.let(found["c8_data_completeness"])
    agreed = found["c8_component_agreement_score"] + found["c8_expansion_agreement_score"]
    ages = [found[f"c8_persistence_{channel}"] for channel in CHANNELS]
    # no null to skip: agreement is null wherever an age is
    settled = 1.0 - ((1.0 + pl.min_horizontal(ages)) / -SETTLING_MINUTES).exp()
    yield "c8_integration_confidence", complete * 0.5 * agreed * settled

    def stirred(column: pl.Expr) -> pl.Expr:
        return expanding_z(p, column, HINT_NEEDED).clip(-HINT_Z_LIMIT, HINT_Z_LIMIT)

    volatility = stirred(found["c8_consensus_vol_30m_expansion"])
    disagreement = stirred(p.let(-found["c8_agreement_change_15m_expansion"]))
    alert = pl.col(ALERT).cast(pl.Float64).fill_null(0.0) / MOST_ALERT
    diverging = (pl.col(DIVERGENCE) != 0).fill_null(False).cast(pl.Float64)
    index = p.let(
        HINT_BASE
        + HINT_VOLATILITY * volatility
        + HINT_AGREEMENT * disagreement
        + HINT_ALERT * alert
        + HINT_DIVERGENCE * diverging
    )
    yield "c8_transition_probability_hint", 1.0 / (1.0 + (-index).exp())


# -- synergy --------------------------------------------------------------------------------------


def _synergy(p: ColumnPlan, channels: dict[str, Channel]) -> Features:
    vote = {name: value for channel in channels.values() for name, value in channel.votes.items()}
    for pair in PAIRS:
        one, other = (vote[name] for name in pair.split("_"))
        yield f"c8_synergy_{pair}", one * other
    for triad in TRIADS:
        a, b, c = (vote[name] for name in triad.split("_"))
        alike = (sign(a) == sign(b)) & (sign(b) == sign(c))
        # three votes of one sign have a product of that sign, and so has its cube root
        root = pl.when(alike).then((a * b * c).cbrt()).otherwise(0.0)
        known = a.is_not_null() & b.is_not_null() & c.is_not_null()
        yield f"c8_triad_{triad}", pl.when(known).then(root)
    direction = channels["direction"]
    products = [p.let(a * b) for a, b in combinations(direction.votes.values(), 2)]
    against = sum_across([(-product).clip(lower_bound=0.0) for product in products])
    size = sum_across([product.abs() for product in products])
    yield "c8_antagonism_ratio", direction.if_enough(ratio(against, size))
