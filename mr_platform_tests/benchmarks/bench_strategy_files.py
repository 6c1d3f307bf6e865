"""Wide strategy files to the matrix and back: seconds and peak memory, each reader on its own.

``python -m mr_platform_tests.benchmarks.bench_strategy_files`` writes a file of the production
shape (25,544 strategies, 82 rows) and reads it with the product, plain Polars and pandas; with
``--large`` it also writes 100,000 strategies x 1,000 rows (about 1.9 GB in a temporary folder) and
reads it with the product. Every reading is a process of its own, so that its peak is its own.
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from mr_platform_tests.benchmarks.stopwatch import peak_memory_bytes, print_machine, print_table

REPETITIONS = 3
SHAPES = {"production": (25_544, 82), "large": (100_000, 1_000)}


def write_sheet(path: Path, strategies: int, rows: int) -> None:
    """Write a legacy CSV of made-up amounts, one row at a time."""
    random = np.random.default_rng(7)
    names = [
        f"SENSEX {915 + i % 40}-{1000 + i % 60} SL{i // 2400 + 1}%TP{i % 101 + 1}%"
        for i in range(strategies)
    ]
    day = dt.date(2020, 1, 1)
    with path.open("wb") as file:
        # one strategy in a thousand has the name of another
        unique = [f"m{i}_{name}" for i, name in enumerate(names)]
        file.write(("Date,Day," + ",".join(unique) + "\n").encode())
        for _ in range(rows):
            amounts = np.round(random.normal(0.0, 900.0, strategies), 12)
            text = pl.DataFrame({"amount": amounts}).write_csv(include_header=False)
            file.write(f"{day},{day:%A},{text[:-1].replace(chr(10), ',')}\n".encode())
            day += dt.timedelta(days=1)


def read_product(path: Path) -> dict[str, float]:
    """The product's way: file, sheet, months and back."""
    from mr_platform.gateways.strategy_files import LandedStrategies
    from mr_platform.portfolio.strategy_sheets import read_text_sheet
    from mr_platform.portfolio.strategy_tables import join_months, month_frames, number_strategies
    from mr_platform.registry.strategy_files import load_strategy_files
    from mr_platform.trading_calendar import is_trading_day

    # the calendar is loaded once a process, whatever is read
    is_trading_day(dt.date(2024, 1, 4))
    declared = load_strategy_files()
    started = time.perf_counter()
    file = LandedStrategies(path, path.name, declared.delimiter)
    sheet = read_text_sheet(
        file.header.columns, file.pieces(), place=file.relative, declared=declared
    )
    read, memory = time.perf_counter() - started, peak_memory_bytes()
    started = time.perf_counter()
    strategies = number_strategies(sheet.returns.names)
    stored = 0
    with tempfile.TemporaryDirectory() as folder:
        for month, frame in month_frames(sheet.returns, strategies):
            frame.write_parquet(Path(folder) / f"{month}.parquet")
        paths = sorted(Path(folder).glob("*.parquet"))
        stored = sum(path.stat().st_size for path in paths)
        written = time.perf_counter() - started
        started = time.perf_counter()
        joined = join_months((pl.read_parquet(path) for path in paths), strategies)
        back = time.perf_counter() - started
    same = np.array_equal(joined.returns.pnl.view(np.uint64), sheet.returns.pnl.view(np.uint64))
    assert same, "the months do not give the matrix back"
    return {
        "seconds": read,
        "memory": memory,
        "store": written,
        "join": back,
        "stored": stored,
        "memory_all": peak_memory_bytes(),
    }


def read_polars(path: Path) -> dict[str, float]:
    """Plain Polars to a matrix."""
    started = time.perf_counter()
    pl.read_csv(path, infer_schema_length=1).drop("Date", "Day").to_numpy()
    return {"seconds": time.perf_counter() - started, "memory": peak_memory_bytes()}


def read_pandas(path: Path) -> dict[str, float]:
    """Plain pandas to a matrix."""
    import pandas as pd

    started = time.perf_counter()
    pd.read_csv(path).drop(columns=["Date", "Day"]).to_numpy()
    return {"seconds": time.perf_counter() - started, "memory": peak_memory_bytes()}


READERS = {"product": read_product, "polars": read_polars, "pandas": read_pandas}


def measured(reader: str, path: Path) -> dict[str, float]:
    """One reading in a process of its own."""
    command = [sys.executable, "-m", __spec__.name if __spec__ else "", reader, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Measure and print."""
    print_machine("polars", "numpy", "pandas")
    shapes = ["production", *(["large"] if "--large" in sys.argv else [])]
    for shape in shapes:
        strategies, rows = SHAPES[shape]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "strategies.csv"
            write_sheet(path, strategies, rows)
            size = path.stat().st_size
            repetitions = REPETITIONS if shape == "production" else 1
            readers = list(READERS) if shape == "production" else ["product"]
            runs = {
                reader: [measured(reader, path) for _ in range(repetitions)] for reader in readers
            }
        report(shape, size, runs)


def report(shape: str, size: int, runs: dict[str, list[dict[str, float]]]) -> None:
    """Print one shape."""
    strategies, rows = SHAPES[shape]
    matrix = strategies * rows * 8
    print(
        f"\n{strategies:,} strategies x {rows:,} rows, {size / 1e6:,.0f} MB of CSV, matrix "
        f"{matrix / 1e6:,.0f} MB, best of {len(runs['product'])}\n"
    )
    best = {reader: min(found, key=lambda run: run["seconds"]) for reader, found in runs.items()}
    print_table(
        ["reader", "s", "MB/s", "peak memory MB"],
        [
            [
                reader,
                f"{run['seconds']:.2f}",
                f"{size / run['seconds'] / 1e6:,.0f}",
                f"{run['memory'] / 1e6:,.0f}",
            ]
            for reader, run in best.items()
        ],
    )
    product = best["product"]
    print(
        f"Months written in {product['store']:.2f} s ({product['stored'] / 1e6:,.1f} MB), joined "
        f"in {product['join']:.2f} s with the same bits; peak of all of it "
        f"{product['memory_all'] / 1e6:,.0f} MB."
    )


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] in READERS:
        print(json.dumps(READERS[sys.argv[1]](Path(sys.argv[2]))))
    else:
        main()
