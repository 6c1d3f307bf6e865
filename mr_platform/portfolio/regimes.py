"""Weights of rows by market regime: confidence, transitions, multipliers of labels.

A confidence belongs to a row, which is a date or a date and zone, not to a strategy: every rule
gives one weight a row, and weights scale the profit and loss of that row (portfolio.md §7). Nothing
is scaled back to what it was before: what a rule takes away is cash, and a report tells the figures
before and after.

Here: rules from columns of rows to weights, weights put together and applied, their report.
Not here: joining files of regime bars to rows (``regime_bars``), what labels mean
(``registry/regimes``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, get_args

import numpy as np
import polars as pl

from mr_platform.portfolio.returns import Matrix, PortfolioError, StrategyReturns
from mr_platform.portfolio.strategy_metrics import strategy_metrics
from mr_platform.registry.regimes import Regimes

ROUNDING = 1e-12
"""Shares this near to a limit are at it: 70.1 per cent and 0.701 may differ by their last bit."""

Rule = Literal["confidence filter", "confidence weight", "transition", "regime"]
"""Rules by the names that their weights and reports bear."""

RULES: Final[tuple[Rule, ...]] = ("confidence filter", "transition")
"""Rules that are applied where none is asked for: what the requirements switch on."""

_SHOWN = 5


@dataclass(frozen=True, eq=False)
class RowWeights:
    """One weight a row, and how they came about.

    Attributes:
        rule: Name of the rule, or the names of several joined by ``, ``.
        weights: Shape (T,), finite, not negative, read-only: 0 leaves a row out, 0.5 puts half of
            it to work, above 1 is more than the capital that the row was given.
        not_told: Rows that lack what the rule asks for.

    Raises:
        PortfolioError: Weights that are not one a row, not finite or negative.
    """

    rule: str
    weights: Matrix
    not_told: int = 0

    def __post_init__(self) -> None:
        """Check the weights and keep a copy that nobody can write."""
        weights = np.array(self.weights, dtype=np.float64)
        if weights.ndim != 1 or not np.isfinite(weights).all() or (weights < 0).any():
            raise PortfolioError("weights of rows are finite and not negative, one a row")
        weights.flags.writeable = False
        object.__setattr__(self, "weights", weights)

    @property
    def mask(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Rows that are kept at all, shape (T,)."""
        return self.weights > 0

    @property
    def exposure(self) -> Matrix:
        """Share of each row's capital at work, shape (T,), in [0, 1]; the rest is cash."""
        return np.minimum(self.weights, 1.0)

    @property
    def counts(self) -> Mapping[str, int]:
        """Rows in all, left out, scaled down, unchanged, scaled up, and those not told."""
        weights = self.weights
        return MappingProxyType(
            {
                "rows": weights.size,
                "left_out": int(np.count_nonzero(weights == 0)),
                "scaled_down": int(np.count_nonzero((weights > 0) & (weights < 1))),
                "unchanged": int(np.count_nonzero(weights == 1)),
                "scaled_up": int(np.count_nonzero(weights > 1)),
                "not_told": self.not_told,
            }
        )

    def weighted(self, returns: StrategyReturns) -> StrategyReturns:
        """All rows, each scaled by its weight; a row that is left out earns 0 and stays a row.

        Raises:
            PortfolioError: Returns of another number of rows.
        """
        self._refuse_other_rows(returns)
        pnl = returns.pnl * self.weights[:, np.newaxis]
        pnl += 0.0  # makes -0, a loss that was left out, the 0 that it equals
        return StrategyReturns(pnl, returns.names, returns.dates, returns.zones)

    def kept(self, returns: StrategyReturns) -> StrategyReturns:
        """The same without the rows that are left out: rates then count the kept rows alone.

        Raises:
            PortfolioError: Returns of another number of rows.
        """
        self._refuse_other_rows(returns)
        rows = np.flatnonzero(self.mask)
        pnl = returns.pnl[rows]
        pnl *= self.weights[rows, np.newaxis]
        zones = returns.zones
        return StrategyReturns(
            pnl,
            returns.names,
            returns.dates[rows],
            None if zones is None else tuple(zones[row] for row in rows),
        )

    def report(self) -> pl.DataFrame:
        """One row: ``rule``, the counts, and the means ``mean_weight`` and ``mean_cash``."""
        empty = not self.weights.size
        return pl.DataFrame(
            {
                "rule": self.rule,
                **self.counts,
                "mean_weight": None if empty else float(self.weights.mean()),
                "mean_cash": None if empty else float((1.0 - self.exposure).mean()),
            },
            schema_overrides={"mean_weight": pl.Float64, "mean_cash": pl.Float64},
        )

    def _refuse_other_rows(self, returns: StrategyReturns) -> None:
        if returns.rows != self.weights.size:
            raise PortfolioError(
                f"{self.weights.size} weights do not stand for {returns.rows} rows of returns",
                next_step="Take the weights from the rows of these returns",
            )


def confidence_filter(confidence: Matrix | pl.Series, minimum: float) -> RowWeights:
    """Weight 1 from a minimum of confidence on, 0 below it and where none is told.

    Args:
        confidence: Shape (T,), shares of 1; NaN where none is told.
        minimum: Share of 1 that still passes.

    Raises:
        PortfolioError: Confidences or a minimum outside [0, 1]: a sheet's per cent, say.
    """
    shares = _fractions(confidence, "confidences")
    least = _share(minimum, "the least confidence")
    # NaN compares false: a row of no confidence does not pass
    kept = (shares >= least - ROUNDING).astype(np.float64)
    return RowWeights("confidence filter", kept, _missing(shares))


def confidence_weights(confidence: Matrix | pl.Series) -> RowWeights:
    """The confidence itself as the weight of each row, 0 where none is told.

    Args:
        confidence: Shape (T,), shares of 1; NaN where none is told.

    Raises:
        PortfolioError: Confidences outside [0, 1].
    """
    shares = _fractions(confidence, "confidences")
    return RowWeights("confidence weight", np.nan_to_num(shares), _missing(shares))


def transition_weights(scores: Matrix | pl.Series, threshold: float, factor: float) -> RowWeights:
    """A factor for the rows above a threshold alone; all others, and those not told, keep 1.

    Args:
        scores: Shape (T,), transition threshold scores as shares of 1; NaN where none is told.
        threshold: Share of 1; a row at it is not in transition.
        factor: What of a row in transition stays at work, in [0, 1]; the remainder is cash.

    Raises:
        PortfolioError: Scores, threshold or factor outside [0, 1].
    """
    shares = _fractions(scores, "transition scores")
    above = shares > _share(threshold, "the threshold") + ROUNDING
    return RowWeights(
        "transition", np.where(above, _share(factor, "the factor"), 1.0), _missing(shares)
    )


def regime_weights(
    labels: Sequence[str | None] | pl.Series,
    regimes: Regimes,
    multipliers: Mapping[str, float] | None = None,
) -> RowWeights:
    """Multiplier of each row's regime, by the family that its label is declared to belong to.

    Args:
        labels: The T labels; None where none is told.
        regimes: Declared labels and multipliers, and what becomes of unknown ones.
        multipliers: Multipliers by family in place of the declared ones.

    Raises:
        PortfolioError: Labels that are not declared, or are missing, where that is refused;
            multipliers of no declared family, negative or not finite.
    """
    told = list(labels)
    _refuse_multipliers(multipliers or {}, regimes)
    factors = {name: family.multiplier for name, family in regimes.families.items()}
    factors |= multipliers or {}
    families: dict[str | None, str | None] = {
        label: regimes.labels[label].family
        if label is not None and label in regimes.labels
        else regimes.unknown_family
        for label in set(told)
    }
    refused = [label for label in told if families[label] is None]
    if refused:
        raise _unknown(refused, told)
    weights = np.array([factors[family] for label in told if (family := families[label])])
    unknown = sum(label not in regimes.labels for label in told)
    return RowWeights("regime", weights.reshape(len(told)), unknown)


def declared_weights(
    rows: pl.DataFrame,
    regimes: Regimes,
    rules: Sequence[Rule] = RULES,
    multipliers: Mapping[str, float] | None = None,
) -> tuple[RowWeights, ...]:
    """The weights of each rule asked for, with the declared limits, factors and multipliers.

    Args:
        rows: ``market_regime``, ``regime_confidence`` and ``transition_threshold`` as far as the
            rules need them: the rows of a sheet, or ``regime_bars.bars_of_rows`` of them.
        regimes: What is declared.
        rules: Rules wanted, each once; :func:`combined` puts them together.
        multipliers: Multipliers by family in place of the declared ones, for the rule ``regime``.

    Raises:
        PortfolioError: Rules that are not known or stand twice, a column that is missing, values
            or multipliers that a rule refuses.
    """
    unknown = [rule for rule in rules if rule not in get_args(Rule)]
    if unknown or len(set(rules)) < len(rules):
        raise PortfolioError(
            f"rules {', '.join(rules)} are not known or stand twice",
            next_step=f"Name some of {', '.join(get_args(Rule))} once",
            misused=True,
        )
    columns = {
        "confidence filter": "regime_confidence",
        "confidence weight": "regime_confidence",
        "transition": "transition_threshold",
        "regime": "market_regime",
    }
    lacking = sorted({columns[rule] for rule in rules} - set(rows.columns))
    if lacking:
        raise PortfolioError(
            f"rows lack {', '.join(lacking)}",
            next_step="Load a sheet that tells it, or join a file of regime bars",
        )
    found: list[RowWeights] = []
    for rule in rules:
        column = rows[columns[rule]]
        match rule:
            case "confidence filter":
                found.append(confidence_filter(column, regimes.minimum_confidence))
            case "confidence weight":
                found.append(confidence_weights(column))
            case "transition":
                threshold, factor = regimes.transition_threshold, regimes.transition_factor
                found.append(transition_weights(column, threshold, factor))
            case _:
                found.append(regime_weights(column, regimes, multipliers))
    return tuple(found)


def combined(parts: Iterable[RowWeights]) -> RowWeights:
    """Several rules at once: the product of their weights, taken in the order given.

    Raises:
        PortfolioError: No rule, or rules over different numbers of rows.
    """
    rules = list(parts)
    if not rules or len({rule.weights.size for rule in rules}) > 1:
        raise PortfolioError("rules that are put together are at least one, over the same rows")
    weights = np.prod([rule.weights for rule in rules], axis=0)
    names = ", ".join(rule.rule for rule in rules)
    return RowWeights(names, weights, sum(rule.not_told for rule in rules))


def raw_and_weighted(raw: StrategyReturns, weighted: StrategyReturns) -> pl.DataFrame:
    """Figures of every strategy before and after weights; neither is scaled to the other.

    Args:
        raw: At least one row.
        weighted: The same strategies and rows after weights, from :meth:`RowWeights.weighted`.

    Returns:
        ``strategy``, then ``<figure>_raw`` and ``<figure>_weighted`` of each figure of
        ``strategy_metrics``, over all rows.

    Raises:
        PortfolioError: Returns without rows, other strategies or another number of rows.
    """
    if raw.names != weighted.names or raw.rows != weighted.rows:
        raise PortfolioError("raw and weighted returns are of the same strategies and rows")
    before, after = strategy_metrics(raw), strategy_metrics(weighted)
    figures = [name for name in before.columns if name != "strategy"]
    return pl.DataFrame(
        [before["strategy"]]
        + [
            frame[name].alias(f"{name}_{kind}")
            for name in figures
            for kind, frame in (("raw", before), ("weighted", after))
        ]
    )


def _refuse_multipliers(multipliers: Mapping[str, float], regimes: Regimes) -> None:
    foreign = sorted(set(multipliers) - set(regimes.families))
    if foreign:
        raise PortfolioError(
            f"multipliers of families that are not declared: {', '.join(foreign)}",
            next_step=f"Name some of {', '.join(regimes.families)}",
            misused=True,
        )
    wrong = {
        family: factor
        for family, factor in sorted(multipliers.items())
        if not (np.isfinite(factor) and factor >= 0)
    }
    if wrong:
        told = ", ".join(f"{family} × {factor:g}" for family, factor in wrong.items())
        raise PortfolioError(
            f"multipliers of families of regimes cannot be: {told}",
            next_step="Give finite numbers, 0 or above; 0 leaves the rows of a family out",
            misused=True,
        )


def _fractions(values: Matrix | pl.Series, what: str) -> Matrix:
    shares = np.array(values, dtype=np.float64)
    if shares.ndim != 1:
        raise PortfolioError(f"{what} of shape {shares.shape} are not one a row")
    # NaN is neither below nor above
    wrong = np.flatnonzero((shares < 0) | (shares > 1))
    if wrong.size:
        raise PortfolioError(
            f"{what} lie outside 0 to 1 in {wrong.size} of {shares.size} rows, first "
            f"{shares[wrong[0]]:g} in row {wrong[0] + 1}",
            next_step="Give shares of 1; values in per cent are converted once, by their unit",
        )
    return shares


def _share(value: float, what: str) -> float:
    if not 0 <= value <= 1:
        raise PortfolioError(
            f"{what} is {value}, not a share of 1", next_step="Give 0.7 for 70 per cent"
        )
    return float(value)


def _missing(shares: Matrix) -> int:
    return int(np.count_nonzero(np.isnan(shares)))


def _unknown(refused: Sequence[str | None], told: Sequence[str | None]) -> PortfolioError:
    names = sorted({label for label in refused if label is not None})
    silent = sum(label is None for label in refused)
    faults = [f"{silent} of {len(told)} rows have no label of a regime"] * bool(silent)
    steps = [
        "Load their files with bars that tell it (mr portfolio load FILE --book BOOK --regimes "
        "BARS), or leave the rule out"
    ] * bool(silent)
    if names:
        faults.append(
            f"{len(refused) - silent} of {len(told)} rows have a regime that is not declared: "
            + ", ".join(names[:_SHOWN])
            + " …" * (len(names) > _SHOWN)
        )
        steps.append("Declare the label in regimes.yaml, or a family for unknown ones")
    return PortfolioError("; ".join(faults), next_step=". ".join(steps))
