"""``mr day``: one symbol-day as a page and a picture.

Here: arguments, where the files go, what is told.
Not here: reading the tables (``orchestration/day_tables.py``), drawing (``pictures/``).
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mr_platform.cli.terminal import Terminal, example, facts, with_terminal

if TYPE_CHECKING:
    from mr_platform.pictures.symbol_day import SymbolDay
    from mr_platform.trading_calendar import PartitionKey


class DayParameter(click.ParamType[dt.date]):
    """``2025-09-03``."""

    name = "date"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> dt.date:
        """Parse one day."""
        if isinstance(value, dt.date):
            return value
        try:
            return dt.date.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no day; write 2025-09-03", param, ctx)


DAY = DayParameter()


@click.command(
    epilog=example("mr day NIFTY 2025-09-03", "mr day BANKNIFTY 2025-09-03 --expiry 2025-10-28")
)
@click.argument("symbol")
@click.argument("date", type=DAY)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where to write (default: $MR_HOME/pictures).",
)
@click.option("--expiry", type=DAY, help="Expiry to see the day from (default: the front one).")
@with_terminal
def day(
    terminal: Terminal, symbol: str, date: dt.date, out: Path | None, expiry: dt.date | None
) -> None:
    """Draw one SYMBOL-day: prices and levels, volatility, open interest, scores, nulls.

    Writes a page that holds everything it shows, and the same as one picture. Draws the tables
    that there are, and says which are missing.
    """
    from mr_platform.gateways.lakehouse import Lakehouse
    from mr_platform.orchestration.day_tables import read_day
    from mr_platform.pictures.source_gaps import source_gaps

    key = _key(symbol, date)
    settings = terminal.existing_home
    read = read_day(Lakehouse(settings.lakehouse_root, settings.parquet), key, expiry)
    page, picture = write_day(read, out or settings.pictures_dir)
    for missing in read.missing:
        terminal.note(f"{missing.text}: {missing.command}")
    gaps = source_gaps(read)
    for gap in gaps:
        terminal.note(gap)
    document = {
        "symbol": read.symbol,
        "date": read.date,
        "expiry": read.expiry,
        "page": str(page),
        "picture": str(picture),
        "missing": [{"table": each.table, "command": each.command} for each in read.missing],
        "gaps": list(gaps),
    }
    shown = {**read.facts, "page": page, "picture": picture}
    terminal.result(document, f"{read.title}\n\n{facts(shown)}")


def _key(symbol: str, date: dt.date) -> PartitionKey:
    from mr_platform.errors import CalendarError
    from mr_platform.trading_calendar import (
        SYMBOLS,
        PartitionKey,
        previous_trading_day,
        why_closed,
    )

    name = symbol.upper()
    if name not in SYMBOLS:
        raise click.BadParameter(
            f"{symbol!r} is no known symbol; known: {', '.join(SYMBOLS)}", param_hint="SYMBOL"
        )
    closed = why_closed(date)
    if closed is not None:
        raise CalendarError(
            f"no trading on this day: {closed}",
            place=date.isoformat(),
            next_step=f"The trading day before it is {previous_trading_day(date)}",
        )
    return PartitionKey(date, name)


def write_day(read: SymbolDay, folder: Path) -> tuple[Path, Path]:
    """Write a day's page and picture; returns their paths."""
    from mr_platform.pictures.day_page import day_page
    from mr_platform.pictures.day_picture import Layout, draw_day, null_section, sections
    from mr_platform.pictures.null_map import null_map
    from mr_platform.registry.loader import load_registry

    shown = sections(read)
    drawn = draw_day(read, shown, Layout())
    by_family = null_section(read, "family")
    families = draw_day(read, [by_family], Layout(), header=False)
    text = day_page(
        read, shown, drawn.parts, null_map(read, load_registry(), "family"), families.png
    )
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{read.symbol}_{read.date}"
    # the front expiry is the day's usual picture; another one stands beside it
    if read.expiry != read.expiries[0]:
        stem += f"_expiry_{read.expiry}"
    page, picture = folder / f"{stem}.html", folder / f"{stem}.png"
    page.write_text(text, encoding="utf-8")
    picture.write_bytes(drawn.png)
    return page, picture
