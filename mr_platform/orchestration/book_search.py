"""Searching a book for portfolios, and the best of what was found.

Here: what a run asks for, searches with checkpoints, their results as rows of tables.
Not here: algorithms and fitness (``portfolio``), storing (``strategy_books.py``).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
from pydantic import Field, ValidationError

from mr_platform.config.settings import SearchSettings, ZoneSettings
from mr_platform.errors import PlatformError
from mr_platform.gateways.array_engine import device_faults, open_arrays
from mr_platform.gateways.search_checkpoints import SearchCheckpoints
from mr_platform.orchestration.book_figures import standard_figures
from mr_platform.orchestration.book_measure import Measure
from mr_platform.orchestration.book_partitions import SMALLEST_SIZE
from mr_platform.orchestration.book_preparation import REGIME_RULE, Preparation
from mr_platform.orchestration.strategy_books import StoredBook
from mr_platform.portfolio import legacy_metrics
from mr_platform.portfolio.correlation_tiles import content_key
from mr_platform.portfolio.fitness import Evaluation
from mr_platform.portfolio.returns import PortfolioError, StrategyReturns
from mr_platform.portfolio.search.algorithms import ALGORITHMS, algorithm
from mr_platform.portfolio.search.asked_parameters import NONE, asked_parameters
from mr_platform.portfolio.search.engine import Budget, Checkpoint, SearchResult
from mr_platform.portfolio.search.parameters import values_of
from mr_platform.portfolio.search.searches import Search, SearchName, run_searches
from mr_platform.portfolio.series_facts import FactSettings
from mr_platform.portfolio.strategy_metrics import portfolio_metrics

KEY_LENGTH = 16
"""Hex digits of a data key that are stored: enough to tell contents apart."""


class SearchConfig(dg.Config):
    """What a run of ``search_portfolios`` may ask for; what is left out comes from the settings.

    Attributes:
        algorithms: Names of algorithms; empty takes those of the settings.
        form: ``improved``, or ``legacy`` for the semantics of the record.
        parameters: Parameters by algorithm, each over that of the settings; ``none`` for no value
            where a parameter may have none.
        evaluations: Portfolios that each algorithm may judge.
        patience: Evaluations without a better portfolio after which a search stops; 0 never.
        seed: Root of all chance.
        metric: What the fitness measures.
        correlation_weight: Price of a mean correlation of 1.
        drawdown_threshold: Below this drawdown the price is halved.
        balance: Balanced mode: ``desired`` members by source file, and ``penalty_factor``; what is
            left out comes from the settings, no file switches it off.
        holdout: Share of the last dates that the searches do not see.
        inversion: Whether losing strategies are inverted first.
        row_rules: Rules of regimes by which rows are left out or weighted; ``none`` alone for no
            rule, whatever the settings say.
        regime_multipliers: Multipliers by family of regimes in place of the declared ones, each
            over that of the settings.
        zone_mode: ``rows``, or ``collapsed`` to add the zones of a day up.
        engine: ``cpu``, or ``gpu`` to judge batches of portfolios on a device.
        workers: Processes that search side by side.
    """

    algorithms: list[str] = Field(default_factory=list)
    form: str | None = None
    parameters: dict[str, dict[str, Any]] = Field(default_factory=dict)
    evaluations: int | None = None
    patience: int | None = None
    seed: int | None = None
    metric: str | None = None
    correlation_weight: float | None = None
    drawdown_threshold: float | None = None
    balance: dict[str, Any] | None = None
    holdout: float | None = None
    inversion: bool | None = None
    row_rules: list[str] = Field(default_factory=list)
    regime_multipliers: dict[str, float] = Field(default_factory=dict)
    zone_mode: str | None = None
    engine: str | None = None
    workers: int | None = None

    def over(self, settings: SearchSettings) -> SearchSettings:
        """The settings with what this run asks for in their place.

        Where the legacy form is asked for and no algorithm is named, those of the settings that
        have no such form are left out. Parameters and multipliers are put together one by one; of
        parameters only those of the algorithms that are searched with are left.

        Raises:
            PlatformError: A value that cannot be, a name that is not known, a parameter that
                nothing of this run would use.
        """
        asked = {
            name: value for name, value in self.model_dump().items() if value not in (None, [], {})
        }
        if asked.get("patience") == 0:
            asked["patience"] = None
        if asked.get("form") == "legacy" and "algorithms" not in asked:
            modern = [name for name, forms in ALGORITHMS.items() if forms.legacy is None]
            asked["algorithms"] = [name for name in settings.algorithms if name not in modern]
        asked |= self._balance(settings) | self._rules(settings)
        run = asked.pop("parameters", {})
        order = _settings({**settings.model_dump(), **asked, "parameters": run})
        if self.regime_multipliers and REGIME_RULE not in order.row_rules:
            raise PlatformError(
                "multipliers of regimes are asked for, but not the rule that uses them",
                place="search",
                next_step=f"Add the rule {REGIME_RULE}, or leave the multipliers out",
                misused=True,
            )
        chosen = asked_parameters(
            settings.parameters, order.parameters, order.algorithms, order.form
        )
        return order.model_copy(update={"parameters": chosen})

    def _rules(self, settings: SearchSettings) -> dict[str, Any]:
        """Rules and multipliers of regimes over those of the settings, as far as they are asked."""
        asked: dict[str, Any] = {}
        if self.regime_multipliers:
            asked["regime_multipliers"] = settings.regime_multipliers | self.regime_multipliers
        if self.row_rules == [NONE]:
            asked["row_rules"] = ()
        elif NONE in self.row_rules:
            others = ", ".join(rule for rule in self.row_rules if rule != NONE)
            raise PlatformError(
                f"{NONE} is asked for beside rules: {others}",
                place="search",
                next_step=f"Name the rules, or {NONE} alone to switch those of the settings off",
                misused=True,
            )
        return asked

    def _balance(self, settings: SearchSettings) -> dict[str, Any]:
        """Balanced mode over that of the settings; nothing where this run does not speak of it."""
        if self.balance is None:
            return {}
        if self.balance.get("desired") == {}:
            return {"balance": None}
        before = {} if settings.balance is None else settings.balance.model_dump()
        both = {**before, **self.balance}
        if "desired" not in both:
            raise PlatformError(
                "a price of balanced mode is asked for, but no counts of files",
                place="search",
                next_step="Say how many members each file should give, such as july.csv=20",
                misused=True,
            )
        return {"balance": both}


def _settings(told: dict[str, Any]) -> SearchSettings:
    try:
        return SearchSettings.model_validate(told)
    except ValidationError as refused:
        faults = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in refused.errors()]
        raise PlatformError(
            "; ".join(faults),
            place="search",
            next_step="Correct what is named here",
            misused=True,
        ) from refused


@dataclass(frozen=True, eq=False)
class SearchOutcome:
    """What the searches of one book and size found.

    Attributes:
        order: What was asked.
        measure: What portfolios were judged by.
        preparation: What was done to the book's rows first.
        size: Members of a portfolio.
        returns: The returns that were searched.
        results: One for each algorithm, in the order asked.
        data_key: Content of the book's returns.
        resumed: Algorithms that went on from a checkpoint.
        seconds: Wall time.
        engine: Where batches were judged: its name, and that of the device.
        searched_at: When, as ISO text; empty where nobody said.
        checkpoints: Names of its checkpoints, to be removed once the results are stored.
        notes: What a reader should know of the preparation.
    """

    order: SearchSettings
    measure: Measure
    preparation: Preparation
    size: int
    returns: StrategyReturns
    results: tuple[SearchResult, ...]
    data_key: str
    resumed: tuple[str, ...]
    seconds: float
    engine: Mapping[str, str]
    searched_at: str = ""
    checkpoints: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def rows(self, book: StoredBook) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Rows of ``portfolios`` and of ``portfolio_members``.

        Figures are of the rows alone, without a capital or a risk-free rate, so that those of
        searches under different settings can be compared.
        """
        members = np.stack([result.members for result in self.results])
        judged = self.measure.over(book, self.returns).evaluate(members)
        figures = portfolio_metrics(self.returns, members)
        found = pl.DataFrame(
            [self._row(result, number, judged) for number, result in enumerate(self.results)]
        )
        told = figures.select(
            "win_rate",
            pl.when(pl.col("profit_factor").is_finite()).then("profit_factor"),
            "expectancy",
            legacy_annual_return="annual_return",
            legacy_sharpe=pl.when(pl.col("sharpe").is_finite()).then("sharpe"),
            legacy_sortino=pl.when(pl.col("sortino").is_finite()).then("sortino"),
            **standard_figures(
                legacy_metrics.portfolio_series(
                    legacy_metrics.by_strategy(self.returns.pnl), np.sort(members, axis=1)
                ),
                self.returns.dates,
                FactSettings.of_book(book.pnl_unit),
            ),
        )
        listed = pl.concat([self._members(result, book) for result in self.results])
        return found.hstack(told), listed

    def metadata(self) -> dict[str, Any]:
        """What a materialisation tells beside the rows."""
        best = max(self.results, key=lambda result: result.fitness)
        evaluations = sum(result.evaluations for result in self.results)
        return {
            "rows": self.returns.rows,
            "strategies": self.returns.strategies,
            "best_algorithm": best.algorithm,
            "best_fitness": best.fitness,
            "evaluations": evaluations,
            "evaluations_a_second": round(evaluations / max(self.seconds, 1e-9)),
            "resumed": ", ".join(self.resumed) or "none",
            "seconds": round(self.seconds, 3),
            **self.engine,
            "search": dg.MetadataValue.json(self.order.model_dump(mode="json")),
            **({"notes": "; ".join(self.notes)} if self.notes else {}),
        }

    def _row(self, result: SearchResult, number: int, judged: Evaluation) -> dict[str, Any]:
        return {
            "size": self.size,
            "algorithm": result.algorithm,
            "form": result.form,
            "fitness": result.fitness,
            **self.measure.columns(),
            "evaluations": result.evaluations,
            "budget": self.order.evaluations,
            "stopped": result.stopped,
            "seed": self.order.seed,
            "parameters": json.dumps(result.checkpoint.key["parameters"]),
            "preparation": self.preparation.text(),
            "roi": float(judged.roi[number]),
            "max_drawdown": float(judged.drawdown[number]),
            "ratio": float(legacy_metrics.ratio(judged.roi, judged.drawdown)[number]),
            "correlation": (
                None if judged.correlation is None else float(judged.correlation[number])
            ),
            "convergence": json.dumps([list(point) for point in result.convergence]),
            "data_key": self.data_key,
            "searched_at": self.searched_at,
        }

    def _members(self, result: SearchResult, book: StoredBook) -> pl.DataFrame:
        names = [self.returns.names[column] for column in result.members]
        numbers = book.numbers(self.returns)
        return pl.DataFrame(
            {
                "size": [self.size] * len(names),
                "algorithm": [result.algorithm] * len(names),
                "form": [result.form] * len(names),
                "place": list(range(1, len(names) + 1)),
                "strategy_id": [numbers[column] for column in result.members],
                "name": names,
            }
        )


def data_key(book: StoredBook) -> str:
    """Content of a book: its returns, names and what its rows say of themselves."""
    content = content_key(book.returns.pnl, book.returns.names)
    labels = book.rows.drop("source_file").write_csv()
    return hashlib.sha256(f"{content}\n{labels}".encode()).hexdigest()[:KEY_LENGTH]


def search_book(
    book: StoredBook,
    size: int,
    order: SearchSettings,
    checkpoints: SearchCheckpoints,
    told: Callable[[str], object],
    zones: ZoneSettings | None = None,
    at: dt.datetime | None = None,
) -> SearchOutcome:
    """Search one size of a book with every algorithm asked for.

    A search that was broken off goes on from its checkpoint where book, size, seed and settings
    are the same; its result has the same bits as if it had never stopped.

    Args:
        book: The book.
        size: Members of a portfolio.
        order: What is asked.
        checkpoints: Where searches are kept while they run.
        told: Takes a line about each search that ends.
        zones: Zones of the day, where they are collapsed; None takes those of the files.
        at: When it is searched; tells the latest measure from earlier ones.

    Raises:
        PortfolioError: Algorithms, parameters, metric, files or size that cannot be.
        ArrayEngineError: The engine ``gpu`` was asked for and no device answers, or it failed.
    """
    started = time.perf_counter()
    preparation = Preparation.of(order, zones or ZoneSettings())
    returns = preparation.returns(book)
    measure = Measure.of(order, book)
    arrays = open_arrays(order.engine)
    with device_faults(arrays):
        evaluator = measure.over(book, returns, None if order.engine == "cpu" else arrays)
    key = data_key(book)
    searches = _searches(order, size)
    told_apart = f"{key} {measure.columns()} {preparation.text()}"
    files = {one.name: _checkpoint_name(book, one, told_apart, order) for one in searches}
    held = {name: _held(checkpoints, file) for name, file in files.items()}

    def keep(name: SearchName, state: Checkpoint) -> None:
        checkpoints.write(files[name], state.to_bytes())

    def ended(result: SearchResult) -> None:
        # one that has ended is not searched again where a later one is broken off
        keep((result.algorithm, result.form, result.size), result.checkpoint)
        told(
            f"{result.algorithm}, {size} members: fitness {result.fitness:.6g} after "
            f"{result.evaluations:,} evaluations ({result.stopped})"
        )

    with device_faults(arrays):
        results = run_searches(
            evaluator,
            searches,
            Budget(order.evaluations, order.patience),
            order.seed,
            checkpoints={name: state for name, state in held.items() if state is not None},
            workers=order.workers,
            on_result=ended,
            keep=keep,
            keep_seconds=order.checkpoint_seconds,
        )
    return SearchOutcome(
        order=order,
        measure=measure,
        preparation=preparation,
        size=size,
        returns=returns,
        results=results,
        data_key=key,
        resumed=tuple(one.algorithm for one in searches if held[one.name] is not None),
        seconds=time.perf_counter() - started,
        engine=arrays.describe(),
        searched_at="" if at is None else at.isoformat(),
        checkpoints=tuple(files.values()),
        notes=preparation.notes(book),
    )


def require_search(
    book: StoredBook, sizes: Iterable[int], order: SearchSettings, zones: ZoneSettings
) -> None:
    """Refuse a search that cannot be, before any has run.

    Raises:
        PortfolioError: Algorithms, parameters, metric, files or sizes that cannot be.
        ArrayEngineError: The engine ``gpu`` was asked for and no device answers.
    """
    Measure.of(order, book)
    Preparation.of(order, zones).returns(book)
    for one in _searches(order, SMALLEST_SIZE):
        algorithm(one.algorithm, one.form, **one.parameters)
    most = book.returns.strategies
    wrong = [size for size in sizes if size > most]
    if most < SMALLEST_SIZE:
        raise PortfolioError(
            f"the book has {most} strategy, and a portfolio {SMALLEST_SIZE} members at least",
            place=book.book,
            next_step=f"Load further strategies: mr portfolio load FILE --book {book.book}",
        )
    if wrong:
        raise PortfolioError(
            f"the book has {most} strategies, too few for portfolios of "
            f"{', '.join(map(str, wrong))}",
            place=book.book,
            next_step=f"Search sizes up to {most}, such as --sizes {max(SMALLEST_SIZE, most // 2)}",
        )
    open_arrays(order.engine)


def _searches(order: SearchSettings, size: int) -> list[Search]:
    return [
        Search(name, size, order.form, order.parameters.get(name, {}))
        for name in dict.fromkeys(order.algorithms)
    ]


def _checkpoint_name(
    book: StoredBook, search: Search, told_apart: str, order: SearchSettings
) -> str:
    """Name of all that a search depends on: one of another metric is not gone on from."""
    values = values_of(algorithm(search.algorithm, search.form, **search.parameters))
    # some algorithms lay their course by the budget; a device rounds otherwise than the processor
    told = f"{told_apart} {values} {order.evaluations, order.patience} {order.engine}"
    asked = hashlib.sha256(told.encode()).hexdigest()
    parts = (book.book, f"{search.size:03}", search.algorithm, search.form, str(order.seed))
    return "-".join((*parts, asked[:KEY_LENGTH]))


def _held(checkpoints: SearchCheckpoints, name: str) -> Checkpoint | None:
    """A checkpoint that can be gone on from; one that cannot be read is as good as none."""
    try:
        content = checkpoints.read(name)
        return None if content is None else Checkpoint.from_bytes(content)
    except PlatformError:
        return None
