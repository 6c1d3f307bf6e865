"""``mr quarantine``: the rows that were set apart, and why.

Here: filters, counts by reason, the rows themselves.
Not here: which row is bad (``chain/quality.py``).
"""

from __future__ import annotations

from typing import Any

import click

from mr_platform.cli.arguments import DATES, SYMBOLS, DateRange
from mr_platform.cli.terminal import Terminal, example, table, with_terminal

TABLE = "quarantined_rows"
_BY_REASON = ("reason", "counts_as_bad", "rows", "partitions", "files")


@click.group(epilog=example("mr quarantine show --symbols NIFTY --reason out_of_range --limit 20"))
def quarantine() -> None:
    """Rows that were set apart, and why."""


@quarantine.command(
    epilog=example(
        "mr quarantine show",
        "mr quarantine show --dates 2025-08-29 --symbols NIFTY --reason duplicate_key",
    )
)
@click.option("--symbols", "--symbol", type=SYMBOLS, help="Only these symbols.")
@click.option("--dates", type=DATES, help="Only these days, A:B.")
@click.option("--reason", help="Only this reason.")
@click.option("--file", "file", help="Only files whose path holds this text.")
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True)
@with_terminal
def show(
    terminal: Terminal,
    symbols: tuple[str, ...] | None,
    dates: DateRange | None,
    reason: str | None,
    file: str | None,
    limit: int,
) -> None:
    """Count quarantined rows by reason, then show the first of them."""
    import polars as pl

    from mr_platform.gateways.lakehouse import Lakehouse

    settings = terminal.existing_home
    lakehouse = Lakehouse(settings.lakehouse_root, settings.parquet)
    if not lakehouse.exists(TABLE):
        terminal.result(
            {"total": 0, "by_reason": [], "rows": []},
            "nothing was quarantined: no partition has been loaded yet",
        )
        return
    rows = lakehouse.scan(TABLE)
    if symbols:
        rows = rows.filter(pl.col("symbol").is_in(symbols))
    if dates:
        rows = rows.filter(pl.col("date").is_between(dates.first, dates.last))
    if reason:
        rows = rows.filter(pl.col("reason") == reason)
    if file:
        rows = rows.filter(pl.col("file").str.contains(file, literal=True))
    by_reason = (
        rows.group_by("reason", "counts_as_bad")
        .agg(
            rows=pl.len().cast(pl.Int64),
            partitions=pl.struct("symbol", "date").n_unique().cast(pl.Int64),
            files=pl.col("file").n_unique().cast(pl.Int64),
        )
        .sort(["rows", "reason"], descending=[True, False])
        .select(_BY_REASON)
        .collect()
    )
    order = ["symbol", "date", "file", "row_number"]
    first = rows.sort(order).head(limit).collect().to_dicts() if limit else []
    total = int(by_reason["rows"].sum())
    document = {"total": total, "by_reason": by_reason.to_dicts(), "rows": first}
    terminal.result(document, _text(total, by_reason.rows(), first))


def _text(total: int, by_reason: list[tuple[Any, ...]], first: list[dict[str, Any]]) -> str:
    if not total:
        return "no quarantined row matches"
    headers = ["reason", "counts as bad", "rows", "partitions", "files"]
    parts = [f"{total:,} quarantined rows", table(headers, by_reason, right=(2, 3, 4))]
    if first:
        columns = ("symbol", "date", "file", "row_number", "reason", "detail")
        shown = [[row[column] for column in columns] for row in first]
        parts.append(f"the first {len(first):,}:")
        parts.append(table([c.replace("_", " ") for c in columns], shown, right=(3,)))
    return "\n\n".join(parts)
