"""Panel and components by the GPU beside the CPU in the same run: days a second, 1, 20, 250 days.

Runs on a machine with an NVIDIA device in the environment that ``make test-gpu`` makes; anywhere
else it says that no device answers and prints the CPU's figures alone. Both symbols, simulated
days of four expiries, longer ranges repeat them under other dates. The CPU works in the chunks of
dates that the settings name, which suit it best; the GPU is given all dates at once, or what
``--gpu-dates`` allows. Reading and writing of files is no part of it; the way of the data to the
device and back is.
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from mr_platform.features.gpu_operations import refusals_of_frame
from mr_platform.features.table_schemas import MINUTE_PANEL
from mr_platform.gateways.frame_engine import CpuEngine, FrameEngine, gpu_answer, open_engine
from mr_platform.orchestration.derived_tables import CHUNK_DATES, build_table, derived_tables
from mr_platform.orchestration.ingestion import OPTION_CHAIN
from mr_platform.trading_calendar import SYMBOLS, PartitionKey, trading_days
from mr_platform_tests.benchmarks.stopwatch import Stopwatch, print_machine, print_table
from mr_platform_tests.features.chain_days import simulated_chain
from mr_platform_tests.features.whole_graph import history_for, table_named

LAST = dt.date(2025, 9, 5)
SIMULATED = 5
"""Days of each symbol that are simulated."""

FEATURES = [table.name for table in derived_tables() if table.group == "features"]
MOVED = ("date", "expiry_date", "ts_minute")

Frames = dict[str, pl.LazyFrame]


@dataclass(frozen=True)
class Contest:
    """One amount of work by both engines.

    Attributes:
        work: What was worked out.
        dates: Dates of both symbols.
        cpu: Seconds on the CPU.
        gpu: Seconds on the GPU, None where none answers.
    """

    work: str
    dates: int
    cpu: float
    gpu: float | None

    @property
    def row(self) -> tuple[str, ...]:
        """Cells of the printed table."""
        days = self.dates * len(SYMBOLS)
        cells = (self.work, f"{self.dates}", f"{days}", f"{days / self.cpu:.2f}")
        if self.gpu is None:
            return (*cells, "no device", "")
        return (*cells, f"{days / self.gpu:.2f}", f"{self.cpu / self.gpu:.2f}")


def main() -> None:
    """Print the figures, and the size from which the GPU wins."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--days", type=int, nargs="+", default=[1, 20, 250])
    options.add_argument("--panel-days", type=int, default=20, help="most days of the panel: a day "
                         "of both symbols is 0.1 GB of chain")  # fmt: skip
    options.add_argument("--gpu-dates", type=int, help="most dates that the GPU is given at once")
    options.add_argument("--repetitions", type=int, default=3)
    chosen = options.parse_args()
    print_machine("polars")
    answer = gpu_answer()
    gpu = open_engine("gpu", refusals=refusals_of_frame) if answer.device else None
    if gpu is None:
        print(f"No GPU answers here ({answer.fault}): the CPU's figures alone, nothing to compare.")
    else:
        print(f"GPU: {answer.device}")
    print(f"CPU: {CpuEngine().describe()['device']}\n")
    with tempfile.TemporaryDirectory() as folder:
        chains = simulated(Path(folder))
    contests = []
    for days in sorted(chosen.days):
        at_once = min(days, chosen.gpu_dates or days)
        contests += contests_of(chains, days, gpu, at_once, chosen)
    header = ["work", "days", "symbol-days", "CPU symbol-days/s", "GPU symbol-days/s", "GPU/CPU"]
    print_table(header, [contest.row for contest in contests])
    if gpu is not None:
        for work in dict.fromkeys(contest.work for contest in contests):
            print(verdict(work, [contest for contest in contests if contest.work == work]))


def contests_of(
    chains: Mapping[PartitionKey, pl.DataFrame],
    days: int,
    gpu: FrameEngine | None,
    at_once: int,
    chosen: argparse.Namespace,
) -> list[Contest]:
    """Panel (up to its limit) and components of so many days."""
    keys, frames = worked_range(chains, days)
    all_dates = dict.fromkeys(CHUNK_DATES, at_once)
    found = []
    works = {"eight components": FEATURES}
    if days <= chosen.panel_days:
        works = {"minute panel": [MINUTE_PANEL], **works}
        frames[OPTION_CHAIN] = pl.concat(
            [moved(chains[source], key.date) for key, source in keys.items()]
        ).lazy()
    for work, tables in works.items():
        cpu = seconds(CpuEngine(), tables, list(keys), frames, CHUNK_DATES, chosen.repetitions)
        device = (
            None
            if gpu is None
            else seconds(gpu, tables, list(keys), frames, all_dates, chosen.repetitions)
        )
        found.append(Contest(work, days, cpu, device))
    return found


def seconds(
    engine: FrameEngine,
    tables: Sequence[str],
    keys: Sequence[PartitionKey],
    frames: Frames,
    sizes: Mapping[str, int],
    repetitions: int,
) -> float:
    """Median seconds of these tables; a first run builds the plans and warms the device."""
    watch = Stopwatch()
    for repetition in range(repetitions + 1):
        with watch.lap("work" if repetition else "first"):
            for name in tables:
                build_table(table_named(name), keys, frames, engine, sizes)
    return watch.median("work")


def verdict(work: str, contests: Sequence[Contest]) -> str:
    """From which size the GPU wins, as far as these sizes tell."""
    wins = [contest.dates for contest in contests if contest.gpu and contest.gpu < contest.cpu]
    losses = [contest.dates for contest in contests if contest.gpu and contest.gpu >= contest.cpu]
    above = [dates for dates in wins if not losses or dates > max(losses)]
    if not above:
        return f"{work}: the GPU wins at none of these sizes from which on it would keep winning."
    before = f", not yet at {max(losses)}" if losses else ", the smallest that was tried"
    return (
        f"{work}: the GPU wins from {min(above)} days ({min(above) * len(SYMBOLS)} symbol-days) "
        f"on{before}."
    )


# -- the data -------------------------------------------------------------------------------------


def simulated(folder: Path) -> dict[PartitionKey, pl.DataFrame]:
    """Chains of a few days of both symbols."""
    days = trading_days(LAST - dt.timedelta(days=20), LAST)[-SIMULATED:]
    return {
        PartitionKey(day, symbol): simulated_chain(symbol, day, folder)
        for day in days
        for symbol in SYMBOLS
    }


def worked_range(
    chains: Mapping[PartitionKey, pl.DataFrame], days: int
) -> tuple[dict[PartitionKey, PartitionKey], Frames]:
    """Partitions of a range with the simulated one that each repeats, and what components read.

    The tables of the simulated days are worked out once and repeated under other dates; history
    lies before the first date, which later dates read as far as it reaches.
    """
    own = sorted({key.date for key in chains})
    wanted = trading_days(LAST - dt.timedelta(days=2 * days + 20), LAST)[-days:]
    keys = {
        PartitionKey(day, symbol): PartitionKey(own[(place - len(wanted)) % len(own)], symbol)
        for place, day in enumerate(wanted)
        for symbol in SYMBOLS
    }
    first = [
        moved(chains[source], key.date) for key, source in keys.items() if key.date == wanted[0]
    ]
    frames = {name: table.lazy() for name, table in history_for(pl.concat(first), 1).items()}
    made: Frames = {**frames, OPTION_CHAIN: pl.concat(chains.values()).lazy()}
    for name in (MINUTE_PANEL, *FEATURES):
        rows = build_table(table_named(name), list(chains), made, CpuEngine())
        made[name] = rows.lazy()
        parts = {
            key: rows.filter(pl.col("symbol") == key.symbol, pl.col("date") == key.date)
            for key in set(keys.values())
        }
        repeated = [moved(parts[source], key.date) for key, source in keys.items()]
        frames[name] = pl.concat(repeated).lazy()
    return keys, frames


def moved(rows: pl.DataFrame, day: dt.date) -> pl.DataFrame:
    """Rows of one date under another, expiries moved along."""
    by = day - rows["date"][0]
    return rows.with_columns([pl.col(name) + by for name in MOVED if name in rows.columns])


if __name__ == "__main__":
    main()
