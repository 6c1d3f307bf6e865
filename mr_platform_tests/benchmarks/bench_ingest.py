"""One day, CSV to lakehouse, against pandas on the same file: ``make bench``.

The real NIFTY day of 2025-08-29 where the folder of real data exists, else a simulated day. Each
repetition runs the product and pandas after one another, so that both see the same machine.
"""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from pathlib import Path

import polars as pl

from mr_platform.chain.ingest import IngestedPartition, ingest_batch, inspect_source
from mr_platform.config.settings import Settings, load_settings
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.gateways.raw_files import RawFile
from mr_platform.trading_calendar import PartitionKey
from mr_platform_tests.benchmarks.stopwatch import Stopwatch, print_machine, print_table

REPETITIONS = 5
DAY = PartitionKey(dt.date(2025, 8, 29), "NIFTY")
STEPS = ("parse", "units", "rules", "derive", "audit", "expectations", "write")
TOLD = {
    "parse": "parse (header, dialect, cells)",
    "units": "units settled and converted",
    "rules": "rules, session, duplicates",
    "derive": "minutes, strikes, buckets, missing IV and Greeks",
    "audit": "quarantine, accounts, audit",
    "expectations": "Great Expectations",
    "write": "write four Delta tables",
}
# what a minute panel of the eight components asks of the chain
PANEL_COLUMNS = [
    "ts_minute", "expiry_date", "strike", "spot", "atm_strike", "dte", "expiry_bucket",
    *(
        f"{leg}_{part}"
        for leg in ("ce", "pe")
        for part in ("close", "volume", "oi", "coi", "iv", "delta", "gamma", "theta", "vega")
    ),
    "future_close",
]  # fmt: skip


def write_day(folder: Path, settings: Settings) -> tuple[RawFile, str, int]:
    """Write the day as CSV and tell where it comes from and how many rows it has."""
    named = os.environ.get("MR_TEST_DATA")
    data = Path(named) if named else Path(__file__).parents[2].parent / "shared" / "data"
    real = data / "options" / "chain" / f"symbol={DAY.symbol}" / f"{DAY.symbol}_{DAY.date}.parquet"
    if real.is_file():
        frame, source = pl.read_parquet(real), "real"
    else:
        from mr_platform.simulation.chain_day import DaySpec, simulate_day

        frame = simulate_day(DaySpec(DAY.symbol, DAY.date, 1, settings.market)).chain
        source = "simulated"
    path = folder / f"{DAY.symbol}_{DAY.date}.csv"
    frame.write_csv(path)
    return RawFile(path, path.name), source, frame.height


def ingest(file: RawFile, settings: Settings) -> IngestedPartition:
    """The product's way from file to frames."""
    # a new RawFile each time: header and digest are remembered by the object
    [partition] = ingest_batch(
        {DAY: [RawFile(file.path, file.relative)]},
        settings,
        now=dt.datetime.now(dt.UTC),
        code_version="benchmark",
    )
    if partition.rejection is not None:
        raise partition.rejection
    return partition


def store(partition: IngestedPartition, lakehouse: Lakehouse) -> None:
    """One commit a table, as a run makes them."""
    for table, frame in {
        "landed_files": partition.files,
        "quarantined_rows": partition.quarantine,
        "load_audit": partition.audit,
        "option_chain": partition.chain,
    }.items():
        lakehouse.replace_partitions(table, frame, [DAY])


def main() -> None:
    """Measure and print."""
    import pandas as pd

    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = load_settings(folder / "home", environment={})
        file, source, rows = write_day(folder, settings)
        lakehouse = Lakehouse(settings.lakehouse_root, settings.parquet)
        size = file.path.stat().st_size
        print_machine("polars", "deltalake", "pandas", "pyarrow", "great-expectations")
        print(
            f"{source} {DAY}: {rows:,} rows, {size / 1e6:.0f} MB of CSV, median of {REPETITIONS}\n"
        )

        # the first pass pays for imports (Great Expectations alone takes seconds) and makes the
        # tables; it is told apart and not counted
        with watch.lap("first pass"):
            first = ingest(file, settings)
            store(first, lakehouse)
        assert first.chain.height + first.quarantine.height == rows

        for _ in range(REPETITIONS):
            with watch.lap("pandas"):
                pd.read_csv(file.path).to_parquet(folder / "pandas.parquet")
            with watch.lap("product"):
                partition = ingest(file, settings)
                with watch.lap("write"):
                    store(partition, lakehouse)
            for step, seconds in partition.timings.items():
                watch.add(step, seconds)
            with watch.lap("inspect"):
                inspect_source(RawFile(file.path, file.relative))
            with watch.lap("read panel"):
                lakehouse.scan("option_chain", [DAY]).select(PANEL_COLUMNS).collect()
            with watch.lap("read all"):
                lakehouse.scan("option_chain", [DAY]).collect()
            with watch.lap("read csv"):
                pd.read_csv(file.path)
        reference = watch.median("pandas")
        report_ingest(watch, rows, reference)
        report_reads(watch)
        print(
            f"First pass with imports {watch.median('first pass'):.1f} s. Cataloguing the file when"
            f" it lands (once a file): {watch.median('inspect'):.2f} s. Stored"
            f" {first.chain.height:,} rows, quarantined {first.quarantine.height:,}.\n"
        )


def report_ingest(watch: Stopwatch, rows: int, reference: float) -> None:
    """Print the way in by step, against pandas."""
    lines = [
        [TOLD.get(step, step), f"{watch.median(step):.3f}", watch.spread(step), "", ""]
        for step in STEPS
        if step in watch.seconds
    ]
    for name, step in (("all of it", "product"), ("pandas read_csv → to_parquet", "pandas")):
        seconds = watch.median(step)
        lines.append(
            [
                name,
                f"{seconds:.3f}",
                watch.spread(step),
                f"{rows / seconds / 1e6:.2f}",
                f"{reference / seconds:.2f} ×",
            ]
        )
    print_table(["CSV → lakehouse", "s", "from–to", "M rows/s", "against pandas"], lines)


def report_reads(watch: Stopwatch) -> None:
    """Print what reading the day back costs, against pandas."""
    reference = watch.median("read csv")
    print_table(
        ["reading the day", "s", "from–to", "against pandas"],
        [
            [
                name,
                f"{watch.median(step):.3f}",
                watch.spread(step),
                f"{reference / watch.median(step):.1f} ×",
            ]
            for name, step in (
                (f"lakehouse, the {len(PANEL_COLUMNS)} columns of a feature run", "read panel"),
                ("lakehouse, all columns", "read all"),
                ("pandas read_csv", "read csv"),
            )
        ],
    )


if __name__ == "__main__":
    main()
