"""Portfolios of the zones of a book, each zone searched alone.

Here: a stored book → rows of ``zone_portfolios``.
Not here: zones and their search problems (``portfolio``), storing (``strategy_books.py``).
"""

from __future__ import annotations

import json
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
from pydantic import Field

from mr_platform.config.settings import SearchSettings, ZoneSettings
from mr_platform.orchestration.book_preparation import Preparation, cube_of
from mr_platform.orchestration.book_search import data_key
from mr_platform.orchestration.strategy_books import StoredBook
from mr_platform.portfolio.correlation import Members
from mr_platform.portfolio.fitness import LegacyFitness
from mr_platform.portfolio.search.algorithms import algorithm
from mr_platform.portfolio.search.asked_parameters import asked_parameters
from mr_platform.portfolio.search.engine import Algorithm, Budget, run_search
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
        parameters: Parameters of the algorithm, over those of the settings.
        seed: Root of all chance.
    """

    algorithm: str = ZONE_ALGORITHM
    sizes: list[int] = Field(default_factory=lambda: list(SIZES))
    evaluations: int | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    seed: int | None = None

    def searcher(self, settings: SearchSettings) -> Algorithm:
        """The algorithm, in its improved form, with the parameters of this run and the settings.

        Raises:
            PortfolioError: An algorithm or a parameter that is not known, a value out of bounds.
        """
        name = self.algorithm
        asked = {name: self.parameters} if self.parameters else {}
        given = asked_parameters(settings.parameters, asked, [name], "improved")
        return algorithm(name, "improved", **given.get(name, {}))


def zone_rows(
    book: StoredBook, config: ZoneConfig, settings: SearchSettings, zones: ZoneSettings
) -> pl.DataFrame:
    """Rows of ``zone_portfolios``: the best portfolio of each zone by the daily formulas.

    Args:
        book: A book whose rows have zones, or start times where zones are windows.
        config: What this run asks for.
        settings: Metric, price of correlation, rules of regimes, dates held out, parameters.
        zones: Where zones come from.

    Raises:
        PortfolioError: No zones, sizes, an algorithm or parameters that cannot be.
    """
    # zones stay apart, and what is inverted is decided by whole days
    steps = settings.model_copy(update={"zone_mode": "rows", "inversion": False})
    rows = Preparation.of(steps, zones).rows(book)
    cube = cube_of(rows.returns, rows.labels, zones)
    judge = LegacyFitness(settings.metric, settings.drawdown_threshold, settings.correlation_weight)
    searcher = config.searcher(settings)
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
        data_key=pl.lit(data_key(book)),
    )
