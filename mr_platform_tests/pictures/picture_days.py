"""A made-up day with two expiries, and the tables of a home that holds it."""

from __future__ import annotations

import datetime as dt
import io
import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from mr_platform.config.settings import load_settings
from mr_platform.features.table_schemas import MINUTE_PANEL, table_schema
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.pictures.symbol_day import Missing, SymbolDay
from mr_platform.registry.loader import load_registry
from mr_platform.trading_calendar import IST, PartitionKey

DAY = dt.date(2025, 9, 3)
BEFORE = dt.date(2025, 9, 2)
FRONT, NEXT = dt.date(2025, 9, 9), dt.date(2025, 9, 30)
KEY = PartitionKey(DAY, "NIFTY")
MINUTES = 375
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def panel(gap: Sequence[int] = (), futures: bool = True) -> pl.DataFrame:
    """The minute panel; the front expiry is not quoted at the minutes of ``gap``."""
    return _panel(tuple(gap), futures)


@cache
def _panel(gap: tuple[int, ...], futures: bool) -> pl.DataFrame:
    rows = [
        _minute(expiry, minute, quoted=expiry != FRONT or minute not in gap, futures=futures)
        for expiry in (FRONT, NEXT)
        for minute in range(MINUTES)
    ]
    return pl.DataFrame(rows, schema=table_schema(MINUTE_PANEL))


def _minute(expiry: dt.date, minute: int, *, quoted: bool, futures: bool) -> dict[str, Any]:
    spot = 25_000 + 80 * math.sin(minute / 60)
    row: dict[str, Any] = {
        "symbol": KEY.symbol, "date": DAY, "expiry_date": expiry, "dte": (expiry - DAY).days,
        "ts_minute": stamp(minute), "j": minute, "present": quoted, "spot": spot,
    }  # fmt: skip
    if quoted:
        row |= {
            "strd": 220 - 0.05 * minute, "ce": 110.0, "pe": 110.0, "itm1": 230.0, "otm1": 228.0,
            "atm_ce_volume": 75 * minute, "atm_pe_volume": 150,
            "iv_atm": 0.08 + 0.0001 * minute, "iv": 0.08, "s4_rr25": -0.2,
            "g2_gamma_net": 1.0, "ndelta": 0.0, "ngamma": 0.0, "nvega": 0.0,
            "oi_ce": 77_000_000 + 40_000 * minute, "oi_pe": 76_000_000 + 30_000 * minute,
            "max_pain": 25_000.0, "call_wall": 25_500.0 if minute > 100 else 25_100.0,
            "put_wall": 24_950.0, "oi_centroid_ce": 25_100.0, "oi_centroid_pe": 24_900.0,
            "chain_volume": 1_000,
        }  # fmt: skip
    if futures:
        row |= {"fut": spot + 30, "fut_high": spot + 33, "fut_low": spot + 27, "basis": 30.0,
                "fut_volume": 100 + minute}  # fmt: skip
    return row


def stamp(minute: int) -> dt.datetime:
    """A minute of the day's session in UTC."""
    opened = dt.datetime.combine(DAY, dt.time(9, 15), tzinfo=IST)
    return (opened + dt.timedelta(minutes=minute)).astimezone(dt.UTC)


def features(
    component: str, gap: Sequence[int] = (), nulls: Mapping[str, int] | None = None
) -> pl.DataFrame:
    """Rows of a component; a column of ``nulls`` is null before the minute it names."""
    return _features(component, tuple(gap), tuple((nulls or {}).items()))


@cache
def _features(
    component: str, gap: tuple[int, ...], nulls: tuple[tuple[str, int], ...]
) -> pl.DataFrame:
    table = load_registry().components[component].table
    schema = table_schema(table)
    names = [name for name in schema if name.startswith(f"{component}_")]
    late = dict(nulls)
    rows = [
        {
            "symbol": KEY.symbol, "ts_minute": stamp(minute), "date": DAY,
            "dte": (expiry - DAY).days, "zone_name": "OPEN", "feature_version": "1",
            **{name: 0 if minute >= late.get(name, 0) else None for name in names},
        }
        for expiry in (FRONT, NEXT)
        for minute in range(MINUTES)
        if expiry != FRONT or minute not in gap
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=schema)


def previous() -> pl.DataFrame:
    """``hist_daily`` of the day before; the later expiry has no straddle."""
    rows = [
        {
            "symbol": KEY.symbol, "date": BEFORE, "expiry_date": expiry,
            "spot_high": 25_060.0, "spot_low": 24_700.0, "spot_close": 24_990.0,
            **({"strd_high": 240.0, "strd_low": 205.0, "strd_close": 221.0}
               if expiry == FRONT else {}),
        }
        for expiry in (FRONT, NEXT)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=table_schema("hist_daily"))


def symbol_day(**changes: Any) -> SymbolDay:
    """The day as pictures take it: panel, previous day, c1 and c8."""
    given: dict[str, Any] = {
        "symbol": KEY.symbol, "date": DAY, "expiry": FRONT, "panel": panel(),
        "previous": previous(), "components": {"c1": features("c1"), "c8": features("c8")},
    }  # fmt: skip
    return SymbolDay(**{**given, **changes})


def bare_day() -> SymbolDay:
    """A day of which nothing is known but that its minutes exist."""
    keys = ["symbol", "date", "expiry_date", "dte", "ts_minute", "j"]
    empty = panel().with_columns(
        pl.lit(None, dtype).alias(name)
        for name, dtype in table_schema(MINUTE_PANEL).items()
        if name not in keys
    )
    missing = (Missing("c1_features", "scores of c1 are not shown", "mr materialize <c1>"),)
    return symbol_day(panel=empty, previous=pl.DataFrame(), components={}, missing=missing)


def lakehouse(home: Path) -> Lakehouse:
    """The tables of a home."""
    settings = load_settings(home, environment={})
    return Lakehouse(settings.lakehouse_root, settings.parquet)


def store(home: Path, *components: str) -> Lakehouse:
    """Store panel, previous day and these components under a home."""
    tables = lakehouse(home)
    tables.replace_partitions(MINUTE_PANEL, panel(), [KEY])
    tables.replace_partitions("hist_daily", previous(), [PartitionKey(BEFORE, KEY.symbol)])
    for component in components:
        table = load_registry().components[component].table
        tables.replace_partitions(table, features(component), [KEY])
    return tables


def size_of(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG, after a look at its signature."""
    from PIL import Image

    assert png.startswith(SIGNATURE)
    with Image.open(io.BytesIO(png)) as opened:
        opened.load()
        return opened.size
