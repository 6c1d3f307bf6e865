"""Whether what was made of a book is of the book as it is now.

Here: best portfolio, portfolios of zones and report of a book beside what they are made of.
Not here: making them again (``assets/portfolios.py``), Dagster's events (``checks``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import polars as pl

from mr_platform.errors import InputFileError
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.orchestration.book_search import KEY_LENGTH, data_key
from mr_platform.orchestration.stored_portfolios import current_portfolios
from mr_platform.orchestration.strategy_books import (
    STRATEGY_FILES,
    StoredBook,
    read_book,
    read_part,
    read_parts,
)

BEST_PORTFOLIO: Final = "best_portfolio"
ZONE_PORTFOLIOS: Final = "zone_portfolios"
PORTFOLIO_REPORT: Final = "portfolio_report"

MADE_OF: Final = "made_of"
"""Of a report's materialisation: what tells the portfolios shown from others."""

_UNKNOWN = "it was made by an earlier version, which did not note of which results"
_PORTFOLIO = ("size", "algorithm", "form", "fitness", "data_key", "metric", "balance",
              "preparation")  # fmt: skip


@dataclass(frozen=True, eq=False)
class BookAge:
    """A book and what was made of it.

    Attributes:
        lakehouse: Where it is stored.
        name: Its name.
    """

    lakehouse: Lakehouse
    name: str

    @cached_property
    def book(self) -> StoredBook:
        """The book as one matrix, read once and only where something was made of it."""
        return read_book(self.lakehouse, self.name)

    @cached_property
    def data_key(self) -> str:
        """Content of the stored returns and labels of rows."""
        return data_key(self.book)

    @property
    def _optimize(self) -> str:
        return f"search again: mr portfolio optimize {self.name}"

    @property
    def _report(self) -> str:
        return f"choose and draw again: mr portfolio report {self.name}"

    def best(self) -> str | None:
        """Why the best portfolio is not that of now, with what to do; empty where it is.

        None where none was ever chosen.
        """
        stored = read_part(self.lakehouse, BEST_PORTFOLIO, self.name).sort("place")
        if stored.is_empty():
            return None
        try:
            current = current_portfolios(self.lakehouse, self.book)
        except InputFileError:
            return f"the book changed after its portfolios were searched; {self._optimize}"
        if stored["data_key"][0] is None:
            return f"{_UNKNOWN}; {self._report}"
        if stored["data_key"][0] != self.data_key:
            return f"the book changed after it was chosen; {self._report}"
        told = ("size", "algorithm", "form", "fitness")
        first = current.rows.select(told).row(0)
        columns = current.members[first[0], first[1], first[2]]
        names = [current.returns.names[column] for column in columns]
        if stored.select(told).row(0) != first or stored["name"].to_list() != names:
            return f"portfolios were searched after it was chosen; {self._report}"
        return ""

    def zones(self) -> str | None:
        """The same of the portfolios of zones."""
        stored = read_part(self.lakehouse, ZONE_PORTFOLIOS, self.name)
        if stored.is_empty():
            return None
        again = f"search again: mr portfolio zones {self.name}"
        known = stored["data_key"][0]
        if known is None:
            return f"{_UNKNOWN}; {again}"
        return "" if known == self.data_key else f"the book changed after the search; {again}"

    def report(self, told: Mapping[str, Any] | None) -> str | None:
        """The same of the report.

        Args:
            told: Metadata of its latest materialisation; None where there is none.
        """
        if told is None:
            return None
        if MADE_OF not in told:
            return f"{_UNKNOWN}; {self._report}"
        if told[MADE_OF] == made_of(self.lakehouse, self.book):
            return ""
        try:
            current_portfolios(self.lakehouse, self.book)
        except InputFileError:
            return f"the book changed after its portfolios were searched; {self._optimize}"
        return f"the book or its portfolios changed after it was drawn; {self._report}"

    def faults(self, report: Mapping[str, Any] | None) -> dict[str, str]:
        """What is not of now, by asset, with what to do.

        Args:
            report: Metadata of the latest materialisation of the report.
        """
        found = {
            BEST_PORTFOLIO: self.best(),
            ZONE_PORTFOLIOS: self.zones(),
            PORTFOLIO_REPORT: self.report(report),
        }
        return {asset: fault for asset, fault in found.items() if fault}


def made_of(lakehouse: Lakehouse, book: StoredBook) -> str:
    """What tells a book and its portfolios, as a report shows them, from others."""
    files = read_part(lakehouse, STRATEGY_FILES, book.book).select("file", "sha256")
    portfolios = read_parts(lakehouse, "portfolios", book.book).select(*_PORTFOLIO)
    members = read_parts(lakehouse, "portfolio_members", book.book)
    zones = read_part(lakehouse, ZONE_PORTFOLIOS, book.book).drop("book", "part")
    told = [data_key(book)]
    told += [
        # in an order of its own: searches of one size replace each other's rows
        rows.sort(pl.all()).write_csv()
        for rows in (files, portfolios, members.drop("book", "part", "strategy_id"), zones)
    ]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:KEY_LENGTH]
