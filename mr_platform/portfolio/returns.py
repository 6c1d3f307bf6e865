"""Profit and loss of strategies: the one matrix that every measure of a portfolio reads.

Here: the matrix with its names and rows, and what must hold of it.
Not here: reading strategy files, what is computed from the matrix.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mr_platform.errors import PlatformError

Matrix = npt.NDArray[np.float64]
Days = npt.NDArray[np.datetime64]

_SHOWN = 5


class PortfolioError(PlatformError):
    """Returns, a portfolio or a setting that no measure can be taken of."""


@dataclass(frozen=True, eq=False)
class StrategyReturns:
    """Profit and loss of strategies, row by row.

    Attributes:
        pnl: Shape (T, n), float64, finite, rows in the order of time; rupees, or per cent where
            the source says so. A matrix in C order is not copied (it may be most of the memory):
            who hands it over writes it no more.
        names: The n strategies, each once.
        dates: The T dates, ascending; a date stands once, or once in each zone.
        zones: The T zones of the day; None where a row is a whole day.

    Raises:
        PortfolioError: Shapes that do not fit, values that are not finite, names or rows that
            stand twice, dates that do not ascend.
    """

    pnl: Matrix
    names: tuple[str, ...]
    dates: Days
    zones: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Check the parts against each other and make them read-only."""
        pnl = np.ascontiguousarray(self.pnl, dtype=np.float64).view()
        dates = np.array(self.dates, dtype="datetime64[D]")
        if pnl.ndim != 2:
            raise PortfolioError(f"returns have {pnl.ndim} dimensions; rows x strategies are 2")
        rows, strategies = pnl.shape
        if len(self.names) != strategies:
            raise PortfolioError(f"{len(self.names)} names stand for {strategies} strategies")
        if dates.shape != (rows,) or (self.zones is not None and len(self.zones) != rows):
            raise PortfolioError(f"dates or zones do not stand for {rows} rows")
        if not np.isfinite(pnl).all():
            row, column = np.argwhere(~np.isfinite(pnl))[0]
            raise PortfolioError(
                f"the value is {pnl[row, column]}",
                place=f"{self.names[column]}, {dates[row]}",
                next_step="Give a finite number, or 0 where the strategy did not trade",
            )
        _refuse_twice("strategies", self.names)
        days = [str(day) for day in dates]
        keys = (
            days if self.zones is None else list(map(" ".join, zip(days, self.zones, strict=True)))
        )
        _refuse_twice("rows", keys)
        if rows and (np.isnat(dates).any() or (np.diff(dates) < np.timedelta64(0)).any()):
            raise PortfolioError(
                "dates do not ascend", next_step="Sort the rows by date: drawdown depends on it"
            )
        pnl.flags.writeable = dates.flags.writeable = False
        object.__setattr__(self, "pnl", pnl)
        object.__setattr__(self, "dates", dates)

    @property
    def rows(self) -> int:
        """Number of rows, T."""
        return int(self.pnl.shape[0])

    @property
    def strategies(self) -> int:
        """Number of strategies, n."""
        return int(self.pnl.shape[1])


def _refuse_twice(what: str, keys: Sequence[str]) -> None:
    twice = [key for key, count in Counter(keys).items() if count > 1]
    if twice:
        shown = ", ".join(twice[:_SHOWN])
        raise PortfolioError(
            f"{len(twice)} {what} stand more than once: {shown}{' …' * (len(twice) > _SHOWN)}",
            next_step="Remove the repetitions at the source",
        )
