"""Verdicts on the stored tables of a book, read back from the lakehouse.

Here: what each check asks of a book, one answer each, with the reference it compared with.
Not here: Dagster's events (``checks/portfolios.py``), the reference (``parity``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.orchestration.book_freshness import (
    BEST_PORTFOLIO,
    PORTFOLIO_REPORT,
    ZONE_PORTFOLIOS,
    BookAge,
)
from mr_platform.orchestration.book_measure import Measure
from mr_platform.orchestration.book_parity import compare_book, holds_recorded
from mr_platform.orchestration.book_search import data_key
from mr_platform.orchestration.checks.search_verdicts import beats_chance, fitness_errors
from mr_platform.orchestration.checks.verdicts import Judgement
from mr_platform.orchestration.strategy_books import (
    STRATEGY_FILES,
    StoredBook,
    read_book,
    read_part,
)
from mr_platform.parity.legacy_portfolio import (
    TOLERANCE,
    naive_correlation,
    naive_figures,
    relative_error,
)
from mr_platform.parity.portfolio_figures import violations
from mr_platform.portfolio.recorded_figures import FROM_ROWS
from mr_platform.portfolio.returns import Matrix
from mr_platform.registry.strategy_files import load_strategy_files

SAMPLED_STRATEGIES = 500
"""Strategies of a book that the second implementation works out: its loops take a second."""

SAMPLED_PAIRS = 2_000
REFERENCE = "second implementation (parity/legacy_portfolio.py)"

_BLOCK = 4_096
_PAIRED = 45  # strategies of which every pair is looked up: about a thousand pairs
_EDGE = 1e-9  # a pair at the threshold may fall on either side of it
_FEW_ROWS = 30
_SHOWN = 5


@dataclass(frozen=True, eq=False)
class BookFacts:
    """A stored book, read when a check asks for it.

    Attributes:
        lakehouse: Where it is stored.
        name: Its name.
        part: The part that is judged: all, or a size.
        recorded: Folder of recorded legacy figures; None where there is none.
        told: Metadata of the latest materialisation of each judged asset that has one.
    """

    lakehouse: Lakehouse
    name: str
    part: str = "all"
    recorded: Path | None = None
    told: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @cached_property
    def book(self) -> StoredBook:
        """The book as one matrix."""
        return read_book(self.lakehouse, self.name)

    @cached_property
    def age(self) -> BookAge:
        """What was made of the book beside the book as it is."""
        return BookAge(self.lakehouse, self.name)

    @cached_property
    def comparison(self) -> pl.DataFrame | None:
        """Recorded figures beside those of the book; None where there is nothing to compare."""
        if self.recorded is None or not holds_recorded(self.book.returns, self.recorded):
            return None
        return compare_book(self.book.returns, self.recorded)

    def rows(self, table: str) -> pl.DataFrame:
        """Rows of the judged part of a table."""
        return read_part(self.lakehouse, table, self.name, self.part)


@dataclass(frozen=True)
class BookRule:
    """One check of a table of a book.

    Attributes:
        table: The table.
        name: Name in the asset graph.
        description: What must hold.
        severe: True where a failure is an error; else it warns.
        judge: From the facts to whether it holds; None where there is nothing to judge.
    """

    table: str
    name: str
    description: str
    severe: bool
    judge: Callable[[BookFacts], Judgement | None]


def _cells_are_numbers(facts: BookFacts) -> Judgement:
    files = facts.rows(STRATEGY_FILES)
    limits = load_strategy_files().limits
    cells = int((files["rows"] * files["strategies"]).sum())
    missing, unreadable = int(files["missing_cells"].sum()), int(files["unreadable_cells"].sum())
    share = (missing + unreadable) / max(cells, 1)
    first = [fault for told in files["first_faults"] for fault in json.loads(told)][:_SHOWN]
    return Judgement(
        share == 0,
        f"{missing:,} empty and {unreadable:,} unreadable of {cells:,} cells were taken for 0"
        if share
        else f"all {cells:,} cells are numbers",
        {"share": share, "limit": limits.missing_in_all, "first_faults": json.dumps(first)},
    )


def _files_raise_no_doubt(facts: BookFacts) -> Judgement:
    files = facts.rows(STRATEGY_FILES)
    told = [
        f"{file}: {warning}"
        for file, warnings in files.select("file", "warnings").rows()
        for warning in json.loads(warnings)
    ]
    return Judgement(
        not told,
        "; ".join(told[:_SHOWN]) or f"{files.height} files without a warning",
        {"warnings": len(told)},
    )


def _enough_rows(facts: BookFacts) -> Judgement:
    returns = facts.book.returns
    days = int((returns.dates[-1] - returns.dates[0]).astype(int)) + 1
    return Judgement(
        returns.rows >= _FEW_ROWS,
        f"{returns.rows} rows over {days} days"
        + ("" if returns.rows >= _FEW_ROWS else f"; below {_FEW_ROWS} figures say little"),
        {"rows": returns.rows, "days": days, "strategies": returns.strategies},
    )


def _metrics_agree(facts: BookFacts) -> Judgement:
    book, stored = facts.book, facts.rows("strategy_metrics")
    if stored["strategy_id"].to_list() != book.strategies["strategy_id"].to_list():
        return Judgement(False, "the figures are not those of the strategies stored: made before?")
    errors: list[tuple[float, str]] = []
    for place in _spread(book.returns.strategies, SAMPLED_STRATEGIES):
        rows = book.returns.pnl[:, place].tolist()
        reference = asdict(naive_figures(rows))
        # sums of gains and losses that cancel keep the digits of their terms, not of their rest
        floor = 1e-9 * float(np.abs(rows).sum())
        row = stored.row(int(place), named=True)
        errors += [
            (relative_error(row[name], value, floor), f"{row['name']}: {name}")
            for name, value in reference.items()
        ]
    return _agreement(errors, "figures of strategies")


def _correlations_agree(facts: BookFacts) -> Judgement:
    book, summary = facts.book, facts.rows("correlation_summary")
    pairs, near = facts.rows("correlated_pairs"), facts.rows("strategy_neighbours")
    columns = {number: place for place, number in enumerate(book.strategies["strategy_id"])}
    listed = [
        *_sample(pairs.select("first_id", "second_id", "rho"), SAMPLED_PAIRS // 2),
        *_sample(near.select("strategy_id", "neighbour_id", "rho"), SAMPLED_PAIRS // 2),
    ]
    named = {side for first, second, _ in listed for side in (first, second)}
    unknown = sorted(named - columns.keys())
    if unknown:
        return Judgement(False, f"{len(unknown)} numbers are no strategy's, first {unknown[0]}")
    series = {number: book.returns.pnl[:, columns[number]].tolist() for number in named}
    errors = [
        (
            # correlations are compared on their own scale: near 0 a share of them says nothing
            relative_error(rho, naive_correlation(series[first], series[second]), 1.0),
            f"strategies {first} and {second}",
        )
        for first, second, rho in listed
    ]
    whole = book.returns.strategies * (book.returns.strategies - 1) // 2
    if summary["pairs"].to_list() != [whole]:
        return Judgement(
            False, f"the summary is of {summary['pairs'].to_list()} pairs, not {whole}"
        )
    if not whole:
        return Judgement(True, "one strategy has no pair: nothing to compare")
    summed = _mean_correlation(book.returns.pnl)
    for name, ours, reference in (
        ("mean", summary["mean"][0], summed),
        ("pairs of the histogram", sum(json.loads(summary["histogram"][0])), whole),
    ):
        errors.append((relative_error(ours, reference, 1.0), f"the summary's {name}"))
    unlisted = _unlisted(facts, pairs, columns)
    if unlisted is not None:
        return Judgement(False, unlisted)
    return _agreement(errors, "correlations")


def _unlisted(facts: BookFacts, pairs: pl.DataFrame, columns: Mapping[int, int]) -> str | None:
    """A pair of the book above the threshold that is not listed though all such pairs are."""
    summary, pnl = facts.rows("correlation_summary"), facts.book.returns.pnl
    if summary["above"][0] != pairs.height:
        # the strongest alone are kept where there are more than the settings keep
        return None if summary["above"][0] > pairs.height else "more pairs are listed than counted"
    threshold = float(summary["threshold"][0]) + _EDGE
    numbers = {place: number for number, place in columns.items()}
    listed = set(pairs.select("first_id", "second_id").rows())
    places = _spread(pnl.shape[1], _PAIRED).tolist()
    series = {place: pnl[:, place].tolist() for place in places}
    for first, second in combinations(places, 2):
        told = tuple(sorted((numbers[first], numbers[second])))
        if told in listed:
            continue
        if abs(naive_correlation(series[first], series[second])) > threshold:
            return f"strategies {told[0]} and {told[1]} are above the threshold and not listed"
    return None


def _mean_correlation(pnl: Matrix) -> float:
    """Mean over all pairs from the length of the sum of standardised strategies, a block a time."""
    rows, strategies = pnl.shape
    total, varying = np.zeros(rows), 0
    for start in range(0, strategies, _BLOCK):
        block = pnl[:, start : start + _BLOCK]
        block = block[:, block.min(axis=0) < block.max(axis=0)]
        off = block - block.mean(axis=0)
        total += (off / np.sqrt((off**2).sum(axis=0))).sum(axis=1)
        varying += block.shape[1]
    pairs = strategies * (strategies - 1)
    return float((total @ total - varying) / pairs) if pairs else math.nan


def _inversions_agree(facts: BookFacts) -> Judgement:
    returns, stored = facts.book.returns, facts.rows("inversions")
    found = set(stored["strategy"])
    other = []
    for name, column in zip(returns.names, returns.pnl.T, strict=True):
        rows = column.tolist()
        total = math.fsum(rows)
        # a sum of thousands that cancels to nothing has no sign that rounding leaves alone
        if abs(total) > _EDGE * math.fsum(map(abs, rows)) and (total < 0) != (name in found):
            other.append(name)
    foreign = sorted(found - set(returns.names))
    wrong = [*other, *foreign]
    return Judgement(
        not wrong,
        f"{len(found):,} of {returns.strategies:,} strategies lose and are inverted"
        if not wrong
        else f"{len(wrong)} strategies differ, first {wrong[0]}",
        {"inverted": len(found), "reference": REFERENCE},
    )


def _fitness_agrees(facts: BookFacts) -> Judgement:
    stored, members = facts.rows("portfolios"), facts.rows("portfolio_members")
    errors = fitness_errors(facts.book, stored, members)
    if isinstance(errors, Judgement):
        return errors
    return _agreement(errors, "fitnesses of portfolios")


def _portfolios_are_current(facts: BookFacts) -> Judgement:
    stored = facts.rows("portfolios")
    now = data_key(facts.book)
    older = stored.filter(pl.col("data_key") != now).height
    rows = stored.filter(pl.col("data_key") == now).to_dicts()
    # values may stay while strategies come from other files, which balanced mode counts by
    moved = sum(not Measure.of_row(row).is_of(facts.book) for row in rows)
    told = [
        f"{count} of {stored.height} were {how}"
        for count, how in (
            (older, "searched on other returns than those stored"),
            (moved, "balanced by files that their strategies no longer come from"),
        )
        if count
    ]
    return Judgement(
        not told,
        "; ".join(told) or f"{stored.height} portfolios were searched on the stored returns",
        {"data_key": now},
    )


def _of_now(fault: str | None) -> Judgement | None:
    """Of something made of the book, by why it is not of now; None where it was never made."""
    if fault is None:
        return None
    return Judgement(not fault, fault or "it is of the results and portfolios that are stored")


def _beats_chance(facts: BookFacts) -> Judgement:
    return beats_chance(facts.rows("portfolios"))


def _recorded(*figures: str) -> Callable[[BookFacts], Judgement | None]:
    """Judges some groups of recorded figures."""

    def judge(facts: BookFacts) -> Judgement | None:
        every = facts.comparison
        if every is None:
            return None
        told = every.filter(pl.col("figure").is_in(figures))
        known = told.filter("reproducible")
        # totals of the record beside totals of the record say nothing of this book
        if known.filter(pl.col("basis") == FROM_ROWS).is_empty():
            return None
        wrong = violations(told)
        worst = max(known["relative_error"].to_list(), default=0.0)
        where = known.sort("relative_error", descending=True).head(1)
        return Judgement(
            wrong.is_empty(),
            f"{known.height:,} recorded figures compared, worst relative error {worst:.2g}; "
            f"{told.height - known.height:,} cannot be computed from what is held"
            + (f"; {wrong.height:,} do not agree" if wrong.height else ""),
            {
                "compared": known.height,
                "not_reproducible": told.height - known.height,
                "worst": worst if np.isfinite(worst) else "infinite",
                "worst_at": " ".join(map(str, where.select("figure", "subject", "measure").row(0))),
                "violations": wrong.height,
                "reference": "recorded legacy figures",
            },
        )

    return judge


def _agreement(errors: Sequence[tuple[float, str]], what: str) -> Judgement:
    worst, where = max(errors, default=(0.0, "nothing"))
    apart = sum(error > TOLERANCE for error, _ in errors)
    return Judgement(
        apart == 0 and bool(errors),
        f"{len(errors):,} {what} compared, worst relative error {worst:.2g}"
        + (f" ({where}); {apart:,} beyond {TOLERANCE:g}" if apart else ""),
        {
            "compared": len(errors),
            "worst": float(worst) if np.isfinite(worst) else "infinite",
            "worst_at": where,
            "tolerance": TOLERANCE,
            "reference": REFERENCE,
        },
    )


def _spread(count: int, most: int) -> npt.NDArray[np.int64]:
    """Places spread evenly over 0..count-1, at most so many, the same each time."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))


def _sample(rows: pl.DataFrame, most: int) -> Iterable[tuple[int, int, float]]:
    return rows[_spread(rows.height, most).tolist()].rows() if rows.height else []


BOOK_RULES: tuple[BookRule, ...] = (
    BookRule(
        "strategy_returns", "cells_are_numbers",
        "Every cell of the landed files is a number; others count as 0 and are located.",
        False, _cells_are_numbers,
    ),
    BookRule(
        "strategy_returns", "files_raise_no_doubt",
        "Reading the files gave no warning: weekdays, trading days, levels in place of results.",
        False, _files_raise_no_doubt,
    ),
    BookRule(
        "strategy_returns", "enough_rows",
        f"The book has at least {_FEW_ROWS} rows, below which figures say little.",
        False, _enough_rows,
    ),
    BookRule(
        "strategy_returns", "recorded_portfolios_agree",
        "Recorded and golden portfolios, worked out of these returns, agree within 0.001 %; asked "
        "where recorded figures are named and the book holds their strategies.",
        True, _recorded("portfolios", "later_portfolios", "universe", "golden", "golden_searches"),
    ),
    BookRule(
        "strategy_metrics", "recorded_metrics_agree",
        "Recorded figures of strategies agree within 0.001 %; asked as above.",
        True, _recorded("strategy_metrics"),
    ),
    BookRule(
        "inversions", "recorded_inversions_agree",
        "Recorded inversions agree within 0.001 %; asked as above.",
        True, _recorded("inversions"),
    ),
    BookRule(
        "correlation_summary", "recorded_correlations_agree",
        "Recorded correlations agree within 0.001 %; asked as above.",
        True, _recorded("golden_correlations"),
    ),
    BookRule(
        "strategy_metrics", "legacy_metrics_agree",
        "Legacy figures agree within 0.001 % with a second implementation of the formulas.",
        True, _metrics_agree,
    ),
    BookRule(
        "inversions", "inversions_agree",
        "Exactly the strategies whose rows sum to a loss are inverted.",
        True, _inversions_agree,
    ),
    BookRule(
        "correlation_summary", "correlations_agree",
        "Correlations agree with those worked out pair by pair.",
        True, _correlations_agree,
    ),
    BookRule(
        "portfolios", "fitness_agrees",
        "Members are strategies, and the fitness agrees within 0.001 % with a second "
        "implementation.",
        True, _fitness_agrees,
    ),
    BookRule(
        "portfolios", "portfolios_are_current",
        "Portfolios were searched on the returns that are stored now.",
        False, _portfolios_are_current,
    ),
    BookRule(
        "portfolios", "algorithms_beat_chance",
        "No algorithm found less than random search with the same evaluations.",
        False, _beats_chance,
    ),
    BookRule(
        ZONE_PORTFOLIOS, "zones_are_current",
        "Zones were searched on the returns that are stored now, and as the portfolios that count: "
        "by their measure, dates and rules of regimes; asked at each load, too.",
        False, lambda facts: _of_now(facts.age.zones()),
    ),
    BookRule(
        BEST_PORTFOLIO, "best_portfolio_is_current",
        "It is the best of the portfolios that are stored now; asked at each load, too.",
        False, lambda facts: _of_now(facts.age.best()),
    ),
    BookRule(
        PORTFOLIO_REPORT, "report_is_current",
        "The page is there and shows what is stored and counts now; asked at each load, too.",
        False, lambda facts: _of_now(facts.age.report(facts.told.get(PORTFOLIO_REPORT))),
    ),
)  # fmt: skip
"""Checks of the tables of a book, in data order."""
