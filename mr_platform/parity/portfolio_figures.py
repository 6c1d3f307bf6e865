"""Figures of portfolios side by side with recorded ones: errors, and what of it counts.

Here: relative errors, which of them are within the tolerance, violations, the account of a group.
Not here: what is compared and how ours are computed (``portfolio/recorded_figures``), reading
recorded figures (``gateways/recorded_portfolios``), what follows from a violation (``gates/``).
"""

from __future__ import annotations

import polars as pl

from mr_platform.errors import PlatformError

PAIRS_SCHEMA: dict[str, pl.DataType] = {
    "figure": pl.String(),
    "subject": pl.String(),
    "measure": pl.String(),
    "ours": pl.Float64(),
    "recorded": pl.Float64(),
    "basis": pl.String(),
    "reason": pl.String(),
}
"""Figures before they are compared, one a row.

``figure`` names a group, ``subject`` a strategy, portfolio, pair or file, ``measure`` what was
measured; ``basis`` what ours was computed from; ``reason`` says why there is none of ours, and is
null where there is one.
"""

COMPARISON_SCHEMA: dict[str, pl.DataType] = {
    **PAIRS_SCHEMA,
    "relative_error": pl.Float64(),
    "within": pl.Boolean(),
    "reproducible": pl.Boolean(),
}
"""The same, compared; error and ``within`` are null where ours cannot be computed."""


class ParityError(PlatformError):
    """Figures that cannot be compared at all."""


def compared(pairs: pl.DataFrame, tolerance: float) -> pl.DataFrame:
    """Each figure beside its recorded one.

    Args:
        pairs: ``PAIRS_SCHEMA``.
        tolerance: Relative error that still counts as equal.

    Returns:
        ``COMPARISON_SCHEMA`` in the order of ``pairs``. The error is relative to the recorded
        figure, absolute where that is 0; equal infinities have none, and a figure that is missing
        or no number on one side alone has an infinite one.

    Raises:
        ParityError: A tolerance that is not above 0, columns that are missing.
    """
    if not tolerance > 0:
        raise ParityError(f"tolerance {tolerance} is not above 0")
    lacking = [name for name in PAIRS_SCHEMA if name not in pairs.columns]
    if lacking:
        raise ParityError(f"figures to compare lack {', '.join(lacking)}")
    ours, recorded = (pl.col(name).fill_nan(None) for name in ("ours", "recorded"))
    distance = (ours - recorded).abs()
    scale = pl.when(recorded == 0).then(1.0).otherwise(recorded.abs())
    reproducible = pl.col("reason").is_null()
    error = (
        pl.when(ours.eq_missing(recorded))
        .then(0.0)
        .when(ours.is_finite() & recorded.is_finite())
        .then(distance / scale)
        # null or infinite on one side alone
        .otherwise(float("inf"))
    )
    return pairs.select(PAIRS_SCHEMA.keys()).with_columns(
        pl.when(reproducible).then(error).alias("relative_error"),
        pl.when(reproducible).then(error <= tolerance).alias("within"),
        reproducible.alias("reproducible"),
    )


def violations(comparison: pl.DataFrame) -> pl.DataFrame:
    """Figures that can be computed and do not agree, worst first."""
    return comparison.filter(pl.col("within").not_()).sort(
        "relative_error", descending=True, maintain_order=True
    )


def account(comparison: pl.DataFrame) -> pl.DataFrame:
    """One row for each figure and measure, in the order of their first appearance.

    Returns:
        ``figure``, ``measure``, ``compared`` and ``within`` (counts), ``worst`` (largest relative
        error), ``bases`` (what ours were computed from), ``not_reproducible`` (count), ``reasons``
        (how many different ones) and ``reason`` (the most frequent one, the first of equals; null
        where all are compared).
    """
    known = comparison.filter("reproducible")
    reason = (
        comparison.filter(pl.col("reason").is_not_null())
        .group_by("figure", "measure", "reason", maintain_order=True)
        .len()
        .sort("len", descending=True, maintain_order=True)
        .unique(["figure", "measure"], keep="first", maintain_order=True)
        .select("figure", "measure", "reason")
    )
    counts = known.group_by("figure", "measure", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("compared"),
        pl.col("within").sum().cast(pl.Int64),
        pl.col("relative_error").max().alias("worst"),
        pl.col("basis").unique(maintain_order=True).str.join(", ").alias("bases"),
    )
    return (
        comparison.group_by("figure", "measure", maintain_order=True)
        .agg(
            pl.col("reproducible").not_().sum().cast(pl.Int64).alias("not_reproducible"),
            pl.col("reason").drop_nulls().n_unique().cast(pl.Int64).alias("reasons"),
        )
        .join(counts, on=["figure", "measure"], how="left", maintain_order="left")
        .join(reason, on=["figure", "measure"], how="left", maintain_order="left")
        .with_columns(pl.col("compared", "within").fill_null(0))
        .select(
            "figure", "measure", "compared", "within", "worst", "bases", "not_reproducible",
            "reasons", "reason",
        )
    )  # fmt: skip
