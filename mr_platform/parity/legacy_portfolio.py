"""The legacy formulas a second time, written one row after the other.

A check that compares stored figures needs a reference that shares no code with what made them.
This is it where no recorded figures are at hand: plain loops over rows, after the legacy program's
definitions (portfolio.md §2, §5), slow and easy to read.

Here: figures of a series, fitness of a portfolio, correlation of two strategies; how far two
numbers agree.
Not here: the product's own implementation (``portfolio``), reading tables.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

TOLERANCE = 1e-5
"""Relative difference that counts as agreement: plus or minus 0.001 %."""

_NO_DRAWDOWN = 1e-6
_FORGIVEN = ("ratio", "less max dd")


@dataclass(frozen=True)
class NaiveFigures:
    """Figures of one series of rows, in the unit of the rows unless said.

    Attributes:
        roi: Sum.
        max_drawdown: Largest fall of the running sum; the peak starts at the first row.
        ratio: ROI over drawdown with the legacy branches where there is none.
        win_rate: Share of rows above 0.
        profit_factor: Gains over losses; infinite without losses.
        expectancy: ``w * mean win - (1 - w) * mean loss``.
    """

    roi: float
    max_drawdown: float
    ratio: float
    win_rate: float
    profit_factor: float
    expectancy: float


def naive_figures(rows: Sequence[float]) -> NaiveFigures:
    """Figures of a series, row after row.

    Args:
        rows: At least one number.
    """
    running, peak, deepest = 0.0, -math.inf, 0.0
    wins: list[float] = []
    losses: list[float] = []
    for row in rows:
        running += row
        peak = max(peak, running)
        deepest = max(deepest, peak - running)
        if row > 0:
            wins.append(row)
        elif row < 0:
            losses.append(-row)
    share = len(wins) / len(rows)
    mean_win = math.fsum(wins) / len(wins) if wins else 0.0
    mean_loss = math.fsum(losses) / len(losses) if losses else 0.0
    return NaiveFigures(
        roi=running,
        max_drawdown=deepest,
        ratio=_ratio(running, deepest),
        win_rate=share,
        profit_factor=math.fsum(wins) / math.fsum(losses) if losses else math.inf,
        expectancy=share * mean_win - (1 - share) * mean_loss,
    )


def naive_fitness(
    members: Sequence[Sequence[float]],
    metric: str,
    correlation_weight: float,
    drawdown_threshold: float,
) -> float:
    """Legacy fitness of a portfolio of equal weight.

    Args:
        members: The rows of each member, all of the same number.
        metric: Name of the metric, as in the record.
        correlation_weight: Price of a mean correlation of 1.
        drawdown_threshold: Below this drawdown the price is halved, for two metrics.
    """
    rows = [math.fsum(row) / len(members) for row in zip(*members, strict=True)]
    found = naive_figures(rows)
    bounded = found.profit_factor
    losses = math.fsum(-row for row in rows if row < 0)
    if losses <= _NO_DRAWDOWN:
        bounded = 1.0 if any(row > 0 for row in rows) else 0.0
    base = {
        "ratio": found.ratio,
        "roi": found.roi,
        "less max dd": -found.max_drawdown,
        "win percentage": found.win_rate,
        "profit factor": bounded,
        "expectancy": found.expectancy,
    }[metric]
    penalty = correlation_weight * naive_mean_correlation(members)
    if metric in _FORGIVEN and found.max_drawdown < drawdown_threshold:
        penalty /= 2
    return base - penalty


def naive_imbalance(sources: Sequence[str], desired: Mapping[str, int], factor: float) -> float:
    """Price of balanced mode: how far the counts of members are from those desired.

    Args:
        sources: The source file of each member.
        desired: Members wanted of each named file.
        factor: Price of one member too many or too few.
    """
    return factor * sum(abs(sources.count(name) - wanted) for name, wanted in desired.items())


def naive_mean_correlation(members: Sequence[Sequence[float]]) -> float:
    """Mean of the Pearson correlations of all pairs; 0 for fewer than two members."""
    pairs = [naive_correlation(first, second) for first, second in combinations(members, 2)]
    return math.fsum(pairs) / len(pairs) if pairs else 0.0


def naive_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Pearson correlation of two series; 0 where one does not vary, as in the legacy program."""
    if min(first) == max(first) or min(second) == max(second):
        return 0.0
    mean_first, mean_second = math.fsum(first) / len(first), math.fsum(second) / len(second)
    off = [(a - mean_first, b - mean_second) for a, b in zip(first, second, strict=True)]
    together = math.fsum(a * b for a, b in off)
    return together / math.sqrt(math.fsum(a * a for a, _ in off) * math.fsum(b * b for _, b in off))


def relative_error(ours: float | None, reference: float, floor: float = 0.0) -> float:
    """How far a figure lies from its reference, as a share of the reference.

    Args:
        ours: The figure; None stands for one that is not defined, which agrees with a reference
            that is infinite or not a number.
        reference: What it should be.
        floor: Amount below which the reference's own is not divided by, in its unit: a sum of
            thousands that comes out near 0 has lost digits that nobody can ask for.
    """
    if ours is None or not math.isfinite(reference):
        return 0.0 if ours is None and not math.isfinite(reference) else math.inf
    if math.isnan(ours):  # no comparison with it would ever be beyond a tolerance
        return math.inf
    if ours == reference:
        return 0.0
    scale = max(abs(reference), floor)
    return abs(ours - reference) / scale if scale else math.inf


def _ratio(roi: float, drawdown: float) -> float:
    if drawdown > _NO_DRAWDOWN:
        return roi / drawdown
    return 100 * roi if roi > 0 else 10 * roi
