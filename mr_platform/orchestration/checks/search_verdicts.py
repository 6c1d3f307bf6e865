"""Verdicts on portfolios that searches found: their fitness a second time, and against chance.

Here: stored portfolios and their members beside the second implementation.
Not here: other tables of a book (``portfolio_verdicts.py``), the loops (``parity``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from mr_platform.orchestration.book_measure import (
    MEASURE_COLUMNS,
    NO_BALANCE,
    Measure,
    sources_of,
)
from mr_platform.orchestration.book_preparation import Preparation
from mr_platform.orchestration.book_search import data_key
from mr_platform.orchestration.checks.verdicts import Judgement
from mr_platform.orchestration.strategy_books import StoredBook
from mr_platform.parity.legacy_portfolio import naive_fitness, naive_imbalance, relative_error


def fitness_errors(
    book: StoredBook, stored: pl.DataFrame, members: pl.DataFrame
) -> list[tuple[float, str]] | Judgement:
    """Relative error of each portfolio's fitness, and whose it is; a verdict where none can be.

    Args:
        book: The book.
        stored: Rows of ``portfolios``, of one size.
        members: Their rows of ``portfolio_members``.
    """
    # what older portfolios were worth, the returns and files of now do not tell
    of_now = stored.filter(pl.col("data_key") == data_key(book)).to_dicts()
    current = [row for row in of_now if Measure.of_row(row).is_of(book)]
    if stored.height and not current:
        other = "balanced by other files" if of_now else "searched on other returns"
        return Judgement(True, f"all were {other}: nothing to compare")
    errors: list[tuple[float, str]] = []
    for row in current:
        names = members.filter(
            (pl.col("algorithm") == row["algorithm"]) & (pl.col("form") == row["form"])
        )["name"].to_list()
        told = f"{row['algorithm']} ({row['form']})"
        reference = _reference(book, row, names)
        if isinstance(reference, str):
            return Judgement(False, f"{told}: {reference}")
        errors.append((relative_error(row["fitness"], reference), told))
    return errors


def _reference(book: StoredBook, row: Mapping[str, Any], names: Sequence[str]) -> float | str:
    """The fitness of a stored portfolio by the second implementation, or why it has none."""
    measure = Measure.of_row(row)
    returns = Preparation.parse(row["preparation"]).returns(book)
    columns = {name: place for place, name in enumerate(returns.names)}
    if len(set(names)) != row["size"] or not set(names) <= columns.keys():
        return f"its members are not {row['size']} strategies"
    reference = naive_fitness(
        [returns.pnl[:, columns[name]].tolist() for name in names],
        measure.metric,
        measure.correlation_weight,
        measure.drawdown_threshold,
    )
    if measure.balance is None:
        return reference
    files = dict(zip(returns.names, sources_of(book, returns), strict=True))
    balance = measure.balance
    return reference - naive_imbalance(
        [files[name] for name in names], balance.desired, balance.penalty_factor
    )


def beats_chance(stored: pl.DataFrame) -> Judgement:
    """Whether no algorithm found less than random search was allowed to find.

    Fitnesses are compared where both were found on the same returns, by the same measure and with
    the same number of evaluations allowed; the sentence names those that were not compared.

    Args:
        stored: Rows of ``portfolios``, of one size.
    """
    known = stored.with_columns(pl.col("balance").fill_null(NO_BALANCE))
    drawn = pl.col("algorithm") == "random_search"
    same = [*MEASURE_COLUMNS, "preparation", "data_key", "budget"]
    by_chance = known.filter(drawn).select(*same, chance="fitness")
    others = known.filter(~drawn)
    compared = others.join(by_chance, on=same, how="inner")
    if by_chance.is_empty() or others.is_empty():
        absent = "no random search" if by_chance.is_empty() else "nothing but random search"
        return Judgement(True, f"{absent} among the algorithms: nothing to compare")
    if compared.is_empty():
        return Judgement(
            True,
            "random search judged by another measure, on other returns or with another number of "
            "evaluations: nothing to compare",
        )
    apart = others.join(by_chance, on=same, how="anti")["algorithm"].to_list()
    worse = compared.filter(pl.col("fitness") < pl.col("chance"))["algorithm"].to_list()
    told = (
        f"below random search: {', '.join(worse)}"
        if worse
        else f"{compared.height} algorithms are not below random search"
    )
    if apart:
        told += (
            f"; not compared, being of another measure, other returns or another number of "
            f"evaluations: {', '.join(apart)}"
        )
    return Judgement(not worse, told)
