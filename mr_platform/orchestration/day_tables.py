"""Reads the tables of one symbol-day for its picture.

Here: which tables, which rows, what is told of those without rows.
Not here: drawing (``pictures/``), events (``day_pictures.py``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import polars as pl

from mr_platform.errors import CalendarError, MissingInputError
from mr_platform.features.table_schemas import MINUTE_PANEL
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.pictures.symbol_day import Missing, SymbolDay
from mr_platform.registry.loader import load_registry
from mr_platform.trading_calendar import PartitionKey, previous_trading_day

_CHAIN = "option_chain"
_LEVELS = "hist_daily"


def read_day(
    lakehouse: Lakehouse,
    key: PartitionKey,
    expiry: dt.date | None = None,
    unstored: Mapping[str, pl.DataFrame] | None = None,
) -> SymbolDay:
    """The tables of a day, those that there are.

    Args:
        lakehouse: The tables.
        key: The day and index.
        expiry: Expiry to see the day from; None takes the front one.
        unstored: Rows, by table, that are made and not yet stored; read in place of the table.

    Raises:
        MissingInputError: The minute panel holds no rows of the day, or not of the expiry.
    """
    fresh = unstored or {}
    panel = _rows(lakehouse, key, MINUTE_PANEL, fresh)
    if panel.is_empty():
        raise _no_panel(lakehouse, key)
    expiries = sorted(panel["expiry_date"].unique())
    if expiry is not None and expiry not in expiries:
        raise MissingInputError(
            f"no contracts expiring on {expiry} are quoted",
            place=str(key),
            next_step=f"Expiries of the day: {', '.join(map(str, expiries))}",
        )
    previous, missing = _previous(lakehouse, key, fresh)
    declared = load_registry().components
    read = {name: _rows(lakehouse, key, each.table, fresh) for name, each in declared.items()}
    components = {name: rows for name, rows in read.items() if not rows.is_empty()}
    missing += _missing_components([name for name in declared if name not in components], key)
    return SymbolDay(
        symbol=key.symbol,
        date=key.date,
        expiry=expiry or expiries[0],
        panel=panel,
        previous=previous,
        components=components,
        missing=tuple(missing),
    )


def _previous(
    lakehouse: Lakehouse, key: PartitionKey, fresh: Mapping[str, pl.DataFrame]
) -> tuple[pl.DataFrame, list[Missing]]:
    try:
        before = PartitionKey(previous_trading_day(key.date), key.symbol)
    except CalendarError:  # the first day of the calendar has none
        return pl.DataFrame(), []
    rows = _rows(lakehouse, before, _LEVELS, fresh)
    if not rows.is_empty():
        return rows, []
    effect = f"levels of {before.date} are not drawn; that day was not made"
    if _fed(lakehouse, before):
        return rows, [Missing(_LEVELS, effect, _command(_LEVELS, before), of="the day before")]
    # a day without a chain cannot be made: only its file helps
    effect += f" and needs its {before.symbol} option-chain file"
    return rows, [Missing(_LEVELS, effect, "mr ingest PATH", of="the day before")]


def _missing_components(names: Sequence[str], key: PartitionKey) -> list[Missing]:
    """One entry for each; one for all where the last of them is missing: it is made of the rest."""
    declared = load_registry().components
    order = list(declared)
    if len(names) > 1 and names[-1] == order[-1]:
        tables = [declared[name].table for name in names]
        whole = names == order[-len(names) :]
        told = f"{tables[0]} to {tables[-1]}" if whole else ", ".join(tables)
        return [Missing(told, "their scores and nulls are not shown", _command(tables[-1], key))]
    return [
        _missing(declared[name].table, f"scores and nulls of {name} are not shown", key)
        for name in names
    ]


def _rows(
    lakehouse: Lakehouse, key: PartitionKey, table: str, fresh: Mapping[str, pl.DataFrame]
) -> pl.DataFrame:
    if table in fresh:
        rows = fresh[table].lazy()
    elif lakehouse.exists(table):
        rows = lakehouse.scan(table, [key])
    else:
        return pl.DataFrame()
    return rows.filter(pl.col("symbol") == key.symbol, pl.col("date") == key.date).collect()


def _missing(table: str, effect: str, key: PartitionKey) -> Missing:
    return Missing(table, effect, _command(table, key))


def _command(table: str, key: PartitionKey) -> str:
    # with all it reads: what is made already is skipped
    return f"mr materialize +{table} --dates {key.date} --symbols {key.symbol}"


def _fed(lakehouse: Lakehouse, key: PartitionKey) -> bool:
    """Whether the chain of a day is there to make tables of."""
    if not lakehouse.exists(_CHAIN):
        return False
    return not lakehouse.scan(_CHAIN, [key]).head(1).collect().is_empty()


def _no_panel(lakehouse: Lakehouse, key: PartitionKey) -> MissingInputError:
    fed = _fed(lakehouse, key)
    step = f"Run `{_command(MINUTE_PANEL, key)}`"
    return MissingInputError(
        f"{MINUTE_PANEL} holds no rows of this day" + ("" if fed else f", nor does {_CHAIN}"),
        place=str(key),
        next_step=step if fed else f"Land its file with `mr ingest PATH`. {step}",
    )
