"""How two series of a session move together: correlation, slope, trend on time.

Here: rolling Pearson correlation, least-squares slope, trend on the minute index.
Not here: which pairs a component looks at (component modules).

Only rows where both series are valid enter, and ``min_periods`` counts them. A variance of at
most ``TINY`` of the mean square counts as zero. The sums of a pair come once for all its
windows, a window of twice the length out of two of the shorter one. They are sums of the values
as given: a result is good to some 1e-16 · mean² / variance of the window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels.windows import TINY, lag_or_zero


@dataclass(frozen=True)
class Moments:
    """n² times the (co)variances of a pair over one window.

    Attributes:
        count: Rows of the window where both series are valid.
        xx: Of x; null where the variance counts as zero.
        yy: Of y; null where the variance counts as zero.
        xy: Of both.
    """

    count: pl.Expr
    xx: pl.Expr
    yy: pl.Expr
    xy: pl.Expr

    def correlation(self, min_periods: int) -> pl.Expr:
        """Pearson 1895, clipped to [-1, 1]; null where either variance is zero."""
        return pl.when(self.count >= min_periods).then(self._rho())

    def slope(self, min_periods: int) -> pl.Expr:
        """Least squares of y on x, cov / var(x); null where the variance of x is zero."""
        return pl.when(self.count >= min_periods).then(self.xy / self.xx)

    def determination(self, min_periods: int) -> pl.Expr:
        """The share r² of y's variance that x explains; null where either variance is zero."""
        rho = self._rho()
        return pl.when(self.count >= min_periods).then(rho * rho)

    def _rho(self) -> pl.Expr:
        return (self.xy / (self.xx * self.yy).sqrt()).clip(-1.0, 1.0)


def moments(
    p: ColumnPlan, x: str | pl.Expr, y: str | pl.Expr, windows: Sequence[int]
) -> dict[int, Moments]:
    """Moments of a pair over several windows.

    Args:
        p: The plan.
        x: First series.
        y: Second series.
        windows: Lengths in rows; cheapest where each is twice the one before.

    Returns:
        The moments by window; columns.
    """
    a, b = p.let(x), p.let(y)
    both = p.let(a.is_not_null() & b.is_not_null())
    u = p.let(pl.when(both).then(a).otherwise(0.0))
    v = p.let(pl.when(both).then(b).otherwise(0.0))
    count = _sums(p, p.let(both.cast(pl.Int32)), windows, pl.Int32)
    sx, sy = _sums(p, u, windows), _sums(p, v, windows)
    sxx, syy = _sums(p, p.let(u * u), windows), _sums(p, p.let(v * v), windows)
    sxy = _sums(p, p.let(u * v), windows)
    result = {}
    for w in windows:
        n = count[w]
        result[w] = Moments(
            count=n,
            xx=p.let(_spread(n, sx[w], sxx[w])),
            yy=p.let(_spread(n, sy[w], syy[w])),
            xy=p.let(n * sxy[w] - sx[w] * sy[w]),
        )
    return result


def pearson(p: ColumnPlan, x: str | pl.Expr, y: str | pl.Expr, w: int, min_periods: int) -> pl.Expr:
    """Pearson correlation over the window, clipped to [-1, 1]; a column.

    Null below ``min_periods`` pairs and where either variance is zero.
    """
    return p.let(moments(p, x, y, (w,))[w].correlation(min_periods))


def slope(p: ColumnPlan, y: str | pl.Expr, x: str | pl.Expr, w: int, min_periods: int) -> pl.Expr:
    """Least-squares slope of y on x over the window, cov(y, x) / var(x); a column.

    Null below ``min_periods`` pairs and where the variance of x is zero.
    """
    return p.let(moments(p, x, y, (w,))[w].slope(min_periods))


def trend(p: ColumnPlan, y: str | pl.Expr, w: int, min_periods: int) -> tuple[pl.Expr, pl.Expr]:
    """Least squares of y on the minute index over the window: slope a minute, and r².

    Returns:
        Two columns; r² is null where y is constant.
    """
    m = moments(p, pl.col(p.index).cast(pl.Float64), y, (w,))[w]
    return p.let(m.slope(min_periods)), p.let(m.determination(min_periods))


def _sums(
    p: ColumnPlan,
    column: pl.Expr,
    windows: Sequence[int],
    dtype: type[pl.DataType] = pl.Float64,
) -> dict[int, pl.Expr]:
    """Sums over windows of a column without nulls, each from sums of shorter windows."""
    sums: dict[int, pl.Expr] = {1: column}
    for w in sorted({min(w, p.length) for w in windows}):
        covered = max(size for size in sums if size <= w)
        total = sums[covered]
        # double while it fits, and fill up with the greatest sums that do
        while covered * 2 <= w:
            total = p.let(total + lag_or_zero(p, total, covered, dtype))
            covered *= 2
            sums[covered] = total
        while covered < w:
            size = max(size for size in sums if size <= w - covered)
            total = total + lag_or_zero(p, sums[size], covered, dtype)
            covered += size
        sums[w] = p.let(total)
    return {w: sums[min(w, p.length)] for w in windows}


def _spread(n: pl.Expr, total: pl.Expr, squares: pl.Expr) -> pl.Expr:
    scaled = n * squares
    spread = scaled - total * total
    return pl.when(spread > TINY * scaled).then(spread)
