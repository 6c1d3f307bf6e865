"""Portfolios of the zones of a book, each zone searched alone.

Here: a stored book → rows of ``zone_portfolios``.
Not here: zones and their search problems (``portfolio``), storing (``strategy_books.py``).
"""

from __future__ import annotations

import json

import dagster as dg
import numpy as np
import polars as pl
from pydantic import Field

from mr_platform.config.settings import SearchSettings, ZoneSettings
from mr_platform.orchestration.book_preparation import Preparation, cube_of
from mr_platform.orchestration.strategy_books import StoredBook
from mr_platform.portfolio.correlation import Members
from mr_platform.portfolio.fitness import LegacyFitness
from mr_platform.portfolio.search.algorithms import algorithm
from mr_platform.portfolio.search.engine import Budget, run_search
from mr_platform.portfolio.search.problem import SearchProblem
from mr_platform.portfolio.search.searches import seed_of
from mr_platform.portfolio.zone_search import SIZES, ZoneProblem, optimised_zones

ZONE_ALGORITHM = "hill_climbing"
"""Searches the zones where a run does not say otherwise."""


class ZoneConfig(dg.Config):
    """What a run of ``zone_portfolios`` may ask for; what is left out comes from the settings.

    Attributes:
        algorithm: Name of the algorithm.
        sizes: Members of the portfolios; the best size of each zone is kept.
        evaluations: Portfolios that each search may judge.
        seed: Root of all chance.
    """

    algorithm: str = ZONE_ALGORITHM
    sizes: list[int] = Field(default_factory=lambda: list(SIZES))
    evaluations: int | None = None
    seed: int | None = None


def zone_rows(
    book: StoredBook, config: ZoneConfig, settings: SearchSettings, zones: ZoneSettings
) -> pl.DataFrame:
    """Rows of ``zone_portfolios``: the best portfolio of each zone by the daily formulas.

    Args:
        book: A book whose rows have zones, or start times where zones are windows.
        config: What this run asks for.
        settings: Metric, price of correlation and rules of regimes.
        zones: Where zones come from.

    Raises:
        PortfolioError: No zones, sizes or an algorithm that cannot be.
    """
    rules = Preparation(tuple(settings.row_rules))
    weights = rules.weights(book)
    labels = book.rows if weights is None else book.rows.filter(pl.Series(weights.mask))
    cube = cube_of(rules.returns(book), labels, zones)
    judge = LegacyFitness(settings.metric, settings.drawdown_threshold, settings.correlation_weight)
    searcher = algorithm(config.algorithm)
    evaluations = config.evaluations or settings.evaluations
    seed = settings.seed if config.seed is None else config.seed

    def search(problem: ZoneProblem) -> Members:
        found = run_search(
            searcher,
            SearchProblem(judge.over(problem.returns.pnl), problem.size),
            Budget(evaluations, settings.patience),
            # the zone is part of a search's name, so that zones are not searched by the same chance
            seed_of(seed, (f"{config.algorithm}/{problem.zone}", "improved", problem.size)),
        )
        return found.members

    found = optimised_zones(cube, search, sizes=config.sizes, fitness=judge)
    names = found.portfolios["zone"].to_list()
    correlation = [
        json.dumps({name: float(rho) for name, rho in zip(names, row, strict=True)})
        for row in np.asarray(found.correlation)
    ]
    return found.portfolios.with_columns(
        pl.when(pl.col("profit_factor").is_finite()).then("profit_factor"),
        algorithm=pl.lit(config.algorithm),
        correlation=pl.Series(correlation, dtype=pl.String),
        members=pl.Series([json.dumps(row) for row in found.portfolios["members"].to_list()]),
        seed=pl.lit(seed),
        evaluations=pl.lit(evaluations),
    )
