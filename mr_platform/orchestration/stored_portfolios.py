"""Stored portfolios of a book that can be compared with each other, and the best of them.

Here: which portfolios count, their members checked, rows of ``best_portfolio``.
Not here: searching (``book_search.py``), the report (``book_report.py``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from mr_platform.errors import InputFileError
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.orchestration.book_measure import MEASURE_COLUMNS, NO_BALANCE, Measure
from mr_platform.orchestration.book_partitions import size_key
from mr_platform.orchestration.book_preparation import Preparation
from mr_platform.orchestration.book_search import SearchOutcome, data_key
from mr_platform.orchestration.strategy_books import StoredBook, declared, read_part, read_parts
from mr_platform.portfolio.correlation import Members
from mr_platform.portfolio.fitness import PortfolioEvaluator
from mr_platform.portfolio.kelly import kelly_fraction, scaled_to_one
from mr_platform.portfolio.returns import StrategyReturns

_SAME = (*MEASURE_COLUMNS, "preparation")
"""Settings that must be equal for two fitnesses to be compared."""

_FINDER = ("size", "algorithm", "form")

_ROUNDING = 1e-9

Key = tuple[int, str, str]
"""Size, algorithm, form."""


@dataclass(frozen=True, eq=False)
class CurrentPortfolios:
    """Portfolios of one book that were judged by the same measure on the same returns.

    Attributes:
        rows: Their rows of ``portfolios``, the best first.
        members: Columns of ``returns`` of each, ascending.
        returns: The returns that they were searched on.
        preparation: Steps between the book and these returns.
        left_out: Stored portfolios that are not among them: searched on other returns, judged by
            another measure than those searched last, or stored in part.
    """

    rows: pl.DataFrame
    members: Mapping[Key, Members]
    returns: StrategyReturns
    preparation: Preparation
    left_out: int

    @property
    def metric(self) -> str:
        """What they were searched for."""
        return str(self.rows["metric"][0])


def current_portfolios(
    lakehouse: Lakehouse, book: StoredBook, key: str | None = None
) -> CurrentPortfolios:
    """Stored portfolios that count: of the book as it is, by the measure searched last.

    Figures and members are two tables; where a run was killed between them, they do not fit, and
    that portfolio is left out until it is searched again.

    Args:
        lakehouse: Where they are stored.
        book: Their book.
        key: Its data key where the caller knows it: it takes reading every value.

    Raises:
        InputFileError: There is none.
    """
    stored = _told_in_full(read_parts(lakehouse, "portfolios", book.book))
    now = stored.filter(pl.col("data_key") == (key or data_key(book)))
    if now.is_empty():
        raise _none(book, "; those stored were searched on other returns" * bool(stored.height))
    latest = now.sort("searched_at").tail(1)
    alike = now.join(latest.select(_SAME), on=_SAME, how="semi")
    preparation = Preparation.parse(latest["preparation"][0])
    measure = Measure.of_row(latest.row(0, named=True))
    gone = measure.lacking(book)
    if gone:
        raise _none(book, f" since strategies of {', '.join(gone)} come from other files")
    if not measure.is_of(book):
        files = ", ".join(measure.balance.desired if measure.balance else ())
        raise _none(book, f" by the strategies that come from {files} now")
    returns = preparation.returns(book)
    members = _members(read_parts(lakehouse, "portfolio_members", book.book), returns)
    rows = _whole(alike, members, measure.over(book, returns)).sort(
        ["fitness", "size", "algorithm", "form"], descending=[True, False, False, False]
    )
    if rows.is_empty():
        raise _none(book, "; those stored were not stored whole")
    return CurrentPortfolios(rows, members, returns, preparation, stored.height - rows.height)


def counting(lakehouse: Lakehouse, book: StoredBook) -> tuple[pl.DataFrame, int]:
    """Rows of the portfolios that count, the best first, and how many stored ones do not."""
    try:
        current = current_portfolios(lakehouse, book)
    except InputFileError:
        stored = read_parts(lakehouse, "portfolios", book.book)
        return stored.clear(), stored.height
    return current.rows, current.left_out


def with_stored(
    lakehouse: Lakehouse, book: StoredBook, outcome: SearchOutcome
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Portfolios just found, and those of the size that stay beside them.

    What other algorithms found stays. Of one that was searched again the better portfolio stays
    where both were judged by the same measure on the same returns, and the earlier one is still
    worth what was stored of it; else the new one.

    Args:
        lakehouse: Where they are stored.
        book: The book that was searched.
        outcome: What was found just now.

    Returns:
        Rows of ``portfolios`` and of ``portfolio_members``.
    """
    part = size_key(outcome.size)
    found, members = outcome.rows(book)
    before = _told_in_full(read_part(lakehouse, "portfolios", book.book, part))
    held = read_part(lakehouse, "portfolio_members", book.book, part)
    if before.is_empty():
        return found, members
    new = declared("portfolios", found, book.book, part)
    same = [*_FINDER, *_SAME, "data_key"]
    beaten = new.join(
        before.select(*same, earlier="fitness"), on=same, how="inner", nulls_equal=True
    ).filter(pl.col("earlier") > pl.col("fitness"))
    # a fitness that its members do not have would keep every other out for good
    better = _whole(
        before.join(beaten, on=_FINDER, how="semi"),
        _members(held, outcome.returns),
        outcome.measure.over(book, outcome.returns),
    )
    taken = new.join(better, on=_FINDER, how="anti")
    stays = before.join(taken, on=_FINDER, how="anti")
    listed = declared("portfolio_members", members, book.book, part)
    return (
        pl.concat([taken, stays]).drop("book", "part"),
        pl.concat(
            [
                listed.join(taken, on=_FINDER, how="semi"),
                held.join(stays, on=_FINDER, how="semi"),
            ]
        ).drop("book", "part"),
    )


def best_rows(lakehouse: Lakehouse, book: StoredBook, kelly_cap: float) -> pl.DataFrame:
    """Rows of ``best_portfolio``: the one of the highest fitness, of equal ones the smallest.

    Raises:
        InputFileError: No portfolio was searched on the book's returns as they are now.
    """
    current = current_portfolios(lakehouse, book)
    size, algorithm, form, fitness = current.rows.select(
        "size", "algorithm", "form", "fitness"
    ).row(0)
    columns = current.members[size, algorithm, form]
    names = [current.returns.names[column] for column in columns]
    numbers = book.numbers(current.returns)
    shares = scaled_to_one(kelly_fraction(current.returns.pnl.T[columns], cap=kelly_cap))
    return pl.DataFrame(
        {
            "place": range(1, size + 1),
            "strategy_id": [numbers[column] for column in columns],
            "name": names,
            "kelly_share": shares,
        }
    ).with_columns(
        size=pl.lit(size),
        algorithm=pl.lit(algorithm),
        form=pl.lit(form),
        fitness=pl.lit(fitness),
        data_key=pl.lit(current.rows["data_key"][0]),
    )


def _whole(
    rows: pl.DataFrame, members: Mapping[Key, Members], judge: PortfolioEvaluator
) -> pl.DataFrame:
    """Those rows of ``portfolios`` whose members are stored and have the fitness stored of them."""
    whole = []
    for size, algorithm, form, fitness in rows.select(*_FINDER, "fitness").rows():
        found = members.get((size, algorithm, form))
        fits = found is not None and found.size == size and len(set(found.tolist())) == size
        if fits and found is not None:
            worth = float(judge.evaluate(found[np.newaxis]).fitness[0])
            fits = math.isclose(worth, fitness, rel_tol=_ROUNDING, abs_tol=_ROUNDING)
        whole.append(fits)
    return rows.filter(pl.Series(whole, dtype=pl.Boolean))


def _members(stored: pl.DataFrame, returns: StrategyReturns) -> dict[Key, Members]:
    """Columns of the members of each stored portfolio; one with a foreign member has none."""
    columns = {name: column for column, name in enumerate(returns.names)}
    found: dict[Key, Members] = {}
    for key, rows in stored.group_by("size", "algorithm", "form"):
        names = rows["name"].to_list()
        if columns.keys() >= set(names):
            size, algorithm, form = key
            found[int(str(size)), str(algorithm), str(form)] = np.sort(
                np.array([columns[name] for name in names], dtype=np.int64)
            )
    return found


def _told_in_full(portfolios: pl.DataFrame) -> pl.DataFrame:
    """Stored portfolios; those from before there was balanced mode were not balanced."""
    return portfolios.with_columns(pl.col("balance").fill_null(NO_BALANCE))


def _none(book: StoredBook, why: str) -> InputFileError:
    return InputFileError(
        f"no portfolio of this book was searched{why}",
        place=book.book,
        next_step=f"Search: mr portfolio optimize {book.book}",
    )
