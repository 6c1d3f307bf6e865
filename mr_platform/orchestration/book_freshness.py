"""Whether what was made of a book is of the book as it is now.

Here: best portfolio, portfolios of zones and report of a book beside what they are made of.
Not here: making them again (``assets/portfolios.py``), Dagster's events (``checks``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import polars as pl

from mr_platform.errors import InputFileError, PlatformError
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.orchestration.book_measure import Measure
from mr_platform.orchestration.book_search import KEY_LENGTH, data_key
from mr_platform.orchestration.search_wording import zone_differences
from mr_platform.orchestration.stored_portfolios import CurrentPortfolios, current_portfolios
from mr_platform.orchestration.strategy_books import (
    STRATEGY_FILES,
    StoredBook,
    read_book,
    read_part,
)
from mr_platform.portfolio.returns import PortfolioError

BEST_PORTFOLIO: Final = "best_portfolio"
ZONE_PORTFOLIOS: Final = "zone_portfolios"
PORTFOLIO_REPORT: Final = "portfolio_report"

MADE_OF: Final = "made_of"
"""Of a report's materialisation: what tells the portfolios shown from others."""

_PAGE = "page"
_UNKNOWN = "it was made by an earlier version, which did not note of which results"


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

    @cached_property
    def current(self) -> CurrentPortfolios | PlatformError:
        """Portfolios of the book that count, judged once; why there are none."""
        book, key = self.book, self.data_key
        try:
            return current_portfolios(self.lakehouse, book, key)
        except (InputFileError, PortfolioError) as fault:
            return fault

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
        current = self.current
        if isinstance(current, PlatformError):
            return _sentence(current)
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
        """The same of the portfolios of zones: whether they were searched as those that count."""
        stored = read_part(self.lakehouse, ZONE_PORTFOLIOS, self.name)
        if stored.is_empty():
            return None
        again = f"search again: mr portfolio zones {self.name}"
        known = stored["data_key"][0]
        if known is None:
            return f"{_UNKNOWN}; {again}"
        if known != self.data_key:
            return f"the book changed after the search; {again}"
        if isinstance(self.current, PlatformError):  # there are no others to be searched alike
            return ""
        measure = Measure.of_row(self.current.rows.row(0, named=True))
        return zone_differences(stored, self.current.preparation, measure, self.name)

    def report(self, told: Mapping[str, Any] | None) -> str | None:
        """The same of the report.

        Args:
            told: Metadata of its latest materialisation; None where there is none.
        """
        if told is None:
            return None
        if MADE_OF not in told:
            return f"{_UNKNOWN}; {self._report}"
        if isinstance(self.current, PlatformError):
            return _sentence(self.current)
        if told[MADE_OF] != self.made_of():
            return f"the book or its portfolios changed after it was drawn; {self._report}"
        page = Path(str(told[_PAGE]))
        return "" if page.is_file() else f"its page {page} is gone; {self._report}"

    def made_of(self) -> str:
        """What tells all that a report of now shows from what another one would show.

        Raises:
            InputFileError: There is no portfolio to show.
            PortfolioError: Portfolios cannot be judged on the book as it is.
        """
        current = self.current
        if isinstance(current, PlatformError):
            raise current
        # when it was searched does not show; that it decides what counts does, by the rows
        rows = current.rows.drop("book", "part", "searched_at")
        names = current.returns.names
        members = [
            "\t".join(names[column] for column in current.members[key])
            for key in rows.select("size", "algorithm", "form").rows()
        ]
        files = read_part(self.lakehouse, STRATEGY_FILES, self.name).select("file", "sha256")
        zones = read_part(self.lakehouse, ZONE_PORTFOLIOS, self.name).drop("book", "part")
        told = [
            rows.write_csv(),
            *members,
            str(current.left_out),
            *(table.sort(pl.all()).write_csv() for table in (files, zones)),
        ]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()[:KEY_LENGTH]

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


def _sentence(fault: PlatformError) -> str:
    """A fault in its own words, but for the book, which stands beside it."""
    return f"{fault.fault}. {fault.next_step}" if fault.next_step else fault.fault
