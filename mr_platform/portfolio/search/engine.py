"""One search from its seed to its result: steps of an algorithm within a budget.

Here: the interface of an algorithm, budget, early stop, progress, checkpoint and resume.
Not here: the algorithms, many searches (``searches``).
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Protocol

import numpy as np
import numpy.typing as npt

from mr_platform.portfolio.correlation import Members
from mr_platform.portfolio.returns import PortfolioError
from mr_platform.portfolio.search.parameters import values_of
from mr_platform.portfolio.search.problem import SearchProblem

Form = Literal["legacy", "improved"]
Stopped = Literal["budget", "patience", "target", "finished", "asked"]
State = Mapping[str, npt.NDArray[Any]]
Convergence = tuple[tuple[int, float], ...]

MOST_POINTS: Final = 200
"""Points of a convergence curve that are kept."""

_LAYOUT = 1


@dataclass(frozen=True, eq=False)
class Step:
    """What an algorithm did in one step.

    Attributes:
        state: All that the algorithm knows, arrays only (a number is an array without axes).
        evaluated: Portfolios judged in this step; a swap judged is one.
        members: Shape (k,), the best portfolio seen in this step.
        fitness: Its fitness, from ``SearchProblem.fitness``.
        finished: Whether there is nothing left to do.
    """

    state: State
    evaluated: int
    members: Members
    fitness: float
    finished: bool = False


class Algorithm(Protocol):
    """A search algorithm: a frozen dataclass of parameters, without memory of its own."""

    @property
    def name(self) -> str:
        """Name under which it is listed."""

    @property
    def form(self) -> Form:
        """Semantics of the record, or the improved ones."""

    def begin(self, problem: SearchProblem, rng: np.random.Generator, left: int) -> Step:
        """First step: draw and judge the start, at most ``left`` (at least 1) portfolios."""

    def step(
        self, problem: SearchProblem, state: State, rng: np.random.Generator, left: int
    ) -> Step:
        """Next step from the state of the one before; ``state`` is not written to."""


@dataclass(frozen=True)
class Budget:
    """When a search ends.

    Attributes:
        evaluations: Most portfolios judged.
        patience: Evaluations without a better portfolio before stopping early; None waits.
        target: Fitness that is enough; None wants ever more.

    Raises:
        PortfolioError: Fewer than one evaluation or patience, a target that is not a number.
    """

    evaluations: int
    patience: int | None = None
    target: float | None = None

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.evaluations < 1:
            raise PortfolioError(f"a budget of {self.evaluations} evaluations judges nothing")
        if self.patience is not None and self.patience < 1:
            raise PortfolioError(f"patience is {self.patience} evaluations; give 1 or more")
        if self.target is not None and math.isnan(self.target):
            raise PortfolioError("the target is not a number")


@dataclass(frozen=True)
class Progress:
    """Where a search stands after a step.

    Attributes:
        algorithm: Name of the algorithm.
        form: Its form.
        size: Members of a portfolio.
        evaluations: Portfolios judged so far.
        budget: Most portfolios judged.
        fitness: Best so far.
    """

    algorithm: str
    form: Form
    size: int
    evaluations: int
    budget: int
    fitness: float


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A search at the end of a step: continuing from here gives the same bits as never stopping.

    Attributes:
        key: Algorithm, form, parameters, size, data and seed that it belongs to.
        state: The algorithm's arrays.
        generator: State of the source of chance.
        evaluations: Portfolios judged.
        improved_at: Evaluations when the best was found.
        members: Shape (k,), best candidates so far.
        fitness: Their fitness.
        convergence: Evaluations and best fitness at improvements.
        finished: Whether the algorithm had nothing left to do.
    """

    key: Mapping[str, Any]
    state: State
    generator: Mapping[str, Any]
    evaluations: int
    improved_at: int
    members: Members
    fitness: float
    convergence: Convergence
    finished: bool

    def to_bytes(self) -> bytes:
        """All of it as bytes: arrays without pickle, everything else as JSON."""
        told = {
            "layout": _LAYOUT,
            "key": self.key,
            "generator": self.generator,
            "evaluations": self.evaluations,
            "improved_at": self.improved_at,
            "finished": self.finished,
        }
        arrays: dict[str, npt.NDArray[Any]] = {
            f"state/{name}": values for name, values in self.state.items()
        }
        arrays["members"] = self.members
        arrays["fitness"] = np.asarray(self.fitness)
        arrays["convergence"] = np.array(self.convergence, dtype=np.float64).reshape(-1, 2)
        arrays["told"] = np.frombuffer(json.dumps(told).encode(), dtype=np.uint8)
        file = io.BytesIO()
        np.savez(file, allow_pickle=False, **arrays)
        return file.getvalue()

    def __reduce__(self) -> tuple[Callable[[bytes], Checkpoint], tuple[bytes]]:
        """Go to another process as bytes: read-only mappings cannot be pickled."""
        return Checkpoint.from_bytes, (self.to_bytes(),)

    @classmethod
    def from_bytes(cls, data: bytes) -> Checkpoint:
        """Read what :meth:`to_bytes` wrote.

        Raises:
            PortfolioError: Bytes that are no checkpoint, or one of another layout.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            told = json.loads(arrays.pop("told").tobytes())
            if told["layout"] != _LAYOUT:
                raise PortfolioError(f"the checkpoint has layout {told['layout']}, not {_LAYOUT}")
            members, fitness = arrays.pop("members"), float(arrays.pop("fitness"))
            curve = arrays.pop("convergence")
            return cls(
                told["key"],
                {name.removeprefix("state/"): a for name, a in arrays.items()},
                told["generator"],
                told["evaluations"],
                told["improved_at"],
                members,
                fitness,
                tuple((int(at), float(best)) for at, best in curve),
                told["finished"],
            )
        except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise PortfolioError(
                "the bytes are not a checkpoint of a search",
                next_step="Start the search anew without it",
            ) from error


@dataclass(frozen=True, eq=False)
class SearchResult:
    """What a search found.

    Attributes:
        algorithm: Name of the algorithm.
        form: Its form.
        size: Members of the portfolio, k.
        members: Shape (k,), int64, ascending columns of the evaluator.
        fitness: Fitness of that portfolio, to the bit that of the evaluator on the processor.
        evaluations: Portfolios judged.
        stopped: Why it ended.
        convergence: Evaluations and best fitness at improvements, at most 200 points.
        seed: Entropy of the source of chance.
        checkpoint: Where it ended; a larger budget can go on from there.
    """

    algorithm: str
    form: Form
    size: int
    members: Members
    fitness: float
    evaluations: int
    stopped: Stopped
    convergence: Convergence
    seed: tuple[int, ...]
    checkpoint: Checkpoint


def run_search(
    algorithm: Algorithm,
    problem: SearchProblem,
    budget: Budget,
    seed: np.random.SeedSequence | int,
    *,
    checkpoint: Checkpoint | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> SearchResult:
    """Run one search until its budget, patience or target is met, or it has nothing left to do.

    The same algorithm, problem, budget and seed give the same bits. Where every candidate must be
    a member there is one portfolio: it is judged once, whatever the algorithm.

    Args:
        algorithm: What searches.
        problem: What is searched.
        budget: When it ends.
        seed: Where chance comes from.
        checkpoint: Go on from here, with the same algorithm, problem and seed; the budget counts
            from the first start and may be another.
        on_progress: Called after each step.
        should_stop: Asked after each step; True ends the search with stopped ``asked``.

    Raises:
        PortfolioError: A checkpoint of another search; an algorithm that breaks its contract.
    """
    sequence = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    key = _key(algorithm, problem, sequence)
    rng = np.random.Generator(np.random.PCG64(sequence))
    now = checkpoint
    if now is not None:
        _refuse_another(now.key, key)
        rng.bit_generator.state = now.generator
    while (stopped := _why_stop(now, budget)) is None:
        now = _advanced(algorithm, problem, rng, budget.evaluations, now, key)
        if on_progress is not None:
            on_progress(
                Progress(
                    algorithm.name,
                    algorithm.form,
                    problem.size,
                    now.evaluations,
                    budget.evaluations,
                    now.fitness,
                )
            )
        if _why_stop(now, budget) is None and should_stop is not None and should_stop():
            stopped = "asked"
            break
    if now is None:
        raise PortfolioError("the search has not begun")
    members = np.sort(problem.columns(now.members))
    fitness = problem.evaluator.evaluate_on_host(members[np.newaxis]).fitness
    return SearchResult(
        algorithm.name,
        algorithm.form,
        problem.size,
        members,
        float(fitness[0]),
        now.evaluations,
        stopped,
        now.convergence,
        tuple(key["seed"]),
        now,
    )


def _advanced(
    algorithm: Algorithm,
    problem: SearchProblem,
    rng: np.random.Generator,
    most: int,
    before: Checkpoint | None,
    key: Mapping[str, Any],
) -> Checkpoint:
    left = most - (before.evaluations if before is not None else 0)
    if problem.size == problem.strategies:
        members = np.arange(problem.size)
        step = Step({}, 1, members, float(problem.fitness(members[np.newaxis])[0]), finished=True)
    elif before is None:
        step = algorithm.begin(problem, rng, left)
    else:
        step = algorithm.step(problem, before.state, rng, left)
    if not 0 <= step.evaluated <= left or not (step.evaluated or step.finished):
        raise PortfolioError(
            f"{algorithm.name} judged {step.evaluated} portfolios in a step of at most {left}"
        )
    return _noted(step, rng, before, key)


def _noted(
    step: Step,
    rng: np.random.Generator,
    before: Checkpoint | None,
    key: Mapping[str, Any],
) -> Checkpoint:
    """The search after a step; only a strictly better portfolio replaces the best."""
    state = {name: np.asarray(values) for name, values in step.state.items()}
    generator = dict(rng.bit_generator.state)
    if before is None or step.fitness > before.fitness:
        evaluations = step.evaluated + (before.evaluations if before is not None else 0)
        curve = (before.convergence if before is not None else ()) + (
            (evaluations, float(step.fitness)),
        )
        return Checkpoint(
            key,
            state,
            generator,
            evaluations,
            evaluations,
            np.sort(step.members).astype(np.int64),
            float(step.fitness),
            _thinned(curve),
            step.finished,
        )
    return replace(
        before,
        state=state,
        generator=generator,
        evaluations=before.evaluations + step.evaluated,
        finished=step.finished,
    )


def _thinned(curve: Convergence) -> Convergence:
    """Every second point where there are too many, always with the first and the last."""
    return curve if len(curve) <= MOST_POINTS else (*curve[:-1:2], curve[-1])


def _why_stop(now: Checkpoint | None, budget: Budget) -> Stopped | None:
    if now is None:
        return None
    if budget.target is not None and now.fitness >= budget.target:
        return "target"
    if now.finished:
        return "finished"
    if now.evaluations >= budget.evaluations:
        return "budget"
    if budget.patience is not None and now.evaluations - now.improved_at >= budget.patience:
        return "patience"
    return None


def _key(
    algorithm: Algorithm, problem: SearchProblem, seed: np.random.SeedSequence
) -> dict[str, Any]:
    entropy = seed.entropy if seed.entropy is not None else 0
    words = [entropy] if isinstance(entropy, int) else list(entropy)
    return {
        "algorithm": algorithm.name,
        "form": algorithm.form,
        "parameters": values_of(algorithm),
        "size": problem.size,
        "data": problem.key,
        "seed": [int(word) for word in (*words, *seed.spawn_key)],
    }


def _refuse_another(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    for name, value in ours.items():
        if theirs.get(name) != value:
            raise PortfolioError(
                f"the checkpoint belongs to another search: {name} is {theirs.get(name)!r} there "
                f"and {value!r} here",
                next_step="Start the search anew without it",
            )
