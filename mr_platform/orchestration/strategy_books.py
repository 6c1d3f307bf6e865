"""Books of strategies between landing and lakehouse: loading one, and reading it back.

Here: landed files of a book → its stored months; the book as one matrix for what is made of it.
Not here: rules on sheets (``portfolio``), Dagster's events (``assets/portfolios.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import polars as pl

from mr_platform.errors import InputFileError
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.gateways.partition_layout import BookPart
from mr_platform.gateways.strategy_landing import StrategyLanding
from mr_platform.orchestration.book_files import (
    ReadFile,
    bars_not_used,
    book_fingerprint,
    file_rows,
    names_left_out,
    own_choice,
    read_file,
    read_regimes,
    regimes_taken,
    require_alike,
    require_same_dates,
    with_regimes,
)
from mr_platform.orchestration.book_tables import no_rows, store_parts, stored_rows
from mr_platform.portfolio.book_sheets import (
    Book,
    BookMonth,
    BookSheet,
    merge_sheets,
    with_strategies,
)
from mr_platform.portfolio.inversion import originals
from mr_platform.portfolio.returns import StrategyReturns
from mr_platform.portfolio.strategy_headers import StrategyChoice
from mr_platform.portfolio.strategy_tables import PNL_SCHEMA, join_months, wide_frame
from mr_platform.registry.faults import hint
from mr_platform.registry.portfolio_tables import load_portfolio_tables

STRATEGY_FILES = "strategy_files"
STRATEGIES = "strategies"
STRATEGY_RETURNS = "strategy_returns"
STRATEGY_ROWS = "strategy_rows"

BOOK_TABLES = (STRATEGY_FILES, STRATEGIES, STRATEGY_RETURNS, STRATEGY_ROWS)
"""Tables that a load makes, in data order."""

ALL = "all"
_KEPT = "rows stored before"


@dataclass(frozen=True)
class LoadReport:
    """What a load did.

    Attributes:
        book: The book.
        fingerprint: Content of its landed files.
        months: All months of the landed files.
        replaced: Those of them whose rows changed.
        rows: Rows of the book in these files.
        strategies: Strategies of the book.
        pnl_unit: Unit of its values.
        cells: Values stored in the replaced months.
        missing_cells: Empty cells of the files, taken for 0.
        unreadable_cells: Cells without a number, taken for 0.
        repeated_cells: Cells that several files hold alike.
        kept_cells: Values stored before from files that are no longer landed, which stay.
        regimes_taken: Rows that were given the regime of a bar; None where no bars are landed.
        bars_not_used: Why bars that are landed gave no row a regime; empty where they did.
        warnings: What a person should look at, a sentence each, with its file.
        versions: New version of each table that was written.
    """

    book: str
    fingerprint: str
    months: tuple[str, ...]
    replaced: tuple[str, ...]
    rows: int
    strategies: int
    pnl_unit: str
    cells: int
    missing_cells: int
    unreadable_cells: int
    repeated_cells: int
    kept_cells: int
    regimes_taken: int | None
    bars_not_used: str
    warnings: tuple[str, ...]
    versions: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class StoredBook:
    """A book as it is stored.

    Attributes:
        book: Its name.
        returns: The matrix, strategies in the order of their numbers.
        strategies: The stored table of strategies, in the same order.
        pnl_unit: Unit of the values.
        rows: The stored table of rows, in the order of the matrix.
    """

    book: str
    returns: StrategyReturns
    strategies: pl.DataFrame
    pnl_unit: str
    rows: pl.DataFrame

    @cached_property
    def ids(self) -> dict[str, int]:
        """Number of each strategy by name."""
        return dict(self.strategies.select("name", "strategy_id").rows())

    def numbers(self, returns: StrategyReturns) -> tuple[int, ...]:
        """Number of the strategy of each column; an inverted one has that of its original."""
        return tuple(self.ids[name] for name in originals(returns.names, self.ids))


def load_book(
    book: str,
    *,
    landing: StrategyLanding,
    lakehouse: Lakehouse,
    choice: StrategyChoice,
    commit_info: Mapping[str, str] | None = None,
) -> LoadReport:
    """Read every landed file of a book and store the months that changed.

    Months are compared with what is stored, so that a file of one more month writes that month
    alone. Values stored from files that are gone from landing stay. Returns are written before the
    table of strategies: a load that is cut off leaves rows without names, which readers do not
    see and whose numbers no other strategy gets, and is made whole by the next one. One process at
    a time loads a book; another waits.

    Args:
        book: The book.
        landing: Its landing folder.
        lakehouse: Where it is stored.
        choice: Strategies wanted, where the book declares nothing of its own.
        commit_info: Facts kept with each commit.

    Raises:
        InputFileError: No landed file, a file that cannot be used, files that contradict each
            other: nothing was written.
        StorageError: Tables could not be written.
    """
    with landing.alone(book):
        return _load(book, landing, lakehouse, choice, commit_info or {})


def _load(
    book: str,
    landing: StrategyLanding,
    lakehouse: Lakehouse,
    choice: StrategyChoice,
    info: Mapping[str, str],
) -> LoadReport:
    files = landing.files_of(book)
    found = book_fingerprint(files)
    choice = own_choice(files, choice)
    read = [read_file(file, choice) for file in files if file.holds_results]
    bars = [read_regimes(file) for file in files if file.holds_regimes]
    if not read:
        raise InputFileError(
            "only bars of regimes are landed, no results of strategies",
            place=book,
            next_step=f"mr portfolio load FILE --book {book}",
        )
    given = [one.book_sheet for one in read]
    stored = (
        read_part(lakehouse, STRATEGY_FILES, book),
        read_parts(lakehouse, STRATEGY_ROWS, book),
    )
    require_alike(given[0], book, *stored)
    require_same_dates(read, *stored)
    months = sorted({str(day)[:7] for sheet in given for day in sheet.returns.dates.tolist()})
    known = _known_numbers(lakehouse, book, names_left_out(read))
    before = _stored_before(lakehouse, book, given, months, known)
    merged = merge_sheets(given, known, before, _first_free(lakehouse, book))
    labelled = with_regimes(merged.rows, bars)
    taken = regimes_taken(merged.rows, labelled) if bars else None
    unused = bars_not_used(merged.rows, bars) if taken == 0 else ""
    merged = replace(merged, rows=labelled)
    accounts = [one.sheet.account for one in read]
    versions, replaced, cells = _store(lakehouse, book, merged, read, known, info)
    return LoadReport(
        book=book,
        fingerprint=found,
        months=tuple(months),
        replaced=tuple(replaced),
        rows=merged.rows.height,
        strategies=merged.strategies.height,
        pnl_unit=merged.pnl_unit,
        cells=cells,
        missing_cells=sum(account.missing_cells for account in accounts),
        unreadable_cells=sum(account.unreadable_cells for account in accounts),
        repeated_cells=merged.repeated_cells,
        kept_cells=merged.kept_cells,
        regimes_taken=taken,
        bars_not_used=unused,
        warnings=tuple(
            f"{one.file.file.relative}: {warning}" for one in read for warning in one.warnings
        ),
        versions=versions,
    )


def read_book(lakehouse: Lakehouse, book: str) -> StoredBook:
    """A stored book as one matrix.

    Raises:
        InputFileError: Nothing of the book is stored, or a load of it was broken off.
    """
    strategies = _all_of(lakehouse, STRATEGIES, book)
    if strategies is None or strategies.is_empty():
        raise _not_stored(lakehouse, book)
    files = stored_rows(lakehouse, STRATEGY_FILES, [BookPart(book, ALL)])
    joined = join_months(_stored_months(lakehouse, book), strategies)
    ordered = strategies.sort("strategy_id")
    held = pl.DataFrame(
        {
            "date": joined.returns.dates,
            "zone": joined.returns.zones or [None] * joined.returns.rows,
        },
        schema={"date": pl.Date, "zone": pl.String},
    )
    # rows that no named strategy has are those of a load that was cut off and never made whole
    rows = held.join(
        read_parts(lakehouse, STRATEGY_ROWS, book), on=["date", "zone"], nulls_equal=True,
        maintain_order="left",
    ).select(*load_portfolio_tables()[STRATEGY_ROWS].schema)  # fmt: skip
    if rows.height != joined.returns.rows:
        raise InputFileError(
            "its rows were not stored whole: a load was broken off",
            place=book,
            next_step=f"Load it again: mr portfolio load FILE --book {book}, or materialise it in "
            "the UI",
        )
    return StoredBook(book, joined.returns, ordered, str(files["pnl_unit"][0]), rows)


def require_stored(lakehouse: Lakehouse, book: str) -> None:
    """Refuse a book that is not stored, without reading it.

    Raises:
        InputFileError: Nothing of the book is stored; names the near ones.
    """
    if book not in stored_books(lakehouse):
        raise _not_stored(lakehouse, book)


def _not_stored(lakehouse: Lakehouse, book: str) -> InputFileError:
    return InputFileError(
        f"nothing of this book is stored{hint(book, stored_books(lakehouse))}",
        place=book,
        next_step=f"Load its files: mr portfolio load FILE --book {book}",
    )


def stored_books(lakehouse: Lakehouse) -> list[str]:
    """Books of which anything is stored, ascending."""
    if not lakehouse.exists(STRATEGIES):
        return []
    return sorted(set(lakehouse.read_partition_counts(STRATEGIES)["book"]))


def read_part(lakehouse: Lakehouse, table: str, book: str, part: str = ALL) -> pl.DataFrame:
    """Rows of one part of a book's table; none where it was never made."""
    if not lakehouse.exists(table):
        return no_rows(table)
    return stored_rows(lakehouse, table, [BookPart(book, part)])


def read_parts(lakehouse: Lakehouse, table: str, book: str) -> pl.DataFrame:
    """Rows of all parts of a book's table, parts ascending."""
    if not lakehouse.exists(table):
        return no_rows(table)
    return stored_rows(lakehouse, table, _parts_of(lakehouse, table, book))


def write_part(
    lakehouse: Lakehouse,
    table: str,
    rows: pl.DataFrame,
    book: str,
    part: str = ALL,
    *,
    commit_info: Mapping[str, str] | None = None,
) -> int:
    """Replace one part of a book's table.

    Args:
        lakehouse: Where it is stored.
        table: A declared table of portfolios.
        rows: Its rows with the declared columns, but for book and part.
        book: The book.
        part: The part.
        commit_info: Facts kept with the commit.

    Returns:
        The table's new version.
    """
    given = [(BookPart(book, part), declared(table, rows, book, part))]
    return store_parts(lakehouse, table, given, commit_info=commit_info).version


def declared(table: str, rows: pl.DataFrame, book: str, part: str) -> pl.DataFrame:
    """Rows as a table declares them: its columns, order and types, with book and part.

    Raises:
        ColumnNotFoundError: A declared column is missing (a fault of the caller).
    """
    schema = load_portfolio_tables()[table].schema
    return rows.with_columns(book=pl.lit(book), part=pl.lit(part)).select(
        pl.col(name).cast(dtype) for name, dtype in schema.items()
    )


def _stored_before(
    lakehouse: Lakehouse,
    book: str,
    given: Sequence[BookSheet],
    months: Sequence[str],
    names: Mapping[str, int],
) -> list[BookSheet]:
    """What is stored of months and names, a sheet a month; none where one file holds all of it."""
    if not (lakehouse.exists(STRATEGY_ROWS) and lakehouse.exists(STRATEGIES)):
        return []
    known = read_part(lakehouse, STRATEGIES, book)
    sheets = []
    for month in months:
        key = BookPart(book, month)
        rows = stored_rows(lakehouse, STRATEGY_ROWS, [key]).sort("date", "zone")
        held = lakehouse.scan(STRATEGY_RETURNS, [key]).select(*PNL_SCHEMA).collect()
        named = known.join(held.select("strategy_id").unique(), on="strategy_id", how="semi")
        wanted = named.filter(pl.col("name").is_in(list(names)))
        if wanted.is_empty() or rows.is_empty() or _within(rows, wanted, given):
            continue
        joined = join_months([held], named).returns
        if joined.rows != rows.height:  # of a load that was cut off between the tables
            continue
        joined = with_strategies(joined, wanted["name"].to_list())
        none = pl.repeat(0, joined.strategies, dtype=pl.Int64, eager=True)
        sheets.append(
            BookSheet(
                place=_KEPT,
                pnl_unit=given[0].pnl_unit,
                returns=joined,
                rows=_as_labels(rows),
                strategies=pl.DataFrame(
                    {"name": joined.names, "missing_cells": none, "unreadable_cells": none}
                ),
            )
        )
    return sheets


def _within(rows: pl.DataFrame, strategies: pl.DataFrame, given: Sequence[BookSheet]) -> bool:
    """Whether one landed file holds every cell of stored rows and strategies."""
    keys = ["date", "zone"]
    names = set(strategies["name"])
    return any(
        names <= set(sheet.names)
        and rows.join(sheet.rows.select(keys), on=keys, how="anti", nulls_equal=True).is_empty()
        for sheet in given
    )


def _as_labels(stored: pl.DataFrame) -> pl.DataFrame:
    times = [pl.col(name).str.to_time("%H:%M:%S") for name in ("start_time", "end_time")]
    return stored.drop("book", "part").with_columns(times)


def _known_numbers(lakehouse: Lakehouse, book: str, left_out: Collection[str]) -> dict[str, int]:
    stored = read_part(lakehouse, STRATEGIES, book).select("name", "strategy_id")
    return {name: number for name, number in stored.rows() if name not in left_out}


def _first_free(lakehouse: Lakehouse, book: str) -> int:
    """First number that no stored row has, named or not."""
    if not lakehouse.exists(STRATEGY_RETURNS):
        return 0
    keys = _parts_of(lakehouse, STRATEGY_RETURNS, book)
    largest = lakehouse.scan(STRATEGY_RETURNS, keys).select(pl.col("strategy_id").max()).collect()
    return int(largest.item() or 0) + 1 if largest.item() is not None else 0


def _all_of(lakehouse: Lakehouse, table: str, book: str) -> pl.DataFrame | None:
    if not lakehouse.exists(table):
        return None
    return stored_rows(lakehouse, table, [BookPart(book, ALL)])


def _parts_of(lakehouse: Lakehouse, table: str, book: str) -> list[BookPart]:
    counts = lakehouse.read_partition_counts(table).filter(pl.col("book") == book)
    return [BookPart(book, part) for part in counts["part"]]


def _stored_months(lakehouse: Lakehouse, book: str) -> Iterator[pl.DataFrame]:
    for key in _parts_of(lakehouse, STRATEGY_RETURNS, book):
        yield lakehouse.scan(STRATEGY_RETURNS, [key]).select(*PNL_SCHEMA).collect()


def _store(
    lakehouse: Lakehouse,
    book: str,
    merged: Book,
    read: Sequence[ReadFile],
    known: Mapping[str, int],
    info: Mapping[str, str],
) -> tuple[dict[str, int], list[str], int]:
    """Write what changed; versions of tables written, months replaced, values stored."""
    replaced: list[str] = []
    labels: list[tuple[BookPart, pl.DataFrame]] = []
    cells = 0

    def changed_months() -> Iterator[tuple[BookPart, pl.DataFrame]]:
        nonlocal cells
        for month in merged.months():
            key = BookPart(book, month.month)
            rows = _stored_labels(book, month)
            if not _same(lakehouse, STRATEGY_ROWS, key, rows):
                labels.append((key, rows))
            values = declared(STRATEGY_RETURNS, month.returns, book, month.month)
            if not _same(lakehouse, STRATEGY_RETURNS, key, values):
                replaced.append(month.month)
                cells += values.height
                yield key, values

    versions: dict[str, int] = {}
    changed = changed_months()
    first = next(changed, None)
    if first is not None:
        versions[STRATEGY_RETURNS] = store_parts(
            lakehouse, STRATEGY_RETURNS, _after(first, changed), commit_info=info
        ).version
    if labels:
        versions[STRATEGY_ROWS] = store_parts(
            lakehouse, STRATEGY_ROWS, labels, commit_info=info
        ).version
    strategies = _with_stored(lakehouse, book, merged.strategies, known)
    # strategies last: a book without them is not seen by readers
    for table, rows in ((STRATEGY_FILES, file_rows(read)), (STRATEGIES, strategies)):
        if not _same(lakehouse, table, BookPart(book, ALL), declared(table, rows, book, ALL)):
            versions[table] = write_part(lakehouse, table, rows, book, commit_info=info)
    return versions, replaced, cells


def _after(
    first: tuple[BookPart, pl.DataFrame], rest: Iterator[tuple[BookPart, pl.DataFrame]]
) -> Iterator[tuple[BookPart, pl.DataFrame]]:
    yield first
    yield from rest


def _same(lakehouse: Lakehouse, table: str, key: BookPart, rows: pl.DataFrame) -> bool:
    if not lakehouse.exists(table):
        return False
    return stored_rows(lakehouse, table, [key]).equals(rows)


def _stored_labels(book: str, month: BookMonth) -> pl.DataFrame:
    times = [pl.col(name).dt.to_string("%H:%M:%S") for name in ("start_time", "end_time")]
    return declared(STRATEGY_ROWS, month.rows.with_columns(times), book, month.month)


def _with_stored(
    lakehouse: Lakehouse, book: str, strategies: pl.DataFrame, known: Mapping[str, int]
) -> pl.DataFrame:
    """Strategies of the landed files, and those stored before of months no longer landed."""
    now = strategies.with_columns(pl.col(side).dt.to_string("%H:%M") for side in ("entry", "exit"))
    now = now.filter(pl.col("source_file") != _KEPT)
    stored = _all_of(lakehouse, STRATEGIES, book)
    if stored is None or set(known) <= set(now["name"]):
        return now
    held = pl.concat(
        [
            lakehouse.scan(STRATEGY_RETURNS, [key]).select(pl.col("strategy_id").unique()).collect()
            for key in _parts_of(lakehouse, STRATEGY_RETURNS, book)
        ]
    ).unique()
    gone = stored.filter(pl.col("name").is_in(list(known)), ~pl.col("name").is_in(now["name"]))
    still = gone.join(held, on="strategy_id", how="semi").drop("book", "part")
    return pl.concat([now.select(still.columns), still]).sort("strategy_id")


def wide_rows(stored: StoredBook) -> pl.DataFrame:
    """A book as one wide table, one column a strategy, with what its rows say of themselves."""
    return wide_frame(stored.returns, _as_labels(stored.rows).drop("source_file"))
