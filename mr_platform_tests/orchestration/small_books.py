"""Small books of strategies: sheets drawn at random, and a home to land and load them in."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import numpy as np
import polars as pl

from mr_platform.config.settings import ParquetSettings, SearchSettings
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.gateways.search_checkpoints import SearchCheckpoints
from mr_platform.gateways.strategy_landing import StrategyLanding
from mr_platform.orchestration import book_report
from mr_platform.orchestration.book_search import search_book
from mr_platform.orchestration.strategy_books import (
    BOOK_TABLES,
    LoadReport,
    StoredBook,
    load_book,
    read_book,
    read_part,
    write_part,
)
from mr_platform.portfolio.strategy_headers import StrategyChoice
from mr_platform.trading_calendar import trading_days

BOOK = "sensex"
ODD_NAMES = (
    "SENSEX 930-1030 SL38%TP27%",
    "M&M, 50 % off & <b>on</b>",
    'far "out" 100%_odd',
    "SENATM1DTE 1226-1326 SL2X56%TP56%",
)
"""Names with per cent signs, commas, ampersands, quotes and blanks."""

ROWS = 40
STRATEGIES = 12
MONTHS = ("2024-01", "2024-02")


def names(count: int = STRATEGIES) -> tuple[str, ...]:
    """So many names, the odd ones first."""
    return (*ODD_NAMES, *(f"SENSEX 1000-1100 SL{n}%" for n in range(count)))[:count]


def sheet(rows: int = ROWS, strategies: int = STRATEGIES, seed: int = 5) -> pl.DataFrame:
    """A sheet in the legacy layout: trading days from January 2024 on, values in rupees."""
    dates = trading_days(dt.date(2024, 1, 1), dt.date(2024, 12, 31))[:rows]
    values = np.random.default_rng(seed).normal(20.0, 400.0, (rows, strategies)).round(2)
    # half of them lose, so that there is something to invert
    values[:, 1::2] -= 40.0
    return pl.DataFrame(
        {
            "Date": [day.isoformat() for day in dates],
            "Day": [day.strftime("%A") for day in dates],
        }
        | {name: values[:, place] for place, name in enumerate(names(strategies))}
    )


def of_month(frame: pl.DataFrame, month: str) -> pl.DataFrame:
    """Rows of a sheet in one month."""
    return frame.filter(pl.col("Date").str.starts_with(month))


def zone_sheet(rows: int = 20) -> pl.DataFrame:
    """A sheet in the enhanced layout: rows by zone, values in per cent, confidence in per cent."""
    dates = trading_days(dt.date(2023, 1, 2), dt.date(2023, 12, 31))[:rows]
    rng = np.random.default_rng(3)
    count = 2 * rows
    return pl.DataFrame(
        {
            "Date": [day.strftime("%d-%m-%Y") for day in dates for _ in "AB"],
            "start_time": ["09:15:00", "12:00:00"] * rows,
            "end_time": ["12:00:00", "15:30:00"] * rows,
            "day": [day.strftime("%A") for day in dates for _ in "AB"],
            "zone": ["A", "B"] * rows,
            "market_regime": ["Bullish_Grind"] * count,
            "Regime_Confidence_%": rng.integers(56, 94, count),
            "Market_regime_transition_threshold": rng.uniform(0.26, 0.74, count).round(3),
            "capital": [100_000] * count,
        }
        | {f"strategy_{n}": rng.normal(0.1, 1.5, count).round(2) for n in range(1, 7)}
    )


def write_sheet(path: Path, frame: pl.DataFrame, *, age: float = 60.0) -> Path:
    """Write a sheet as CSV or Parquet, last changed so many seconds ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path)
    at = time.time() - age
    os.utime(path, (at, at))
    return path


@dataclass(frozen=True)
class Shelf:
    """The landed and the stored books of one home."""

    home: Path
    lakehouse: Lakehouse = field(init=False)
    landing: StrategyLanding = field(init=False)

    def __post_init__(self) -> None:
        root = self.home / "lakehouse"
        object.__setattr__(self, "lakehouse", Lakehouse(root, ParquetSettings()))
        object.__setattr__(self, "landing", StrategyLanding(self.home / "landing"))

    def land(self, name: str, frame: pl.DataFrame, *, book: str = BOOK) -> Path:
        """Put a sheet into the folder of a book."""
        return write_sheet(self.landing.folder / book / name, frame)

    def copied(self, home: Path) -> Shelf:
        """The same books in another home: quicker than loading them again."""
        shutil.copytree(self.home, home)
        return Shelf(home)

    def load(
        self, book: str = BOOK, *, choice: StrategyChoice | None = None, run_id: str = "test"
    ) -> LoadReport:
        """Load what is landed of a book."""
        return load_book(
            book,
            landing=self.landing,
            lakehouse=self.lakehouse,
            choice=choice or StrategyChoice(),
            commit_info={"run_id": run_id},
        )

    def read(self, book: str = BOOK) -> StoredBook:
        """The stored book."""
        return read_book(self.lakehouse, book)

    def values(self, book: str = BOOK) -> pl.DataFrame:
        """What is stored of each strategy and row, with names in the place of numbers."""
        rows = self.lakehouse.scan("strategy_returns").filter(pl.col("book") == book).collect()
        numbered = self.read(book).strategies.select("strategy_id", "name")
        return (
            rows.join(numbered, on="strategy_id", how="left")
            .select("name", "date", "zone", "pnl")
            .sort("name", "date", "zone")
        )

    def versions(self) -> dict[str, int]:
        """Version of each table that a load makes."""
        return {
            table: self.lakehouse.version(table)
            for table in BOOK_TABLES
            if self.lakehouse.exists(table)
        }


@contextmanager
def plain_pages(text: str = "a page") -> Iterator[None]:
    """Reports write this in the place of a page, whose pictures take a second to draw."""
    with patch.object(book_report, "portfolio_page", lambda *_, **__: text):
        yield


def wide(book: StoredBook) -> pl.DataFrame:
    """A stored book as date, zone and a column a strategy, for comparing values bit by bit."""
    returns = book.returns
    columns = {name: returns.pnl[:, place] for place, name in enumerate(returns.names)}
    zones = {} if returns.zones is None else {"zone": list(returns.zones)}
    return pl.DataFrame({"date": returns.dates} | zones | columns)


def values_of(frame: pl.DataFrame, strategies: Sequence[str]) -> np.ndarray:
    """Values of strategies of a sheet, rows by strategies."""
    return frame.select(list(strategies)).to_numpy()


def order(**asked: object) -> SearchSettings:
    """Quick searches: few evaluations, three algorithms."""
    return SearchSettings.model_validate(
        {
            "algorithms": ["hill_climbing", "simulated_annealing", "random_search"],
            "evaluations": 200,
            "seed": 7,
            **asked,
        }
    )


def come_from(shelf: Shelf, members: Sequence[str], file: str) -> None:
    """Let strategies come from another file of the book, as after a load; no return changes."""
    stored = read_part(shelf.lakehouse, "strategies", BOOK).drop("book", "part")
    path = stored["source_file"][0].rpartition("/")[0] + f"/{file}"
    moved = pl.when(pl.col("name").is_in(list(members))).then(pl.lit(path)).otherwise("source_file")
    write_part(shelf.lakehouse, "strategies", stored.with_columns(source_file=moved), BOOK)


def search(shelf: Shelf, size: int, **asked: object) -> None:
    """Search one size of the book and store what was found; a larger size is searched later."""
    kept = SearchCheckpoints(shelf.home / "checkpoints")
    asked = {"algorithms": ["hill_climbing", "random_search"], "evaluations": 60, **asked}
    at = dt.datetime(2026, 7, 26, 16, 32, 51, tzinfo=dt.UTC) + dt.timedelta(minutes=size)
    book = shelf.read()
    found = search_book(book, size, order(**asked), kept, len, at=at).rows(book)
    for table, rows in zip(("portfolios", "portfolio_members"), found, strict=True):
        write_part(shelf.lakehouse, table, rows, BOOK, f"{size:03}")
