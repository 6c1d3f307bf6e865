"""Votes of the components and their consensus: what C8 is built from.

Here: which series votes for which channel, its norm, statistics of a channel's votes, and the
frame with the series of c1 … c7 on the panel's rows.
Not here: the 48 features (``c8_integration.py``), what a finished day leaves behind
(``c8_history.py``).

A vote is orient · norm(series), in [-1, 1]. Which series vote, their norms and orientations are
the registry's (``key_series`` and ``votes`` of c8). Sums over votes are taken side by side, so
they have one order everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from mr_platform.features.chain_grid import DAY
from mr_platform.features.column_plan import GROUP, INDEX, ColumnPlan
from mr_platform.features.inputs import ROW_KEYS
from mr_platform.features.kernels.across import count_across, sum_across
from mr_platform.features.kernels.windows import ratio, session_mean, session_rms, session_std, sign
from mr_platform.registry.loader import load_registry

CHANNELS: tuple[str, ...] = ("direction", "expansion")

VOTING: tuple[str, ...] = ("c1", "c2", "c3", "c4", "c5", "c6", "c7")
"""Components whose tables C8 reads."""

NORM_NEEDED = 15
"""Valid minutes of the session before a signed or unsigned norm gives a vote."""

VOTES_NEEDED = 4
"""Votes of a channel below which it has no statistics."""

BREAK_MEAN = "c7_break_mean"
"""The one voting series that no table holds: mean of the signs of broken levels."""

BREAK_PREFIX = "c7_break_"
BREAKS_NEEDED = 5
"""Non-null breaks, of ten, that their mean needs."""

ALERT = "c6_breakdown_alert"
DIVERGENCE = "c3_divergence_type"
OTHER_SERIES: Mapping[str, tuple[str, ...]] = {"c6": (ALERT,), "c3": (DIVERGENCE,)}
"""Series that C8 reads without a vote, by component."""

FRAME_KEYS: tuple[str, ...] = (
    GROUP, DAY, INDEX, "symbol", "date", "dte", "dte_bucket", "zone_name",
)  # fmt: skip
"""Panel columns that the frame of votes carries."""


@dataclass(frozen=True)
class Vote:
    """One component's voice in one channel.

    Attributes:
        name: Short name, such as ``d2``.
        series: Series that votes.
        component: Number of the component, 1 … 7.
        norm: ``signed``, ``unsigned`` or ``level``.
        orient: 1 or -1, multiplies the norm.
        low: Least declared value of the series (norm ``level``).
        high: Greatest declared value of the series.
    """

    name: str
    series: str
    component: int
    norm: str
    orient: int
    low: float | None
    high: float | None


@lru_cache(maxsize=1)
def declared_votes() -> Mapping[str, tuple[Vote, ...]]:
    """The votes of each channel, in declared order, as the registry has them."""
    registry = load_registry()
    extra = registry.components["c8"].extra
    columns = {
        column.name: column for name in VOTING for column in registry.components[name].columns
    }

    def vote(name: str, series: str) -> Vote:
        rule, column = extra["key_series"][series], columns.get(series)
        return Vote(
            name=name,
            series=series,
            component=int(series[1]),
            norm=rule["norm"],
            orient=rule["orient"],
            low=None if column is None else column.low,
            high=None if column is None else column.high,
        )

    return {
        channel: tuple(vote(name, series) for name, series in extra["votes"][channel].items())
        for channel in CHANNELS
    }


@lru_cache(maxsize=1)
def read_series() -> Mapping[str, tuple[str, ...]]:
    """Columns that C8 reads of each component's table by name."""
    wanted: dict[str, list[str]] = {name: list(OTHER_SERIES.get(name, ())) for name in VOTING}
    for votes in declared_votes().values():
        for vote in votes:
            names = break_series() if vote.series == BREAK_MEAN else (vote.series,)
            wanted[f"c{vote.component}"].extend(names)
    return {name: tuple(dict.fromkeys(names)) for name, names in wanted.items()}


@lru_cache(maxsize=1)
def break_series() -> tuple[str, ...]:
    """The ten columns whose mean is ``BREAK_MEAN``."""
    columns = load_registry().components["c7"].columns
    return tuple(column.name for column in columns if column.name.startswith(BREAK_PREFIX))


def valid_count(component: str) -> str:
    """Name of the frame's column with the number of a component's non-null features."""
    return f"{component}_valid"


# -- the frame ------------------------------------------------------------------------------------


def vote_frame(panel: pl.DataFrame, components: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """The series that C8 reads, on the panel's rows.

    Args:
        panel: Rows wanted; only its keys are read.
        components: Tables of c1 … c7 by name, one row a symbol, ts_minute and dte at most.

    Returns:
        ``FRAME_KEYS``, ``read_series`` and ``valid_count`` of every component: rows and order of
        the panel. Without a component's row its series are null and its count is 0.
    """
    frame = panel.lazy().select(*dict.fromkeys((*FRAME_KEYS, *ROW_KEYS)))
    for name in VOTING:
        frame = _beside(frame, name, components.get(name))
    return frame.drop("ts_minute")


def _beside(frame: pl.LazyFrame, component: str, table: pl.LazyFrame | None) -> pl.LazyFrame:
    series, count = read_series()[component], valid_count(component)
    if table is None:
        return frame.with_columns(
            *[pl.lit(None, dtype=pl.Float64).alias(name) for name in series],
            pl.lit(0, dtype=pl.Int32).alias(count),
        )
    declared = load_registry().components[component].columns
    # counted before the join, so that hundreds of columns never reach the panel's rows
    valid = count_across([pl.col(column.name) for column in declared])
    rows = table.select(*ROW_KEYS, *series, valid.cast(pl.Int32).alias(count))
    return frame.join(rows, on=list(ROW_KEYS), how="left", maintain_order="left").with_columns(
        pl.col(count).fill_null(0)
    )


# -- votes ----------------------------------------------------------------------------------------


def votes(p: ColumnPlan, channel: str) -> dict[str, pl.Expr]:
    """The votes of a channel by name, in [-1, 1]; columns."""
    return {vote.name: _vote(p, vote) for vote in declared_votes()[channel]}


def _vote(p: ColumnPlan, vote: Vote) -> pl.Expr:
    return p.let(float(vote.orient) * _normed(p, vote))


def _normed(p: ColumnPlan, vote: Vote) -> pl.Expr:
    series = p.let(_series(vote).cast(pl.Float64))
    if vote.norm == "signed":
        return ratio(series, session_rms(p, series, NORM_NEEDED)).tanh()
    if vote.norm == "unsigned":
        return expanding_z(p, series, NORM_NEEDED).tanh()
    if vote.low is None or vote.high is None:
        raise ValueError(f"{vote.series} has no declared range to vote by")
    return 2.0 * (series - vote.low) / (vote.high - vote.low) - 1.0


def _series(vote: Vote) -> pl.Expr:
    if vote.series != BREAK_MEAN:
        return pl.col(vote.series)
    breaks = [pl.col(name) for name in break_series()]
    count = count_across(breaks)
    return pl.when(count >= BREAKS_NEEDED).then(sum_across(breaks) / count)


def expanding_z(p: ColumnPlan, x: str | pl.Expr, min_periods: int) -> pl.Expr:
    """X less its mean over the session so far, in standard deviations; null where they are 0."""
    column = p.let(x)
    spread = session_std(p, column, min_periods)
    return p.let(ratio(column - session_mean(p, column, min_periods), spread))


# -- statistics of a channel ----------------------------------------------------------------------


@dataclass(frozen=True)
class Channel:
    """Votes of one channel and what they amount to; columns of a plan.

    Attributes:
        votes: The votes by name.
        count: Number of non-null votes.
        consensus: Mean of the votes; null below ``VOTES_NEEDED``, as all that follows.
        agreement: |sum of votes| / sum of |votes|.
        side: Sign of the consensus: -1, 0, 1.
    """

    votes: Mapping[str, pl.Expr]
    count: pl.Expr
    consensus: pl.Expr
    agreement: pl.Expr
    side: pl.Expr

    def if_enough(self, value: pl.Expr) -> pl.Expr:
        """The value where the channel has the votes it needs, null elsewhere."""
        return pl.when(self.count >= VOTES_NEEDED).then(value)


def channel_of(p: ColumnPlan, channel: str) -> Channel:
    """Votes and consensus of a channel.

    Args:
        p: A plan over the frame of ``vote_frame``.
        channel: One of ``CHANNELS``.
    """
    named = votes(p, channel)
    values = list(named.values())
    count, total = p.let(count_across(values)), p.let(sum_across(values))
    size = p.let(sum_across([value.abs() for value in values]))
    enough = count >= VOTES_NEEDED
    consensus = p.let(pl.when(enough).then(total / count))
    agreement = p.let(pl.when(enough).then(ratio(total.abs(), size)))
    return Channel(named, count, consensus, agreement, p.let(sign(consensus)))
