"""What every real source file becomes: measured, pinned as JSON, shown as a table.

``python -m mr_platform_tests.golden.real_sources`` prints the README's table;
``… --write`` measures again and rewrites the pinned figures after a reviewed change.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mr_platform.chain.ingest import ingest_batch, inspect_source
from mr_platform.config.settings import Settings, load_settings
from mr_platform.gateways.raw_files import RawFile
from mr_platform.trading_calendar import PartitionKey

PINNED = Path(__file__).with_name("real_sources.json")
ARCHIVE = "raw/rohmhatre_2019_15min/legacy_csv_2019-05-23.tar.gz"

SOURCES = {
    "chain/": "prepared chain files (48-column Parquet)",
    "raw/chiragaibooks": "long quotes, one row a contract",
    "raw/nileshipad4": "wide quotes of three indices, 5 min",
    "raw/sanjot": "collected NSE chains, about 65 s",
    "raw/rohmhatre_2019_15min/NIFTY": "NSE snapshots 2019, a day a file",
    "raw/rohmhatre_2019_15min/BANKNIFTY": "NSE snapshots 2019, a day a file",
    ARCHIVE: "NSE snapshots 2019, untouched CSV archive",
}


def settings() -> Settings:
    """Default settings without Great Expectations, which never decides where a row goes."""
    base = load_settings("unused-home", environment={})
    quality = base.quality.model_copy(update={"run_great_expectations": False})
    return base.model_copy(update={"quality": quality})


def real_files(options: Path) -> list[str]:
    """Every real option-chain file, relative to the options folder."""
    patterns = ("chain/*/*.parquet", "raw/chir*/*", "raw/nil*/*", "raw/sanjot*/*", "raw/rohm*/*/*")
    found = [path for pattern in patterns for path in options.glob(pattern)]
    return sorted(str(path.relative_to(options)) for path in found)


def measure(files: list[RawFile]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Partition and figures of every partition that the files hold together."""
    inputs: dict[PartitionKey, list[RawFile]] = {}
    for file in files:
        for key in inspect_source(file).partitions:
            inputs.setdefault(key, []).append(file)
    for partition in ingest_batch(
        inputs, settings(), now=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), code_version="pinned"
    ):
        conserved = partition.audit.row(by_predicate=_conservation(), named=True)
        yield (
            str(partition.key),
            {
                "rows_in": partition.rows_in,
                "rows_good": int(partition.chain["source_rows"].sum()),
                "chain_rows": partition.chain.height,
                "quarantined": partition.quarantined_by_reason(),
                "conserved": bool(conserved["passed"]) and partition.rejection is None,
            },
        )


def _conservation() -> Any:
    import polars as pl

    return pl.col("rule") == "conservation"


def measure_file(options: Path, relative: str) -> dict[str, dict[str, Any]]:
    """Figures of one real file, by partition."""
    return dict(measure([RawFile(options / relative, relative)]))


def measure_archive(options: Path, unpack_into: Path) -> dict[str, Any]:
    """Figures of the untouched CSV archive of 280 files, and how many of them have no rows."""
    with tarfile.open(options / ARCHIVE) as archive:
        archive.extractall(unpack_into, filter="data")
    files = sorted(unpack_into.rglob("*.csv"))
    sources = [RawFile(path, str(path.relative_to(unpack_into))) for path in files]
    usable, faults = [], Counter[str]()
    for source in sources:
        try:
            inspect_source(source)
        except Exception as fault:
            faults[type(fault).__name__] += 1
        else:
            usable.append(source)
    return {"files": len(files), "faults": dict(faults), "partitions": dict(measure(usable))}


def measure_all(options: Path) -> dict[str, Any]:
    """Figures of every real file and of the archive."""
    figures: dict[str, Any] = {
        relative: measure_file(options, relative) for relative in real_files(options)
    }
    with tempfile.TemporaryDirectory() as folder:
        figures[ARCHIVE] = measure_archive(options, Path(folder))
    return figures


def markdown(figures: dict[str, Any]) -> str:
    """The README's table: a line a source."""
    totals: dict[str, Counter[str]] = {}
    reasons: dict[str, Counter[str]] = {}
    for file, partitions in figures.items():
        title = next(title for prefix, title in SOURCES.items() if file.startswith(prefix))
        if file == ARCHIVE:
            title = SOURCES[ARCHIVE]
        held = partitions["partitions"] if file == ARCHIVE else partitions
        total = totals.setdefault(title, Counter())
        total["files"] += partitions["files"] if file == ARCHIVE else 1
        for item in held.values():
            total["rows_in"] += item["rows_in"]
            total["rows_good"] += item["rows_good"]
            total["chain_rows"] += item["chain_rows"]
            reasons.setdefault(title, Counter()).update(item["quarantined"])
    lines = [
        "| source | files | rows in | good | chain rows | quarantined by reason |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for title, total in totals.items():
        told = ", ".join(f"{name} {count:,}" for name, count in reasons[title].most_common())
        cells = (f"{total[name]:,}" for name in ("files", "rows_in", "rows_good", "chain_rows"))
        lines.append(f"| {title} | {' | '.join(cells)} | {told or 'none'} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table; with ``--write`` measure again first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="measure again and rewrite the pins")
    parser.add_argument("--data", default=os.environ.get("MR_TEST_DATA", "../shared/data"))
    arguments = parser.parse_args()
    if arguments.write:
        figures = measure_all(Path(arguments.data) / "options")
        PINNED.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(markdown(json.loads(PINNED.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
