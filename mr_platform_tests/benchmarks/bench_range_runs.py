"""A range run of 20 partitions against 20 single runs, and the memory of a full-size batch.

Both through the product's own definitions in process, over simulated days: ``make bench``. Whole
processes for each (as the daemon starts them) add their start, seconds a run, to every single run.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from mr_platform.trading_calendar import PartitionKey, next_trading_day
from mr_platform_tests.benchmarks.stopwatch import (
    Stopwatch,
    peak_memory_bytes,
    print_machine,
    print_table,
)

DAYS = 20
FIRST_DAY = dt.date(2024, 1, 1)
SMALL_MINUTES = 15
MEMORY_AIM = 3.7e9


def days(symbol: str = "NIFTY") -> list[PartitionKey]:
    """Consecutive trading days."""
    found = [FIRST_DAY]
    while len(found) < DAYS:
        found.append(next_trading_day(found[-1]))
    return [PartitionKey(day, symbol) for day in found]


def land(home: Path, keys: Sequence[PartitionKey], *, small: bool) -> int:
    """Write simulated days into a home's landing folder; tells the rows."""
    from mr_platform.config.settings import load_settings
    from mr_platform.simulation.chain_day import DaySpec, simulate_day

    settings = load_settings(home, environment={})
    settings.landing_dir.mkdir(parents=True)
    rows = 0
    for key in keys:
        chain = simulate_day(DaySpec(key.symbol, key.date, 1, settings.market)).chain
        if small:
            times = chain["trade_time"].unique().sort()[:SMALL_MINUTES]
            chain = chain.filter(chain["trade_time"].is_in(times.implode()))
        path = settings.landing_dir / f"{key.symbol}_{key.date}.csv"
        chain.write_csv(path)
        # files younger than the settling time are left alone by a run
        past = time.time() - 3600
        os.utime(path, (past, past))
        rows += chain.height
    return rows


def run(home: Path, batches: Sequence[Sequence[PartitionKey]]) -> None:
    """One run for each batch, in this process, on an instance below the home."""
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "yes"
    import dagster as dg

    from mr_platform.definitions import build_definitions
    from mr_platform.orchestration.partitions import dagster_key, range_tags
    from mr_platform.orchestration.resources import SettingsResource

    job = build_definitions(SettingsResource(home=str(home))).resolve_job_def(
        "ingest_option_chain_job"
    )
    (home / "dagster").mkdir(parents=True, exist_ok=True)
    with dg.DagsterInstance.local_temp(str(home / "dagster")) as instance:
        for batch in batches:
            done = (
                job.execute_in_process(instance=instance, partition_key=dagster_key(batch[0]))
                if len(batch) == 1
                else job.execute_in_process(instance=instance, tags=range_tags(batch))
            )
            assert done.success


def child(task: str, home: Path) -> dict[str, float]:
    """Do one task in a process of its own and tell its figures."""
    done = subprocess.run(
        [sys.executable, "-m", __spec__.name if __spec__ else __name__, task, "--home", str(home)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr[-4000:])
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def do_task(task: str, home: Path) -> dict[str, float]:
    """What a child process does: land files, or run them."""
    keys = days()
    if task in ("land-small", "land-full"):
        return {"rows": land(home, keys, small=task == "land-small")}
    batches = [[key] for key in keys] if task == "run-single" else [keys]
    watch = Stopwatch()
    with watch.lap(task):
        run(home, batches)
    return {"seconds": watch.median(task), "peak": peak_memory_bytes()}


def main() -> None:
    """Measure and print, or be a child."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "task", nargs="?", choices=["land-small", "land-full", "run-single", "run-range"]
    )
    parser.add_argument("--home", type=Path)
    arguments = parser.parse_args()
    if arguments.task:
        print(json.dumps(do_task(arguments.task, arguments.home)))
        return
    print_machine("dagster", "polars", "deltalake")
    with tempfile.TemporaryDirectory() as name:
        compare_runs(Path(name))
    with tempfile.TemporaryDirectory() as name:
        measure_memory(Path(name) / "full")


def compare_runs(folder: Path) -> None:
    """One range run against a run a partition."""
    lines = []
    for task, told in (
        ("run-single", f"{DAYS} runs of 1 partition"),
        ("run-range", f"1 run of {DAYS} partitions"),
    ):
        home = folder / task
        rows = child("land-small", home)["rows"]
        lines.append((told, child(task, home)["seconds"]))
    slowest = lines[0][1]
    print(f"{DAYS} simulated days of {SMALL_MINUTES} minutes, {rows:,.0f} rows in all\n")
    print_table(
        ["in process, imports included", "s", "s a partition", "against single runs"],
        [
            [told, f"{taken:.1f}", f"{taken / DAYS:.2f}", f"{slowest / taken:.1f} ×"]
            for told, taken in lines
        ],
    )


def measure_memory(home: Path) -> None:
    """Peak resident memory of a batch of full-size days."""
    rows = child("land-full", home)["rows"]
    figures = child("run-range", home)
    print_table(
        [f"batch of {DAYS} full days", "rows", "s", "peak memory GB", "aim GB"],
        [
            [
                "simulated NIFTY, CSV",
                f"{rows:,.0f}",
                f"{figures['seconds']:.1f}",
                f"{figures['peak'] / 1e9:.2f}",
                f"< {MEMORY_AIM / 1e9:.1f}",
            ]
        ],
    )


if __name__ == "__main__":
    main()
