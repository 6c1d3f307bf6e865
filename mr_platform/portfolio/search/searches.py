"""Many searches from one root seed, in this process or in several.

The source of chance of a search depends on the root, its algorithm, form and size alone: which
other searches run beside it, in what order and on how many processes is of no account.

Here: naming searches, seeding them, running them.
Not here: one search (``engine``), the algorithms.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mr_platform.portfolio.array_evaluation import ArrayEvaluator
from mr_platform.portfolio.correlation import Members
from mr_platform.portfolio.fitness import Balance, LegacyFitness, PortfolioEvaluator
from mr_platform.portfolio.returns import Matrix, PortfolioError
from mr_platform.portfolio.search.algorithms import algorithm
from mr_platform.portfolio.search.engine import (
    Budget,
    Checkpoint,
    Form,
    SearchResult,
    run_search,
)
from mr_platform.portfolio.search.problem import SearchProblem

SearchName = tuple[str, str, int]
"""Algorithm, form, size."""


@dataclass(frozen=True)
class Search:
    """One search to run.

    Attributes:
        algorithm: Name of the algorithm.
        size: Members of a portfolio.
        form: ``improved`` or ``legacy``.
        parameters: Those of the algorithm; what is not named has its default.
    """

    algorithm: str
    size: int
    form: Form = "improved"
    parameters: Mapping[str, float | str | None] = field(default_factory=dict)

    @property
    def name(self) -> SearchName:
        """Algorithm, form and size, which tell it from the others."""
        return self.algorithm, self.form, self.size


@dataclass(frozen=True, eq=False)
class _Work:
    """What a process needs, sent to it once."""

    pnl: Matrix
    metric: str
    drawdown_threshold: float
    correlation_weight: float
    desired: dict[str, int] | None
    penalty_factor: float
    sources: tuple[str, ...] | None
    candidates: Members | None
    budget: Budget
    root: int


def seed_of(root: int, name: SearchName) -> np.random.SeedSequence:
    """Where a search's chance comes from: the root and its name, nothing else.

    Args:
        root: Not negative.
        name: Algorithm, form and size.

    Raises:
        PortfolioError: A negative root.
    """
    if root < 0:
        raise PortfolioError(f"the root seed is {root}; give a whole number from 0 up")
    told = "/".join(map(str, name)).encode()
    words = np.frombuffer(hashlib.blake2b(told, digest_size=16).digest(), dtype="<u4")
    return np.random.SeedSequence([root, *(int(word) for word in words)])


def run_searches(
    evaluator: PortfolioEvaluator,
    searches: Sequence[Search],
    budget: Budget,
    root: int,
    *,
    candidates: Members | None = None,
    checkpoints: Mapping[SearchName, Checkpoint] | None = None,
    workers: int = 1,
    on_result: Callable[[SearchResult], None] | None = None,
    keep: Callable[[SearchName, Checkpoint], None] | None = None,
    keep_seconds: float = 10.0,
) -> tuple[SearchResult, ...]:
    """Run searches; the same root gives the same results on any number of workers.

    Args:
        evaluator: Takes the fitness.
        searches: What to run, each name once.
        budget: Of each search.
        root: Seed of all, not negative.
        candidates: Strategies to choose from; None are all.
        checkpoints: Where searches go on from, by name; the others begin. One of another search
            (other returns, parameters or root) is passed over.
        workers: Processes; 1 is this one. Each other process gets the returns once. Batches that
            are judged on a device (``ArrayEvaluator``) are judged from this process alone.
        on_result: Called with each result, in the order of the searches.
        keep: Called in this process with the state of each running search, now and then.
        keep_seconds: Time between two such states.

    Returns:
        The results in the order of the searches.

    Raises:
        PortfolioError: A search that stands twice or is not possible, fewer than one worker.
    """
    if workers < 1:
        raise PortfolioError(f"{workers} workers run nothing; give 1 or more")
    names = [one.name for one in searches]
    for name in names:
        if names.count(name) > 1:
            raise PortfolioError(f"the search {'/'.join(map(str, name))} stands more than once")
        seed_of(root, name)
    for one in searches:  # refuse what is not possible before anything has run
        algorithm(one.algorithm, one.form, **one.parameters)
        SearchProblem(evaluator, one.size, candidates)
    known = checkpoints or {}
    seconds = None if keep is None else keep_seconds
    jobs = [_Stretch(one, known.get(one.name), seconds) for one in searches]
    results = []
    place = evaluator, candidates, budget, root
    # a device is driven by one process: others would judge on the processor
    many = 1 if isinstance(evaluator, ArrayEvaluator) else min(workers, len(jobs))
    ended = _here(*place, jobs, keep) if many <= 1 else _elsewhere(*place, jobs, keep, many)
    for result in ended:
        if on_result is not None:
            on_result(result)
        results.append(result)
    return tuple(results)


@dataclass(frozen=True, eq=False)
class _Stretch:
    """Some time of one search.

    Attributes:
        search: The search.
        checkpoint: Where it goes on from.
        seconds: After how long it stops to be kept; None runs to the end.
    """

    search: Search
    checkpoint: Checkpoint | None
    seconds: float | None

    def next(self, result: SearchResult) -> _Stretch:
        return replace(self, checkpoint=result.checkpoint)


def _here(
    evaluator: PortfolioEvaluator,
    candidates: Members | None,
    budget: Budget,
    root: int,
    jobs: Sequence[_Stretch],
    keep: Callable[[SearchName, Checkpoint], None] | None,
) -> Iterator[SearchResult]:
    for job in jobs:
        stretch = job
        while (result := _run(evaluator, candidates, budget, root, stretch)).stopped == "asked":
            if keep is not None:
                keep(job.search.name, result.checkpoint)
            stretch = stretch.next(result)
        yield result


def _elsewhere(
    evaluator: PortfolioEvaluator,
    candidates: Members | None,
    budget: Budget,
    root: int,
    jobs: Sequence[_Stretch],
    keep: Callable[[SearchName, Checkpoint], None] | None,
    workers: int,
) -> Iterator[SearchResult]:
    """Results in the order of the jobs, worked out in processes that hold the returns."""
    settings = evaluator.settings
    balance = settings.balance
    work = _Work(
        evaluator.strategies.T,
        settings.metric,
        settings.drawdown_threshold,
        settings.correlation_weight,
        None if balance is None else dict(balance.desired),
        0.0 if balance is None else balance.penalty_factor,
        _sources(evaluator),
        candidates,
        budget,
        root,
    )
    # fresh processes: threads of this one (of a matrix product, of a server) survive no fork
    context = multiprocessing.get_context("spawn")
    results: dict[int, SearchResult] = {}
    following = 0
    with ProcessPoolExecutor(workers, context, _prepare, (work,)) as pool:
        running = {pool.submit(_run_there, job): (at, job) for at, job in enumerate(jobs)}
        try:
            while running:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    at, job = running.pop(future)
                    result = future.result()
                    if result.stopped == "asked":
                        if keep is not None:
                            keep(job.search.name, result.checkpoint)
                        stretch = job.next(result)
                        running[pool.submit(_run_there, stretch)] = at, stretch
                    else:
                        results[at] = result
                while following in results:
                    yield results[following]
                    following += 1
        finally:
            # where this is left early, what waits is not begun
            pool.shutdown(wait=True, cancel_futures=True)


def _run(
    evaluator: PortfolioEvaluator,
    candidates: Members | None,
    budget: Budget,
    root: int,
    stretch: _Stretch,
) -> SearchResult:
    search = stretch.search
    end = None if stretch.seconds is None else time.monotonic() + stretch.seconds

    def go_on_from(checkpoint: Checkpoint | None) -> SearchResult:
        return run_search(
            algorithm(search.algorithm, search.form, **search.parameters),
            SearchProblem(evaluator, search.size, candidates),
            budget,
            seed_of(root, search.name),
            checkpoint=checkpoint,
            should_stop=None if end is None else lambda: time.monotonic() >= end,
        )

    try:
        return go_on_from(stretch.checkpoint)
    except PortfolioError:
        if stretch.checkpoint is None:
            raise
        return go_on_from(None)  # the checkpoint was of another search


def _sources(evaluator: PortfolioEvaluator) -> tuple[str, ...] | None:
    """Files of the strategies; those that balanced mode does not name under one other name."""
    balance = evaluator.settings.balance
    if balance is None or evaluator.source_numbers is None:
        return None
    named = list(balance.desired)
    other = "".join(named) + " and others"
    return tuple(other if number < 0 else named[number] for number in evaluator.source_numbers)


_THERE: dict[str, Any] = {}


def _prepare(work: _Work) -> None:
    balance = None if work.desired is None else Balance(work.desired, work.penalty_factor)
    settings = LegacyFitness(work.metric, work.drawdown_threshold, work.correlation_weight, balance)
    _THERE["evaluator"] = settings.over(work.pnl, work.sources)
    _THERE["work"] = work


def _run_there(stretch: _Stretch) -> SearchResult:
    work: _Work = _THERE["work"]
    return _run(_THERE["evaluator"], work.candidates, work.budget, work.root, stretch)
