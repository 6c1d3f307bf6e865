"""Portfolios of the zones of a book, each zone searched alone.

Here: what a run asks for, a stored book → rows of ``zone_portfolios``.
Not here: zones and their search problems (``portfolio``), storing (``strategy_books.py``), words
about what was searched (``search_wording.py``).
"""

from __future__ import annotations

import json
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
from pydantic import Field

from mr_platform.config.settings import SearchSettings, ZoneSettings
from mr_platform.orchestration.book_measure import Measure
from mr_platform.orchestration.book_partitions import size_key
from mr_platform.orchestration.book_preparation import LabelledRows, Preparation, cube_of
from mr_platform.orchestration.book_search import SearchConfig, data_key, require_search
from mr_platform.orchestration.strategy_books import StoredBook
from mr_platform.portfolio.correlation import Members
from mr_platform.portfolio.search.algorithms import algorithm
from mr_platform.portfolio.search.engine import Budget, run_search
from mr_platform.portfolio.search.problem import SearchProblem
from mr_platform.portfolio.search.searches import seed_of
from mr_platform.portfolio.zone_search import SIZES, ZoneProblem, optimised_zones
from mr_platform.portfolio.zones import ZoneCube

ZONE_ALGORITHM = "hill_climbing"
"""Searches the zones where a run does not say otherwise."""


class ZoneConfig(dg.Config):
    """What a run of ``zone_portfolios`` may ask for; what is left out comes from the settings.

    Attributes:
        algorithm: Name of the algorithm.
        sizes: Members of the portfolios; the best size of each zone is kept.
        evaluations: Portfolios that each search may judge.
        parameters: Parameters of the algorithm, over those of the settings.
        seed: Root of all chance.
        metric: What the fitness measures.
        correlation_weight: Price of a mean correlation of 1.
        drawdown_threshold: Below this drawdown the price is halved.
        holdout: Share of the last dates that the searches do not see.
        row_rules: Rules of regimes by which rows are left out or weighted.
        regime_multipliers: Multipliers by family of regimes in place of the declared ones.
    """

    algorithm: str = ZONE_ALGORITHM
    sizes: list[int] = Field(default_factory=lambda: list(SIZES))
    evaluations: int | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    seed: int | None = None
    metric: str | None = None
    correlation_weight: float | None = None
    drawdown_threshold: float | None = None
    holdout: float | None = None
    row_rules: list[str] = Field(default_factory=list)
    regime_multipliers: dict[str, float] = Field(default_factory=dict)

    def over(self, settings: SearchSettings) -> SearchSettings:
        """The settings with what this run asks for in their place, as far as it serves zones.

        Zones stay apart, are not inverted (that is decided by whole days) and not balanced, and are
        searched in the improved form on the processor.

        Raises:
            PlatformError: As ``SearchConfig.over``.
        """
        asked = self.model_dump(exclude={"algorithm", "sizes", "parameters"})
        return SearchConfig(
            algorithms=[self.algorithm],
            form="improved",
            parameters={self.algorithm: self.parameters} if self.parameters else {},
            balance={"desired": {}},
            inversion=False,
            zone_mode="rows",
            engine="cpu",
            **asked,
        ).over(settings)


def require_zones(
    book: StoredBook, config: ZoneConfig, settings: SearchSettings, zones: ZoneSettings
) -> tuple[SearchSettings, LabelledRows, ZoneCube]:
    """Refuse a search of zones that cannot be, before any has run.

    Args:
        book: A book whose rows have zones, or start times where zones are windows.
        config: What the run asks for.
        settings: Metric, price of correlation, rules of regimes, dates held out, parameters.
        zones: Where zones come from.

    Returns:
        What is searched with, the rows that are searched and their sums by zone.

    Raises:
        PlatformError: No zones; sizes, an algorithm, parameters, a metric or rules that cannot be.
    """
    for size in config.sizes:
        size_key(size)
    order = config.over(settings)
    require_search(book, config.sizes, order, zones)
    rows = Preparation.of(order, zones).rows(book)
    return order, rows, cube_of(rows, zones, book)


def zone_rows(
    book: StoredBook, config: ZoneConfig, settings: SearchSettings, zones: ZoneSettings
) -> pl.DataFrame:
    """Rows of ``zone_portfolios``: the best portfolio of each zone by the daily formulas.

    Args:
        book: As in :func:`require_zones`, like all others.
        config: What this run asks for.
        settings: What it leaves out.
        zones: Where zones come from.

    Raises:
        PlatformError: As :func:`require_zones`.
    """
    order, rows, cube = require_zones(book, config, settings, zones)
    measure = Measure.of(order, book)
    judge = measure.fitness
    searcher = algorithm(config.algorithm, order.form, **order.parameters.get(config.algorithm, {}))

    def search(problem: ZoneProblem) -> Members:
        found = run_search(
            searcher,
            SearchProblem(judge.over(problem.returns.pnl), problem.size),
            Budget(order.evaluations, order.patience),
            # the zone is part of a search's name, so that zones are not searched by the same chance
            seed_of(order.seed, (f"{config.algorithm}/{problem.zone}", order.form, problem.size)),
        )
        return found.members

    found = optimised_zones(cube, search, sizes=config.sizes, fitness=judge)
    names = found.portfolios["zone"].to_list()
    correlation = [
        json.dumps({name: float(rho) for name, rho in zip(names, row, strict=True)})
        for row in np.asarray(found.correlation)
    ]
    told = measure.columns()
    return found.portfolios.with_columns(
        pl.when(pl.col("profit_factor").is_finite()).then("profit_factor"),
        algorithm=pl.lit(config.algorithm),
        correlation=pl.Series(correlation, dtype=pl.String),
        members=pl.Series([json.dumps(row) for row in found.portfolios["members"].to_list()]),
        seed=pl.lit(order.seed),
        evaluations=pl.lit(order.evaluations),
        **{
            name: pl.lit(told[name])
            for name in ("metric", "correlation_weight", "drawdown_threshold")
        },
        preparation=pl.lit(Preparation.of(order, zones).text()),
        first_date=pl.lit(rows.returns.dates[0].item()),
        last_date=pl.lit(rows.returns.dates[-1].item()),
        data_key=pl.lit(data_key(book)),
    )
