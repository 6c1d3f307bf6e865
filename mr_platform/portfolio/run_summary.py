"""The summary of a legacy run: what was searched, how, and the best that was found.

A run of ours says more than the legacy program does: what found the best, what was done to the rows
first, and which dates were searched. Both programs' summaries are read.

Here: parameters of a run, the text of its summary, written and read back.
Not here: the run's other texts (``run_texts``), its files (``run_folder``).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from mr_platform.portfolio.returns import PortfolioError
from mr_platform.portfolio.run_lines import (
    TIME,
    Lines,
    in_full,
    numbered_members,
    refuse_line_breaks,
)

Span = tuple[dt.date, dt.date]
"""First and last date."""

_TITLE = "Multi-Strategy Portfolio Optimization Results"
_NO_DATE = "none"
_FORM, _PREPARATION = "- Algorithm Form: ", "- Preparation: "


@dataclass(frozen=True)
class RunParameters:
    """Settings of a run, as its summary tells them; the defaults are those of the record.

    The legacy program tells population, mutation and generations of every run, whatever found the
    best portfolio. A run of ours tells them where what found it has them, and its form,
    evaluations and seed, which the legacy program does not know.

    Attributes:
        metric: What portfolios were judged by.
        smallest: Members of the smallest portfolio.
        largest: Members of the largest.
        population: Of the search that found the best; None where it has none.
        mutation_rate: Likewise.
        generations: Likewise.
        inverted: Whether losing strategies were inverted.
        balanced: Whether balanced mode was on.
        penalty_factor: Price of balanced mode; None where it was off.
        form: Form of the search that found the best; None in a run of the legacy program.
        evaluations: Portfolios that it judged; likewise.
        seed: Root of all chance; likewise.
        preparation: What was done to the rows first, on one line; None where the run does not say,
            as one of the legacy program.
        searched: Dates that were searched; None likewise.
        held_out: Dates that were not searched; None where there are none.

    Raises:
        PortfolioError: Only some of form, evaluations and seed, or none of them and not all that
            the legacy program tells; a preparation without the dates searched, or the other way
            round; either of them, or dates held out, where they cannot be told.
    """

    metric: str = "ratio"
    smallest: int = 35
    largest: int = 60
    population: int | None = 30
    mutation_rate: float | None = 0.1
    generations: int | None = 50
    inverted: bool = False
    balanced: bool = False
    penalty_factor: float | None = 1.0
    form: str | None = None
    evaluations: int | None = None
    seed: int | None = None
    preparation: str | None = None
    searched: Span | None = None
    held_out: Span | None = None

    def __post_init__(self) -> None:
        """Check that the text can be told from the other program's."""
        told = [value is not None for value in (self.form, self.evaluations, self.seed)]
        if any(told) and not all(told):
            raise PortfolioError("a run tells form, evaluations and seed, or none of them")
        legacy = (self.population, self.mutation_rate, self.generations, self.penalty_factor)
        if not any(told) and None in legacy:
            raise PortfolioError(
                "a run of the legacy program tells population, mutation, generations and penalty"
            )
        rows = [value is not None for value in (self.preparation, self.searched)]
        if any(rows) and not (all(rows) and any(told)):
            raise PortfolioError(
                "a run of ours tells both what was done to its rows and which dates it searched"
            )
        if self.held_out is not None and self.searched is None:
            raise PortfolioError("a run that holds dates out tells those that it searched")
        refuse_line_breaks([] if self.preparation is None else [self.preparation])


@dataclass(frozen=True)
class RunSummary:
    """What the summary of a run says.

    Attributes:
        run_id: ``YYYYmmdd_HHMMSS``.
        finished: When it was written, to the second.
        parameters: Settings.
        method: Search that found the best portfolio.
        fitness: Its fitness.
        members: Its members.
    """

    run_id: str
    finished: dt.datetime
    parameters: RunParameters
    method: str
    fitness: float
    members: tuple[str, ...]


def summary_text(summary: RunSummary) -> str:
    """``optimization_summary_<id>.txt``."""
    given = summary.parameters
    return "\n".join(
        [
            _TITLE,
            "=" * 43,
            "",
            f"Run ID: {summary.run_id}",
            f"Date: {summary.finished.strftime(TIME)}",
            "",
            "Optimization Parameters:",
            f"- Metric: {given.metric}",
            f"- Min Portfolio Size: {given.smallest}",
            f"- Max Portfolio Size: {given.largest}",
            *_told("Population Size", given.population),
            *_told("Mutation Rate", given.mutation_rate),
            *_told("GA Generations", given.generations),
            *_told("Algorithm Form", given.form),
            *_told("Evaluations", given.evaluations),
            *_told("Seed", given.seed),
            *_rows(given),
            f"- Apply ULTA Logic: {given.inverted}",
            f"- Balanced Mode: {given.balanced}",
            *_told("Penalty Factor", given.penalty_factor),
            "",
            "Best Overall Portfolio:",
            f"- Size: {len(summary.members)}",
            f"- Method: {summary.method}",
            f"- Fitness: {in_full(summary.fitness)}",
            "",
            *numbered_members(summary.members),
        ]
    )


def read_summary(text: str, place: str) -> RunSummary:
    """Read back :func:`summary_text`.

    Raises:
        InputFileError: Lines that are missing or say something else.
    """
    lines = Lines(text, place)
    lines.take(_TITLE, exactly=True)
    lines.take("=" * 43, exactly=True)
    lines.take("", exactly=True)
    run_id = lines.take("Run ID: ")
    finished = lines.instant("Date: ")
    lines.take("", exactly=True)
    lines.take("Optimization Parameters:", exactly=True)
    parameters = _read_parameters(lines)
    lines.take("", exactly=True)
    lines.take("Best Overall Portfolio:", exactly=True)
    size = lines.whole(lines.take("- Size: "))
    method = lines.take("- Method: ")
    fitness = lines.number("- Fitness: ")
    lines.take("", exactly=True)
    return RunSummary(run_id, finished, parameters, method, fitness, lines.members(size))


def _told(name: str, value: float | str | None) -> list[str]:
    """The line of a parameter; none where there is no value."""
    if value is None:
        return []
    return [f"- {name}: {in_full(value) if isinstance(value, float) else value}"]


def _rows(given: RunParameters) -> list[str]:
    """What was done to the rows, and which were searched; no line where nothing is told."""
    if given.preparation is None or given.searched is None:
        return []
    later = _NO_DATE if given.held_out is None else _span(given.held_out)
    return [
        f"{_PREPARATION}{given.preparation}",
        f"- Dates Searched: {_span(given.searched)}",
        f"- Dates Held Out: {later}",
    ]


def _span(dates: Span) -> str:
    return f"{dates[0].isoformat()} to {dates[1].isoformat()}"


def _read_span(text: str, lines: Lines) -> Span:
    first, _, last = text.partition(" to ")
    try:
        return dt.date.fromisoformat(first), dt.date.fromisoformat(last)
    except ValueError as wrong:
        raise lines.fault(f"{text[:40]!r} is no span of dates") from wrong


def _read_parameters(lines: Lines) -> RunParameters:
    ours = lines.holds(_FORM)
    # runs of ours before there were these lines lack all three
    rows = lines.holds(_PREPARATION)

    def optional(name: str) -> str | None:
        """The value of a line that a run of ours need not have."""
        start = f"- {name}: "
        return lines.take(start) if not ours or lines.next_is(start) else None

    def whole(text: str | None) -> int | None:
        return None if text is None else lines.whole(text)

    def number(text: str | None) -> float | None:
        return None if text is None else lines.value(text)

    def span(name: str) -> Span | None:
        text = lines.take(f"- {name}: ")
        return None if text == _NO_DATE else _read_span(text, lines)

    return RunParameters(
        metric=lines.take("- Metric: "),
        smallest=lines.whole(lines.take("- Min Portfolio Size: ")),
        largest=lines.whole(lines.take("- Max Portfolio Size: ")),
        population=whole(optional("Population Size")),
        mutation_rate=number(optional("Mutation Rate")),
        generations=whole(optional("GA Generations")),
        form=lines.take(_FORM) if ours else None,
        evaluations=lines.whole(lines.take("- Evaluations: ")) if ours else None,
        seed=lines.whole(lines.take("- Seed: ")) if ours else None,
        preparation=lines.take(_PREPARATION) if rows else None,
        searched=_read_span(lines.take("- Dates Searched: "), lines) if rows else None,
        held_out=span("Dates Held Out") if rows else None,
        inverted=lines.truth("- Apply ULTA Logic: "),
        balanced=lines.truth("- Balanced Mode: "),
        penalty_factor=number(optional("Penalty Factor")),
    )
