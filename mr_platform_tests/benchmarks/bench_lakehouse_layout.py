"""How the option chain is best laid out on disk, in figures.

    python -m mr_platform_tests.benchmarks.bench_lakehouse_layout [--days N]

Prints: what one symbol-day costs to write and read by compression, by row-group size and by
writer; what one day and one month cost in a table partitioned by day and in one partitioned by
month; what finding one partition costs as the table grows. Takes the NIFTY day of 2025-08-29
where the real data is at hand, else generated rows of the same shape.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from mr_platform.config.settings import ParquetSettings
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.gateways.partition_files import polars_options, write_partition
from mr_platform.gateways.partition_layout import SYMBOL_DATE
from mr_platform.trading_calendar import PartitionKey

DAY = dt.date(2025, 8, 29)
KEY = PartitionKey(DAY, "NIFTY")
REPOSITORY = Path(__file__).resolve().parents[2]
MARKS = (
    "spot_computed", "atm_computed", "ce_iv_computed", "pe_iv_computed",
    "ce_greeks_computed", "pe_greeks_computed",
)  # fmt: skip
TEXTS = ("expiry_bucket", "zone_name", "call_strike_type", "put_strike_type")


def chain_day() -> tuple[pl.DataFrame, str]:
    """One symbol-day in the shape of the table, and where it is from."""
    named = os.environ.get("MR_TEST_DATA")
    data = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    source = data / "options/chain/symbol=NIFTY/NIFTY_2025-08-29.parquet"
    if not source.exists():
        return generated_day(), "generated rows"
    instant = pl.col("trade_date").dt.combine(pl.col("trade_time"))
    frame = pl.read_parquet(source).select(
        pl.col("index_name").alias("symbol"),
        pl.col("trade_date").alias("date"),
        instant.dt.replace_time_zone("Asia/Kolkata")
        .dt.convert_time_zone("UTC")
        .dt.cast_time_unit("us")
        .alias("ts_minute"),
        pl.exclude("index_name", "trade_date", "trade_time"),
        *[pl.lit(False).alias(name) for name in MARKS],
        pl.lit(1, pl.Int32).alias("source_rows"),
    )
    return frame.sort("ts_minute", "expiry_date", "strike"), source.name


def generated_day(rows: int = 170_000) -> pl.DataFrame:
    """Random rows of the chain's shape: 40 numbers rounded to ticks, texts, marks."""
    random = np.random.default_rng(1)
    minute = np.arange(rows) * 375 // rows
    start = np.datetime64(f"{DAY}T03:45:00", "us")
    frame = pl.DataFrame(
        {
            "symbol": pl.repeat("NIFTY", rows, eager=True),
            "date": pl.repeat(DAY, rows, eager=True),
            "ts_minute": start + minute.astype("timedelta64[m]"),
            "expiry_date": DAY + dt.timedelta(days=4),
            "strike": 24_000.0 + 50 * (np.arange(rows) % 450),
            **{name: random.choice(["CW", "NW", "CM"], rows) for name in TEXTS},
            **{f"value_{n}": random.exponential(200, rows).round(2) for n in range(38)},
            **{name: np.zeros(rows, dtype=bool) for name in MARKS},
        }
    )
    return frame.with_columns(pl.col("ts_minute").dt.replace_time_zone("UTC"))


def best(work: Callable[[], object], times: int = 5) -> float:
    """Least wall time of several runs, in milliseconds."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken) * 1e3


def told(title: str, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print one Markdown table."""
    print(f"\n### {title}\n")
    print("| " + " | ".join(headers) + " |")
    print("|" + "---|" * len(headers))
    for row in rows:
        cells = [f"{cell:,.1f}" if isinstance(cell, float) else str(cell) for cell in row]
        print("| " + " | ".join(cells) + " |", flush=True)


def compressions(frame: pl.DataFrame, folder: Path) -> None:
    """One symbol-day by compression and row-group size."""
    file = folder / "day.parquet"
    content = frame.drop("symbol", "date")
    rows = []
    for compression, level, group in (
        ("zstd", 1, 131_072), ("zstd", 1, 32_768), ("zstd", 1, 1_000_000), ("zstd", 3, 131_072),
        ("zstd", 9, 131_072), ("snappy", None, 131_072), ("lz4", None, 131_072),
        ("gzip", 6, 131_072), ("uncompressed", None, 131_072),
    ):  # fmt: skip
        options = polars_options(
            ParquetSettings(
                compression=compression,  # type: ignore[arg-type]
                compression_level=level,
                row_group_rows=group,
            )
        )
        write = best(lambda options=options: content.write_parquet(file, **options), 3)  # type: ignore[misc]
        size = file.stat().st_size / 1e6
        read = best(lambda: pl.read_parquet(file))
        some = ["ts_minute", "strike", "ce_close", "pe_close", "ce_iv", "pe_iv"]
        present = [name for name in some if name in content.columns]
        few = best(lambda present=present: pl.read_parquet(file, columns=present))  # type: ignore[misc]
        name = compression if level is None else f"{compression} {level}"
        rows.append((name, f"{group:,}", write, size, read, few))
    headers = ("compression", "rows a group", "write ms", "MB", "read all ms", "read 6 columns ms")
    told(f"One symbol-day of {frame.height:,} rows × {frame.width} columns", headers, rows)


def writers(frame: pl.DataFrame, folder: Path) -> None:
    """The same day through each way of writing; read back through each way of reading."""
    from deltalake import WriterProperties, write_deltalake

    settings = ParquetSettings()
    lakehouse = Lakehouse(folder / "ours", settings)
    foreign = str(folder / "foreign")
    properties = WriterProperties(
        compression="ZSTD", compression_level=1, max_row_group_size=settings.row_group_rows
    )
    write_deltalake(foreign, frame, partition_by=["symbol", "date"], writer_properties=properties)
    chosen = f"symbol = 'NIFTY' AND date = '{DAY}'"

    def replace_where() -> None:
        write_deltalake(
            foreign, frame, mode="overwrite", predicate=chosen, writer_properties=properties
        )

    mine = (pl.col("symbol") == "NIFTY") & (pl.col("date") == DAY)
    rows = [
        ("deltalake writer, mode=overwrite, predicate", best(replace_where)),
        (
            "data file alone",
            best(lambda: write_partition(str(folder / "file"), SYMBOL_DATE, KEY, frame, settings)),
        ),
        (
            "Lakehouse.replace_partitions",
            best(lambda: lakehouse.replace_partitions("chain", frame, [KEY])),
        ),
        (
            "polars.scan_delta, whole day",
            best(lambda: pl.scan_delta(foreign).filter(mine).collect()),
        ),
        ("Lakehouse.scan, whole day", best(lambda: lakehouse.scan("chain", [KEY]).collect())),
    ]
    told("Ways to write and read one symbol-day", ("way", "ms"), rows)


def layouts(frame: pl.DataFrame, folder: Path, days: int) -> None:
    """Partitioned by day against partitioned by month."""
    from deltalake import WriterProperties, write_deltalake

    dates = [dt.date(2025, 8, 1) + dt.timedelta(days=n) for n in range(days)]
    properties = WriterProperties(compression="ZSTD", compression_level=1)
    lakehouse = Lakehouse(folder / "by_day", ParquetSettings())
    by_month = str(folder / "by_month")
    for day in dates:
        of_day = frame.with_columns(date=pl.lit(day))
        lakehouse.replace_partitions("chain", of_day, [PartitionKey(day, "NIFTY")])
        write_deltalake(
            by_month,
            of_day.with_columns(month=pl.lit("2025-08")),
            mode="append",
            partition_by=["symbol", "month"],
            writer_properties=properties,
        )
    one, key = dates[days // 2], PartitionKey(dates[days // 2], "NIFTY")
    again = frame.with_columns(date=pl.lit(one))
    where = f"symbol = 'NIFTY' AND month = '2025-08' AND date = '{one}'"

    def replace_in_month() -> None:
        write_deltalake(
            by_month,
            again.with_columns(month=pl.lit("2025-08")),
            mode="overwrite",
            predicate=where,
            writer_properties=properties,
        )

    mine = (pl.col("symbol") == "NIFTY") & (pl.col("date") == one)
    few = ("date", "ts_minute", "strike")
    rows = [
        (
            "replace one day",
            best(lambda: lakehouse.replace_partitions("chain", again, [key]), 3),
            best(replace_in_month, 3),
        ),
        (
            "read one day",
            best(lambda: lakehouse.scan("chain", [key]).collect(), 3),
            best(lambda: pl.scan_delta(by_month).filter(mine).collect(), 3),
        ),
        (
            f"read 3 columns of {days} days",
            best(lambda: lakehouse.scan("chain").select(few).collect(), 3),
            best(lambda: pl.scan_delta(by_month).select(few).collect(), 3),
        ),
    ]
    headers = ("work", "symbol, date: ms", "symbol, month: ms")
    told(f"Chain partitioned by day and by month, {days} days of one symbol", headers, rows)


def growth(frame: pl.DataFrame, folder: Path) -> None:
    """What finding one partition costs as partitions grow in number."""
    lakehouse = Lakehouse(folder / "growing", ParquetSettings())
    small = frame.head(50)
    rows = []
    total = 0
    for target in (20, 500, 2_000):
        while total < target:
            keys = [
                PartitionKey(DAY + dt.timedelta(days=n), "NIFTY")
                for n in range(total, min(total + 100, target))
            ]
            dates = pl.DataFrame({"date": [key.date for key in keys]})
            many = small.drop("date").join(dates, how="cross").select(frame.columns)
            lakehouse.replace_partitions("chain", many, keys)
            total += len(keys)
        key = PartitionKey(DAY, "NIFTY")

        def first_look(key: PartitionKey = key) -> None:
            Lakehouse(lakehouse.root, ParquetSettings()).scan("chain", [key]).collect()

        rows.append(
            (
                f"{total:,}",
                best(first_look),
                best(lambda key=key: lakehouse.scan("chain", [key]).collect()),  # type: ignore[misc]
                best(lambda: lakehouse.read_partition_counts("chain")),
            )
        )
    headers = ("partitions", "first look ms", "next looks ms", "all counts ms")
    told("Finding one partition (50 rows) as the table grows", headers, rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run every comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--days", type=int, default=10, help="days in the layout comparison")
    options = parser.parse_args(arguments)
    frame, origin = chain_day()
    print(f"{origin}: {frame.height:,} rows × {frame.width} columns, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        compressions(frame, Path(folder))
        writers(frame, Path(folder))
        layouts(frame, Path(folder), options.days)
        growth(frame, Path(folder))


if __name__ == "__main__":
    main()
