"""Results of strategies as tables to store: strategy-major, a month at a time, and a wide export.

Here: matrix → months of long rows and back with the same bits, numbers of strategies, wide frame.
Not here: where tables lie and how they are written (``gateways``), reading sheets.

A wide table of 25,000 columns costs more in column metadata than in values (10 days: 10.9 MB
against 0.9 MB), so that what is stored has four columns. Its rows are sorted by strategy, as one
strategy's days are read together and run lengths make its numbers almost free; a month is a frame
of its own, so that appending one touches no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from mr_platform.portfolio.returns import Matrix, PortfolioError, StrategyReturns
from mr_platform.portfolio.strategy_rows import ROWS_SCHEMA

PNL_SCHEMA: dict[str, pl.DataType] = {
    "strategy_id": pl.Int32(),
    "date": pl.Date(),
    "zone": pl.String(),
    "pnl": pl.Float64(),
}
"""Columns of the stored results: one row a strategy, date and zone; ``zone`` is null for whole
days."""

WIDE_NAMES: dict[str, str] = {
    "date": "Date",
    "zone": "Zone",
    "day": "Day",
    **{name: name for name in ROWS_SCHEMA if name not in ("date", "zone", "day", "file_row")},
}
"""Names that the wide export gives to the fields of a row: those of the format wide_parquet."""

_MONTH = "datetime64[M]"


@dataclass(frozen=True, eq=False)
class JoinedReturns:
    """Months put together again.

    Attributes:
        returns: The matrix, strategies in order of their number.
        absent: Rows of each strategy that no month holds, taken for 0, shape (n,): strategies
            come and go between files.
    """

    returns: StrategyReturns
    absent: npt.NDArray[np.int64]


def number_strategies(
    names: Sequence[str], known: Mapping[str, int] | None = None, first_free: int = 0
) -> pl.DataFrame:
    """Numbers of strategies that stay the same from month to month.

    Args:
        names: Strategies of a sheet, each once.
        known: Numbers given before, by name.
        first_free: No new number lies below it: numbers of rows whose names were never stored must
            not become those of other strategies.

    Returns:
        ``strategy_id`` and ``name``, in the order of ``names``: a known strategy keeps its number,
        new ones take the next free ones in order.

    Raises:
        PortfolioError: A name stands twice, or a number was given to two names.
    """
    known = dict(known or {})
    if len(set(names)) < len(names) or len(set(known.values())) < len(known):
        raise PortfolioError(
            "a strategy has two numbers or a number two strategies",
            next_step="Give each name once",
        )
    following = max(max(known.values(), default=-1) + 1, first_free)
    numbers = []
    for name in names:
        if name not in known:
            known[name] = following
            following += 1
        numbers.append(known[name])
    return pl.DataFrame(
        {"strategy_id": numbers, "name": list(names)},
        schema={"strategy_id": pl.Int32, "name": pl.String},
    )


def month_frames(
    returns: StrategyReturns, strategies: pl.DataFrame
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Results month by month, one frame at a time.

    Args:
        returns: The matrix.
        strategies: ``strategy_id`` and ``name``, in the order of its columns.

    Yields:
        The month as ``YYYY-MM`` and its rows (``PNL_SCHEMA``), sorted by strategy, date and zone.

    Raises:
        PortfolioError: The names are not those of the matrix.
    """
    if strategies["name"].to_list() != list(returns.names):
        raise PortfolioError(
            "the table of strategies is not that of the matrix",
            next_step="Number the strategies of this matrix",
        )
    numbers = strategies["strategy_id"].cast(pl.Int32).to_numpy()
    order = np.argsort(numbers, kind="stable")
    months = returns.dates.astype(_MONTH)
    for month in np.unique(months):
        rows = np.flatnonzero(months == month)
        zones = None if returns.zones is None else [returns.zones[row] for row in rows]
        yield str(month), _long(returns, order, numbers, rows, zones)


def _long(
    returns: StrategyReturns,
    order: npt.NDArray[np.intp],
    numbers: npt.NDArray[np.int32],
    rows: npt.NDArray[np.intp],
    zones: list[str] | None,
) -> pl.DataFrame:
    count = order.size
    dates = pl.Series(np.tile(returns.dates[rows], count)).cast(pl.Date)
    told = pl.Series(zones or [None], dtype=pl.String)
    repeated = pl.Series(np.tile(np.arange(rows.size if zones else 1), count), dtype=pl.UInt32)
    return pl.DataFrame(
        {
            "strategy_id": np.repeat(numbers[order], rows.size),
            "date": dates,
            "zone": told.gather(repeated) if zones else told.new_from_index(0, dates.len()),
            "pnl": np.ascontiguousarray(returns.pnl[rows].T[order]).ravel(),
        },
        schema=PNL_SCHEMA,
    )


def join_months(frames: Iterable[pl.DataFrame], strategies: pl.DataFrame) -> JoinedReturns:
    """The matrix of stored months.

    Args:
        frames: Rows of ``PNL_SCHEMA``, each frame with rows of its own dates, in any order; read
            one at a time.
        strategies: ``strategy_id`` and ``name`` of the strategies wanted.

    Returns:
        The matrix with the bits that were stored. Rows of strategies not asked for are left out.

    Raises:
        PortfolioError: No row, a value stored twice, or rows with and without zones together.
    """
    wanted = strategies.select("strategy_id", "name").sort("strategy_id")
    parts = [part for frame in frames if (part := _part(frame, wanted)) is not None]
    if not parts:
        raise PortfolioError("no stored row is of these strategies", next_step="Load their files")
    if len({part.zones is None for part in parts}) > 1:
        raise PortfolioError(
            "some rows have a zone and some are whole days",
            next_step="Keep results by zone and by day in tables of their own",
        )
    parts.sort(key=lambda part: part.dates[0])
    zones = [zone for part in parts for zone in part.zones or ()]
    dates = np.concatenate([part.dates for part in parts])
    absent = np.array([part.absent for part in parts]).sum(axis=0)
    without_zones = parts[0].zones is None
    pnl = np.empty((dates.size, wanted.height))
    end = dates.size
    while parts:
        # each month is let go once it is copied, so that memory is not doubled
        month = parts.pop().pnl
        pnl[end - month.shape[0] : end] = month
        end -= month.shape[0]
    returns = StrategyReturns(
        pnl=pnl,
        names=tuple(wanted["name"].to_list()),
        dates=dates,
        zones=None if without_zones else tuple(zones),
    )
    return JoinedReturns(returns, absent)


@dataclass(frozen=True, eq=False)
class _Part:
    pnl: Matrix
    dates: npt.NDArray[np.datetime64]
    zones: tuple[str, ...] | None
    absent: npt.NDArray[np.int64]


def _part(frame: pl.DataFrame, wanted: pl.DataFrame) -> _Part | None:
    numbers = wanted["strategy_id"].to_numpy()
    if not frame.height or not numbers.size:
        return None
    whole = _whole_part(frame, numbers)
    if whole is not None:
        return whole
    keys = frame.select("date", "zone").unique().sort("date", "zone")
    without = keys["zone"].null_count()
    if 0 < without < keys.height:
        raise PortfolioError(
            "some rows have a zone and some are whole days",
            next_step="Keep results by zone and by day in tables of their own",
        )
    pnl, absent = _scattered(frame, keys, wanted)
    return None if pnl is None else _as_part(pnl, keys, absent)


def _as_part(pnl: Matrix, keys: pl.DataFrame, absent: npt.NDArray[np.int64]) -> _Part:
    zones = keys["zone"]
    return _Part(
        pnl=pnl,
        dates=keys["date"].to_numpy().astype("datetime64[D]"),
        zones=None if zones.null_count() else tuple(zones.to_list()),
        absent=absent,
    )


def _whole_part(frame: pl.DataFrame, numbers: npt.NDArray[np.int32]) -> _Part | None:
    """The values as they lie, where a frame holds every cell in the order it was written.

    Several times faster than finding each cell's place; None where the frame is any other.
    """
    rows, rest = divmod(frame.height, numbers.size)
    if rest or frame["zone"].null_count() not in (0, frame.height):
        return None
    keys = frame.select("date", "zone")[:rows]
    if not keys.equals(keys.unique().sort("date", "zone")):
        return None
    shape = (numbers.size, rows)
    dates = frame["date"].to_physical().to_numpy().reshape(shape)
    in_order = (
        (frame["strategy_id"].to_numpy().reshape(shape) == numbers[:, None]).all()
        and (dates == dates[0]).all()
        and _zones_repeat(frame["zone"], keys["zone"])
    )
    if not in_order:
        return None
    pnl = frame["pnl"].to_numpy().reshape(shape).T
    return _as_part(pnl, keys, np.zeros(numbers.size, dtype=np.int64))


def _zones_repeat(zones: pl.Series, once: pl.Series) -> bool:
    if once.null_count():
        return True
    labels = pl.Enum(once.unique().sort())
    told = zones.cast(labels, strict=False).to_physical()
    if told.null_count():
        return False
    expected = once.cast(labels).to_physical().to_numpy()
    return bool((told.to_numpy().reshape(-1, once.len()) == expected).all())


def _scattered(
    frame: pl.DataFrame, keys: pl.DataFrame, wanted: pl.DataFrame
) -> tuple[Matrix | None, npt.NDArray[np.int64]]:
    """The values put in their places, and how many of each strategy are absent."""
    numbers = wanted["strategy_id"].to_numpy()
    found = frame.join(
        keys.with_row_index("row"), on=["date", "zone"], how="left", nulls_equal=True,
        maintain_order="left",
    )  # fmt: skip
    columns = np.searchsorted(numbers, found["strategy_id"].to_numpy())
    columns[columns == numbers.size] = 0
    asked = numbers[columns] == found["strategy_id"].to_numpy()
    if not asked.any():
        return None, np.zeros(0, dtype=np.int64)
    cells = found["row"].to_numpy()[asked] * np.int64(numbers.size) + columns[asked]
    held = np.bincount(cells, minlength=keys.height * numbers.size)
    held = held.reshape(keys.height, numbers.size)
    if (held > 1).any():
        row, column = np.argwhere(held > 1)[0]
        raise PortfolioError(
            f"the table holds {held[row, column]} values of one cell",
            place=f"{wanted['name'][int(column)]}, {keys['date'][int(row)]}",
            next_step="Replace the month as a whole when a file is loaded again",
        )
    pnl = np.zeros((keys.height, numbers.size))
    pnl.reshape(-1)[cells] = found["pnl"].to_numpy()[asked]
    return pnl, np.count_nonzero(held == 0, axis=0)


def wide_frame(returns: StrategyReturns, rows: pl.DataFrame | None = None) -> pl.DataFrame:
    """One column a strategy, for programs that want it so.

    Args:
        returns: The matrix.
        rows: What the rows say of themselves (``ROWS_SCHEMA``), in the order of the matrix; None
            writes date and zone alone. Columns without any value are left out.

    Returns:
        A frame that, written to Parquet, reads back as the format wide_parquet with the same bits.

    Raises:
        PortfolioError: The rows are not those of the matrix.
    """
    dates = pl.Series("date", returns.dates).cast(pl.Date)
    zones = pl.Series("zone", returns.zones or [None] * returns.rows, dtype=pl.String)
    if rows is None:
        rows = pl.DataFrame([dates, zones])
    elif not (rows["date"].equals(dates) and rows["zone"].equals(zones, null_equal=True)):
        raise PortfolioError(
            "the table of rows is not that of the matrix", next_step="Give the rows in its order"
        )
    labels = rows.select(
        pl.col(name).alias(told)
        for name, told in WIDE_NAMES.items()
        if name in rows.columns and rows[name].null_count() < rows.height
    )
    values = pl.from_numpy(returns.pnl, schema=list(returns.names), orient="row")
    return labels.hstack(values)
