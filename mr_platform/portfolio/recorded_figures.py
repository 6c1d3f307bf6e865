"""Our figures beside recorded ones: what can be computed from the rows and totals that are held.

The production file of the record is lost, 2,945 of its 25,544 columns are held (portfolio.md §8).
Where all members of a portfolio are among them its figures come from rows; totals, and what follows
from totals alone, come from the recorded totals of its members; the rest has a reason instead.

Here: pairs of ours and recorded, one a row, and the formulas of the later program.
Not here: errors and tolerance (``parity/portfolio_figures``), reading the record
(``gateways/recorded_portfolios``), which figures are declared (``registry/recorded_figures``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, Protocol

import numpy as np
import polars as pl

from mr_platform.portfolio.correlation import (
    Members,
    mean_correlation,
    pair_correlation,
    standardised,
)
from mr_platform.portfolio.correlation_tiles import PairSettings, pair_statistics
from mr_platform.portfolio.fitness import METRICS, LegacyFitness
from mr_platform.portfolio.inversion import inverted
from mr_platform.portfolio.legacy_metrics import LEGACY_PERIODS, by_strategy
from mr_platform.portfolio.returns import Matrix, StrategyReturns
from mr_platform.portfolio.strategy_metrics import (
    PORTFOLIO_FILE_LINES,
    STRATEGY_FILE_COLUMNS,
    portfolio_metrics,
    strategy_metrics,
)
from mr_platform.registry.recorded_figures import RecordedFigures

PAIR_COLUMNS: Final = {
    "figure": pl.String(),
    "subject": pl.String(),
    "measure": pl.String(),
    "ours": pl.Float64(),
    "recorded": pl.Float64(),
    "basis": pl.String(),
    "reason": pl.String(),
}
"""Columns of the pairs, as ``parity/portfolio_figures`` compares them."""

FROM_ROWS: Final = "rows"
FROM_TOTALS: Final = "recorded totals"
FROM_VOLATILITY: Final = "recorded totals and volatility"

LATER_GUARD: Final = 1e-6
"""What the later program adds to a deviation before it divides by it."""

_OF_TOTALS = ("roi", "annual_return", "expectancy")
_SHOWN_DIGITS = 6
_STRONG = 0.7
_FILES = "the 2,500-strategy file"


class Record(Protocol):
    """The recorded figures of one folder, as ``gateways/recorded_portfolios`` reads them."""

    @property
    def strategy_metrics(self) -> pl.DataFrame:
        """Recorded figures of strategies."""

    @property
    def portfolios(self) -> Sequence[Mapping[str, Any]]:
        """The best portfolio of each size."""

    @property
    def later_portfolios(self) -> Sequence[Mapping[str, Any]]:
        """The portfolios of the later program."""

    @property
    def golden(self) -> Mapping[str, Any]:
        """What the legacy program gave on one file."""

    @property
    def golden_strategies(self) -> tuple[str, ...]:
        """Names of that file's strategies."""

    @property
    def universe(self) -> pl.DataFrame:
        """All strategies on some days."""

    @property
    def universe_days(self) -> pl.DataFrame:
        """Those days, with their recorded drawdown."""


def figure_pairs(
    returns: StrategyReturns, record: Record, declared: RecordedFigures
) -> pl.DataFrame:
    """Every recorded figure with ours, or with the reason why there is none.

    Args:
        returns: What is held of the production file, in rupees, rows in its order.
        record: Recorded figures.
        declared: Tolerance, reasons, facts of the production file.

    Returns:
        ``PAIR_COLUMNS``, groups in the order of ``registry.recorded_figures.FIGURES``.

    Raises:
        PortfolioError: Returns without rows.
    """
    compared = _Comparison(returns, record, declared)
    return pl.concat(
        [
            compared.strategies(),
            compared.portfolios(),
            compared.later_portfolios(),
            compared.universe(),
            *compared.golden(),
        ]
    )


def later_fitness(total: Matrix, volatility: Matrix, rows: int) -> Matrix:
    """Fitness of the program of 29 July 2025: mean row over its deviation, not annualised.

    Args:
        total: Shape (P,), sum of each portfolio's rows, members added up and not averaged.
        volatility: Shape (P,), deviation of those rows.
        rows: Number of rows, T.

    Returns:
        ``total / T / (volatility + 1e-6)``, shape (P,).
    """
    return np.asarray(total) / rows / (np.asarray(volatility) + LATER_GUARD)


def later_figures(returns: StrategyReturns, members: Members) -> tuple[Matrix, Matrix, Matrix]:
    """Total return, volatility and fitness by the program of 29 July 2025.

    Args:
        returns: At least one row.
        members: Shape (P, k), strategies.

    Returns:
        Three arrays of shape (P,); the volatility is the population's.
    """
    series = by_strategy(returns.pnl)[np.sort(members, axis=1)].sum(axis=1)
    total, volatility = series.sum(axis=1), series.std(axis=1)
    return total, volatility, later_fitness(total, volatility, returns.rows)


def implied_correlation(portfolio: Mapping[str, Any]) -> float:
    """Mean correlation that a recorded portfolio's fitness implies: ``(ROI/DD - fitness) / 10``.

    Args:
        portfolio: Recorded ``total_roi``, ``max_drawdown`` and ``fitness`` of metric ``ratio``.
    """
    base = portfolio["total_roi"] / portfolio["max_drawdown"]
    return float((base - portfolio["fitness"]) / LegacyFitness().correlation_weight)


class _Comparison:
    def __init__(self, returns: StrategyReturns, record: Record, declared: RecordedFigures) -> None:
        self._returns = returns
        self._record = record
        self._declared = declared
        self._place = {name: place for place, name in enumerate(returns.names)}
        metrics = record.strategy_metrics
        self._totals: dict[int, float] = dict(
            zip(metrics["col_index"].to_list(), metrics["ROI"].to_list(), strict=True)
        )

    # ------------------------------------------------------------------ the record

    def strategies(self) -> pl.DataFrame:
        """Five figures of every strategy that is held; one row a figure for all others."""
        ours = strategy_metrics(self._returns)
        both = self._record.strategy_metrics.join(ours, on="strategy", how="left")
        held = both.filter(pl.col("roi").is_not_null())
        others = both.height - held.height
        parts = [
            _pairs("strategy_metrics", held["strategy"], theirs, held[name], held[theirs])
            for name, theirs in STRATEGY_FILE_COLUMNS.items()
        ]
        if others:
            parts.append(
                self._not_computed(
                    "strategy_metrics",
                    f"{others:,} other strategies",
                    list(STRATEGY_FILE_COLUMNS.values()),
                    "strategies_not_held",
                )
            )
        return pl.concat(parts)

    def portfolios(self) -> pl.DataFrame:
        """Nine figures of each recorded portfolio."""
        parts = [_table([])]
        for portfolio in self._record.portfolios:
            measures = {"fitness": "fitness", **PORTFOLIO_FILE_LINES}
            places, reason = self._places(portfolio["strategies"])
            ours: dict[str, float | None] = dict.fromkeys(measures)
            basis = dict.fromkeys(measures, FROM_ROWS)
            if places is not None:
                ours |= portfolio_metrics(self._returns, places).row(0, named=True)
                fitness = LegacyFitness().evaluate(self._returns.pnl, places).fitness
                ours["fitness"] = float(fitness[0])
                reasons: dict[str, str | None] = dict.fromkeys(measures)
            else:
                found = self._from_totals(portfolio["col_index"])
                ours |= found
                basis |= dict.fromkeys(_OF_TOTALS, FROM_TOTALS)
                reasons = dict.fromkeys(measures, reason)
                missing = None if found else self._declared.reasons["no_recorded_total"]
                reasons |= dict.fromkeys(_OF_TOTALS, missing)
            parts.append(
                _table(
                    [
                        ("portfolios", f"size {portfolio['size']}", theirs, ours[name],
                         portfolio[theirs], basis[name], reasons[name])
                        for name, theirs in measures.items()
                    ]
                )
            )  # fmt: skip
        return pl.concat(parts)

    def later_portfolios(self) -> pl.DataFrame:
        """Four figures of each portfolio of 29 July 2025."""
        rows: list[tuple[Any, ...]] = []
        for entry in self._record.later_portfolios:
            subject = f"{entry['run']}, {entry['algorithm']}"
            measures = ("total_return", "volatility", "fitness", "sharpe")
            places, reason = self._places(entry["strategies"])
            ours: dict[str, float] = {}
            basis = dict.fromkeys(measures, FROM_ROWS)
            if places is not None:
                figures = later_figures(self._returns, places)
                total, volatility, fitness = (float(figure[0]) for figure in figures)
                ours = {"total_return": total, "volatility": volatility, "fitness": fitness}
            elif all(column in self._totals for column in entry["col_index"]):
                total = self._total(entry["col_index"])
                recorded = np.array([entry["volatility"]])
                fitness = later_fitness(
                    np.array([total]), recorded, self._declared.production_rows
                ).item()
                ours = {"total_return": total, "fitness": fitness}
                basis |= dict.fromkeys(("fitness", "sharpe"), FROM_VOLATILITY)
                basis["total_return"] = FROM_TOTALS
            else:
                reason = self._declared.reasons["no_recorded_total"]
            if "fitness" in ours:
                # the reports tell the fitness once more, to six digits
                ours["sharpe"] = round(ours["fitness"], _SHOWN_DIGITS)
            rows += [
                ("later_portfolios", subject, name, ours.get(name), entry[name], basis[name],
                 None if name in ours else reason)
                for name in measures
            ]  # fmt: skip
        return _table(rows)

    def universe(self) -> pl.DataFrame:
        """Steps of the drawdown of all strategies between recorded days, and its level."""
        days = self._record.universe_days.filter(pl.col("portfolio_drawdown").is_not_null())
        reasons = self._declared.reasons
        told: list[tuple[str, float]] = list(days.select("Date", "portfolio_drawdown").iter_rows())
        rows: list[tuple[Any, ...]] = [
            ("universe", f"day {day}", "drawdown", None, drawdown, FROM_ROWS,
             reasons["peak_not_held"])
            for day, drawdown in told
        ]  # fmt: skip
        for (earlier, before), (later, after) in pairwise(told):
            # below the peak a day's step is the sum of that day
            known = self._follow(earlier, later) and after < 0
            rows.append(
                ("universe", f"{earlier} to {later}", "step of the drawdown",
                 float(self._record.universe[later].sum()) if known else None,
                 after - before, FROM_ROWS, None if known else reasons["rows_between_not_held"])
            )  # fmt: skip
        return _table(rows)

    def _follow(self, earlier: str, later: str) -> bool:
        """Whether two days of the universe are rows of the file that follow each other."""
        shift = np.timedelta64(self._declared.universe_shift_days, "D")
        rows = [
            np.flatnonzero(self._returns.dates == np.datetime64(day) + shift)
            for day in (earlier, later)
        ]
        return all(row.size == 1 for row in rows) and int(rows[1][0]) == int(rows[0][0]) + 1

    # ------------------------------------------------------------------ golden figures

    def golden(self) -> Iterator[pl.DataFrame]:
        """What running the legacy program gave, on the strategies of one file."""
        names = self._record.golden_strategies
        missing = sum(name not in self._place for name in names)
        if missing:
            reason = self._reason("not_this_file", missing, len(names))
            for figure in ("golden", "golden_searches", "golden_correlations", "inversions"):
                yield _table([(figure, _FILES, "all", None, None, FROM_ROWS, reason)])
        else:
            columns = np.array([self._place[name] for name in names], dtype=np.int64)
            over = StrategyReturns(
                np.ascontiguousarray(self._returns.pnl[:, columns]), names, self._returns.dates
            )
            golden = self._record.golden
            yield _golden_portfolios(over, golden["golden"])
            yield _golden_searches(over, golden["algorithm_runs_seed42_size37"])
            yield _golden_correlations(over, golden["corr"])
            yield _golden_inversions(over, golden["ulta"])
        negative = sum(total < 0 for total in self._totals.values())
        yield _table(
            [
                ("inversions", f"{len(self._totals):,} recorded totals", "inverted",
                 float(negative), float(self._declared.inverted_by_recorded_totals), FROM_TOTALS,
                 None)
            ]
        )  # fmt: skip

    # ------------------------------------------------------------------ parts

    def _places(self, names: Sequence[str]) -> tuple[Members | None, str]:
        """Members of a portfolio as one row, or None, and why."""
        places = [self._place[name] for name in names if name in self._place]
        if len(places) == len(names):
            return np.array([places], dtype=np.int64), ""
        return None, self._reason("members_not_held", len(places), len(names))

    def _from_totals(self, columns: Sequence[int]) -> dict[str, float]:
        """What the recorded totals of all members tell of their portfolio."""
        if any(column not in self._totals for column in columns):
            return {}
        rows = self._declared.production_rows
        roi = self._total(columns) / len(columns)
        # without a row of 0 the expectancy is the mean row
        figures = (roi, roi * (LEGACY_PERIODS / rows), roi / rows)
        return dict(zip(_OF_TOTALS, figures, strict=True))

    def _total(self, columns: Sequence[int]) -> float:
        return float(np.sum([self._totals[column] for column in sorted(columns)]))

    def _reason(self, name: str, held: int, size: int) -> str:
        return self._declared.reasons[name].format(held=f"{held:,}", size=f"{size:,}")

    def _not_computed(
        self, figure: str, subject: str, measures: Sequence[str], reason: str
    ) -> pl.DataFrame:
        told = self._declared.reasons[reason]
        return _table(
            [(figure, subject, measure, None, None, FROM_ROWS, told) for measure in measures]
        )


def _golden_portfolios(
    over: StrategyReturns, portfolios: Sequence[Mapping[str, Any]]
) -> pl.DataFrame:
    """Each metric with and without penalty, mean correlation and report of each portfolio."""
    sizes: dict[int, list[int]] = defaultdict(list)
    for number, portfolio in enumerate(portfolios):
        sizes[len(portfolio["col"])].append(number)
    z = standardised(over.pnl)
    parts = [_table([])]
    evaluators = {
        metric + penalised: LegacyFitness(metric, correlation_weight=weight).over(over.pnl)
        for metric in METRICS
        for penalised, weight in (("", 0.0), ("|penalised", LegacyFitness().correlation_weight))
    }
    for numbers in sizes.values():
        members = np.array([portfolios[number]["col"] for number in numbers])
        subjects = [f"portfolio {number}" for number in numbers]
        figures = {name: one.evaluate(members).fitness for name, one in evaluators.items()}
        figures["avg_corr"] = mean_correlation(z, members)
        parts += [
            _pairs("golden", subjects, name, ours, [portfolios[n][name] for n in numbers])
            for name, ours in figures.items()
        ]
        report = portfolio_metrics(over, members)
        parts += [
            _pairs(
                "golden", subjects, f"report {line}", report[name],
                [portfolios[n]["report"][line] for n in numbers],
            )
            for name, line in PORTFOLIO_FILE_LINES.items()
        ]  # fmt: skip
    return pl.concat(parts)


def _golden_searches(over: StrategyReturns, runs: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    evaluated = [
        float(LegacyFitness().evaluate(over.pnl, np.array([run["portfolio"]])).fitness[0])
        for run in runs
    ]
    return _pairs(
        "golden_searches", [run["alg"] for run in runs], "fitness", evaluated,
        [run["fitness"] for run in runs],
    )  # fmt: skip


def _golden_correlations(over: StrategyReturns, recorded: Mapping[str, Any]) -> pl.DataFrame:
    first, second, rho = (np.array(part) for part in zip(*recorded["samples"], strict=True))
    samples = pair_correlation(standardised(over.pnl), first, second)
    found = pair_statistics(over.pnl, PairSettings(threshold=_STRONG, neighbours=0, most_pairs=0))
    whole = {
        "mean": found.mean,
        "mean_abs": found.mean_abs,
        "min": found.lowest,
        "max": found.highest,
        f"n_abs_gt_{_STRONG}": float(found.above),
        "n_pairs": float(found.pairs),
    }
    return pl.concat(
        [
            _pairs(
                "golden_correlations",
                [f"strategies {i} and {j}" for i, j in zip(first, second, strict=True)],
                "correlation",
                samples,
                rho,
            ),
            _table(
                [
                    ("golden_correlations", _FILES, name, ours, float(recorded[name]), FROM_ROWS,
                     None)
                    for name, ours in whole.items()
                ]
            ),
        ]
    )  # fmt: skip


def _golden_inversions(over: StrategyReturns, recorded: Mapping[str, Any]) -> pl.DataFrame:
    # the legacy program takes the first strategy of the file for metadata
    found = inverted(over, skip_first=True)
    counts = {"columns_considered": found.considered, "inverted": found.report.height}
    parts = [
        _table(
            [
                ("inversions", _FILES, name, float(count), float(recorded[name]), FROM_ROWS, None)
                for name, count in counts.items()
            ]
        )
    ]
    first = recorded["first_20"]
    ours = {row["strategy"]: row for row in found.report.iter_rows(named=True)}
    for strategy, figures in first.items():
        parts.append(
            _table(
                [
                    ("inversions", strategy, name, ours.get(strategy, {}).get(name),
                     float(figure), FROM_ROWS, None)
                    for name, figure in figures.items()
                ]
            )
        )  # fmt: skip
    return pl.concat(parts)


def _pairs(
    figure: str,
    subjects: Sequence[str] | pl.Series,
    measure: str,
    ours: Sequence[float] | Matrix | pl.Series,
    recorded: Sequence[float] | Matrix | pl.Series,
) -> pl.DataFrame:
    """Pairs of one measure that are computed from rows."""
    return pl.DataFrame(
        {
            "subject": pl.Series(subjects, dtype=pl.String),
            "ours": pl.Series(ours, dtype=pl.Float64),
            "recorded": pl.Series(recorded, dtype=pl.Float64),
        }
    ).select(
        pl.lit(figure).alias("figure"),
        "subject",
        pl.lit(measure).alias("measure"),
        "ours",
        "recorded",
        pl.lit(FROM_ROWS).alias("basis"),
        pl.lit(None, dtype=pl.String).alias("reason"),
    )


def _table(rows: Sequence[tuple[Any, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=PAIR_COLUMNS, orient="row")
