"""``mr simulate``: option-chain days with known hidden regimes, as files.

Here: arguments, progress, what was written.
Not here: the market (``simulation/``).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from mr_platform.cli.arguments import DATES, NAMES, SYMBOLS, DateRange
from mr_platform.cli.terminal import Terminal, example, facts, table, with_terminal

DEFAULT_DIALECT = "legacy_parquet"


@click.command(
    epilog=example(
        "mr simulate --symbols NIFTY,BANKNIFTY --dates 2024-01-01:2024-01-31 --out sim --seed 7",
        "mr simulate --dates 2024-01-01:2024-01-05 --out sim --dialect legacy_csv_gz "
        "--faults truncated_gz,bom",
        "mr simulate --list",
    )
)
@click.option("--symbols", type=SYMBOLS, default="NIFTY,BANKNIFTY", show_default=True)
@click.option("--dates", type=DATES, help="Days A:B; days without trading are left out.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder to write.")
@click.option("--seed", type=int, default=7, show_default=True, help="Same seed, same files.")
@click.option("--dialect", default=DEFAULT_DIALECT, show_default=True, help="Form of the files.")
@click.option("--faults", type=NAMES, help="Faults to inject; files take them in turn.")
@click.option("--list", "list_only", is_flag=True, help="List dialects and faults, write nothing.")
@with_terminal
def simulate(
    terminal: Terminal,
    symbols: tuple[str, ...],
    dates: DateRange | None,
    out: Path | None,
    seed: int,
    dialect: str,
    faults: tuple[str, ...] | None,
    list_only: bool,
) -> None:
    """Write simulated option-chain days; the hidden regimes go beside them as ground truth."""
    if list_only:
        _list(terminal)
        return
    if dates is None or out is None:
        raise click.UsageError("--dates and --out are needed (or --list).")
    from mr_platform.errors import PlatformError
    from mr_platform.simulation.chain_day import simulate as simulated_days
    from mr_platform.simulation.day_files import GROUND_TRUTH, WriteProgress, write_days
    from mr_platform.trading_calendar import trading_days

    total = len(trading_days(dates.first, dates.last)) * len(symbols)
    if not total:
        raise PlatformError(
            "no day of that range trades",
            place=f"{dates.first}:{dates.last}",
            next_step="Choose a range with a weekday that is no holiday",
        )
    days = simulated_days(symbols, dates.first, dates.last, seed, market=terminal.settings.market)
    with terminal.progress("simulating", total) as advance:

        def on_day(state: WriteProgress) -> None:
            advance(1, f"{state.key}, {state.rows:,} rows")

        report = write_days(days, out, dialect, faults=faults or (), seed=seed, on_day=on_day)
    injected = Counter(file.fault for file in report.files if file.fault)
    document = {
        "out": str(out),
        "dialect": dialect,
        "seed": seed,
        "days": total,
        "files": [
            {
                "path": str(file.path),
                "partition": str(file.key),
                "rows": file.rows,
                "fault": file.fault,
            }
            for file in report.files
        ],
        "ground_truth": str(out / GROUND_TRUTH),
    }
    shown = {
        "days × symbols": total,
        "files": len(report.files),
        "rows": sum(file.rows for file in report.files),
        "where": str(out),
        "ground truth": str(out / GROUND_TRUTH),
    }
    text = facts(shown)
    if injected:
        text += "\n\n" + table(["fault", "files"], sorted(injected.items()), right=(1,))
    terminal.result(document, f"{text}\n\nnext: mr ingest {out}")


def _list(terminal: Terminal) -> None:
    from mr_platform.simulation.dialect_tables import OUTPUT_DIALECTS
    from mr_platform.simulation.faults import FAULTS

    document = {
        "dialects": sorted(OUTPUT_DIALECTS),
        "faults": {
            name: {"cause": fault.description, "dialects": sorted(fault.applies_to)}
            for name, fault in FAULTS.items()
        },
    }
    rows = [(name, fault.description) for name, fault in FAULTS.items()]
    terminal.result(
        document,
        f"dialects: {', '.join(sorted(OUTPUT_DIALECTS))}\n\n{table(['fault', 'cause'], rows)}",
    )
