"""Faults in the rows of a delivered file, each imitating a cause seen in practice.

Here: injectors on a table before it is written.
Not here: damage to bytes (``file_faults.py``), names and applicability (``faults.py``).

Each function takes the table, the roles of its columns and a random stream, and returns the
damaged table. The first line of its docstring tells the cause.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl

from mr_platform.simulation.dialect_tables import ColumnRoles
from mr_platform.trading_calendar import is_trading_day

_FEW = 0.01
_GAP_MINUTES = 20
_BAR = ("open", "high", "low", "close")
_MARK = "_hit"


def _mark(table: pl.DataFrame, random: np.random.Generator, share: float = _FEW) -> pl.DataFrame:
    """The table with a Boolean column that marks some rows, at least one."""
    hit = random.random(table.height) < share
    if table.height:
        hit[int(random.integers(table.height))] = True
    return table.with_columns(pl.Series(_MARK, hit))


def _replaced(marked: pl.DataFrame, changes: dict[str, pl.Expr]) -> pl.DataFrame:
    """Marked rows with new values in some columns."""
    return marked.with_columns(
        **{
            name: pl.when(_MARK).then(value).otherwise(pl.col(name))
            for name, value in changes.items()
        }
    ).drop(_MARK)


def _late_half(table: pl.DataFrame) -> pl.DataFrame:
    """The table with the later half of its rows marked."""
    return table.with_columns((pl.int_range(pl.len()) >= pl.len() // 2).alias(_MARK))


def day_first_dates(
    table: pl.DataFrame, roles: ColumnRoles, random: np.random.Generator
) -> pl.DataFrame:
    """Dates saved as day-month-year, as a spreadsheet with Indian settings does."""
    dates = [name for name, dtype in table.schema.items() if dtype == pl.Date]
    return table.with_columns(pl.col(dates).dt.strftime("%d-%m-%Y"))


def mixed_iv_units(
    table: pl.DataFrame, roles: ColumnRoles, random: np.random.Generator
) -> pl.DataFrame:
    """Implied volatility turns from percent to decimal at noon: the vendor changed its code."""
    return _replaced(_late_half(table), {name: pl.col(name) / 100.0 for name in roles.ivs})


def mixed_oi_units(
    table: pl.DataFrame, roles: ColumnRoles, random: np.random.Generator
) -> pl.DataFrame:
    """Open interest turns from units to lots at noon: a second feed took over."""
    return _replaced(
        _late_half(table), {name: pl.col(name) // roles.lot_size for name in roles.open_interest}
    )


def nan_values(
    table: pl.DataFrame, roles: ColumnRoles, random: np.random.Generator
) -> pl.DataFrame:
    """NaN in prices and volatilities, as a pandas pipeline writes missing values."""
    gone = pl.lit(float("nan"))
    return _replaced(_mark(table, random), dict.fromkeys((*roles.prices, *roles.ivs), gone))


def inf_values(
    table: pl.DataFrame, roles: ColumnRoles, random: np.random.Generator
) -> pl.DataFrame:
    """Infinities in volatilities, from a division by a vanished vega."""
    endless = pl.lit(float("inf"))
    return _replaced(_mark(table, random), dict.fromkeys((*roles.prices[:1], *roles.ivs), endless))


def negative_prices(
    table: pl.DataFrame, roles: ColumnRoles, random: np.random.Generator
) -> pl.DataFrame:
    """Premiums below zero, from a model written over quotes."""
    return _replaced(_mark(table, random), {name: -pl.col(name) for name in roles.prices})


def negative_volume(
    table: pl.DataFrame, roles: ColumnRoles, random: np.random.Generator
) -> pl.DataFrame:
    """Traded quantity below zero, from a counter that wrapped around."""
    return _replaced(_mark(table, random), {name: -pl.col(name) - 1 for name in roles.volumes})


def extra_column(
    table: pl.DataFrame, roles: ColumnRoles, random: np.random.Generator
) -> pl.DataFrame:
    """A column nobody announced, as vendors add them."""
    return table.with_columns(vendor_score=pl.lit(1.5))


def missing_column(
    table: pl.DataFrame, roles: ColumnRoles, random: np.random.Generator
) -> pl.DataFrame:
    """The strike column is absent: an export with one field unticked."""
    return table.drop(roles.strike)


def _shifted(table: pl.DataFrame, roles: ColumnRoles, minutes: int) -> pl.DataFrame:
    name = str(roles.instant)
    if roles.instant_format is None:
        moved = (pl.col(name).cast(pl.Int64) + minutes * 60_000_000_000).cast(pl.Time)
    else:
        parsed = pl.col(name).str.to_datetime(roles.instant_format)
        moved = (parsed + pl.duration(minutes=minutes)).dt.strftime(roles.instant_format)
    return table.with_columns(moved.alias(name))


def outside_session(
    table: pl.DataFrame, roles: ColumnRoles, random: np.random.Generator
) -> pl.DataFrame:
    """Rows before 09:15 and after 15:29: a collector that runs by its own clock."""
    instant = str(roles.instant)
    opening = table.filter(pl.col(instant) == table[instant][0])
    closing = table.filter(pl.col(instant) == table[instant][-1])
    return pl.concat([_shifted(opening, roles, -16), table, _shifted(closing, roles, 16)])


def holiday_file(
    table: pl.DataFrame, roles: ColumnRoles, random: np.random.Generator
) -> pl.DataFrame:
    """The whole file dated on a day without trading: a collector saved the stale page."""
    if roles.date is not None:
        closed = _next_closed(table[roles.date][0])
        return table.with_columns(pl.lit(closed).alias(roles.date))
    name, form = str(roles.instant), str(roles.instant_format)
    moments = pl.col(name).str.to_datetime(form)
    day = table.select(moments.dt.date())[name][0]
    moved = moments + (_next_closed(day) - day)
    return table.with_columns(moved.dt.strftime(form))


def _next_closed(day: dt.date) -> dt.date:
    while is_trading_day(day):
        day += dt.timedelta(days=1)
    return day


def swapped_expiries(
    table: pl.DataFrame, roles: ColumnRoles, random: np.random.Generator
) -> pl.DataFrame:
    """Two expiries carry each other's date: a wrong row in the vendor's contract master."""
    name = str(roles.expiry)
    known = table[name].unique(maintain_order=True)
    first, second = known[0], known[1]
    return table.with_columns(pl.col(name).replace([first, second], [second, first]))


def expiry_before_date(
    table: pl.DataFrame, roles: ColumnRoles, random: np.random.Generator
) -> pl.DataFrame:
    """Some expiries lie in the past: contracts not purged from the master."""
    name = str(roles.expiry)
    if roles.expiry_format is None:
        earlier = pl.col(name) - dt.timedelta(days=400)
    else:
        parsed = pl.col(name).str.to_date(roles.expiry_format) - dt.timedelta(days=400)
        earlier = parsed.dt.strftime(roles.expiry_format)
    return _replaced(_mark(table, random), {name: earlier})


def unknown_symbol(
    table: pl.DataFrame, roles: ColumnRoles, random: np.random.Generator
) -> pl.DataFrame:
    """Rows of an index the platform does not know: the export covered one more."""
    return _replaced(_mark(table, random, 0.05), {str(roles.symbol): pl.lit("SENSEX")})


def null_strikes(
    table: pl.DataFrame, roles: ColumnRoles, random: np.random.Generator
) -> pl.DataFrame:
    """Strikes missing in some rows: a join in the vendor's pipeline found no partner."""
    return _replaced(_mark(table, random), {roles.strike: pl.lit(None)})


def header_only(
    table: pl.DataFrame, roles: ColumnRoles, random: np.random.Generator
) -> pl.DataFrame:
    """A header and no row: the export ran before the data was there."""
    return table.clear()


def duplicate_rows(
    table: pl.DataFrame, roles: ColumnRoles, random: np.random.Generator
) -> pl.DataFrame:
    """Some rows twice, identical: a batch sent again after a timeout."""
    again = _mark(table, random, 0.02).filter(_MARK).drop(_MARK)
    return pl.concat([table, again])


def conflicting_duplicates(
    table: pl.DataFrame, roles: ColumnRoles, random: np.random.Generator
) -> pl.DataFrame:
    """Some keys twice with different prices: two feeds merged."""
    again = _mark(table, random, 0.02).filter(_MARK).drop(_MARK)
    # whole bars move, so that each copy is sound by itself
    bars = [name for name in table.columns if name[:3] in ("ce_", "pe_") and name[3:] in _BAR]
    other = again.with_columns(pl.col(list(dict.fromkeys((*roles.prices, *bars)))) + 1.0)
    return pl.concat([table, other])


def low_above_high(
    table: pl.DataFrame, roles: ColumnRoles, random: np.random.Generator
) -> pl.DataFrame:
    """Low and high exchanged in some bars: columns mapped the wrong way round."""
    marked = _mark(table, random)
    wider = {"ce_low": pl.col("ce_high") + 1.0, "ce_high": pl.col("ce_low")}
    return _replaced(marked, wider)


def two_spots_in_a_minute(
    table: pl.DataFrame, roles: ColumnRoles, random: np.random.Generator
) -> pl.DataFrame:
    """Rows of one minute disagree on the index: calls and puts were fetched apart."""
    return _replaced(_mark(table, random), {str(roles.spot): pl.col(str(roles.spot)) + 7.5})


def text_in_numbers(
    table: pl.DataFrame, roles: ColumnRoles, random: np.random.Generator
) -> pl.DataFrame:
    """Words and thousands separators among prices: a spreadsheet passed by."""
    marked = _mark(table, random).with_columns(
        **{name: pl.col(name).cast(pl.String) for name in roles.prices}
    )
    texts = [pl.lit("n/a"), pl.lit("1,234.50")]
    return _replaced(marked, {name: texts[place % 2] for place, name in enumerate(roles.prices)})


def fractional_oi(
    table: pl.DataFrame, roles: ColumnRoles, random: np.random.Generator
) -> pl.DataFrame:
    """Open interest with fractions: the vendor averaged over the minute."""
    whole = table.with_columns(pl.col(roles.open_interest).cast(pl.Float64))
    return _replaced(
        _mark(whole, random), {name: pl.col(name) + 0.5 for name in roles.open_interest}
    )


def wrong_dte(table: pl.DataFrame, roles: ColumnRoles, random: np.random.Generator) -> pl.DataFrame:
    """Days to expiry counted in trading days in some rows: two definitions in one export."""
    return _replaced(_mark(table, random, 0.05), {"dte": pl.col("dte") + 3})


def unmirrored_labels(
    table: pl.DataFrame, roles: ColumnRoles, random: np.random.Generator
) -> pl.DataFrame:
    """Put labels that do not mirror the call's: one side ranked from another ATM."""
    return _replaced(_mark(table, random), {"put_strike_type": pl.lit("OTM99")})


def missing_minutes(
    table: pl.DataFrame, roles: ColumnRoles, random: np.random.Generator
) -> pl.DataFrame:
    """Twenty minutes without rows: the feed was down."""
    minutes = table[str(roles.instant)].unique(maintain_order=True)
    start = int(random.integers(1, max(len(minutes) - _GAP_MINUTES, 2)))
    gap = minutes[start : start + _GAP_MINUTES].implode()
    return table.filter(~pl.col(str(roles.instant)).is_in(gap))


def nested_parquet(
    table: pl.DataFrame, roles: ColumnRoles, random: np.random.Generator
) -> pl.DataFrame:
    """Strikes wrapped in structs and prices in lists: JSON turned into Parquet unflattened."""
    return table.with_columns(
        pl.struct(value=pl.col(roles.strike)).alias(roles.strike),
        *[pl.concat_list(name).alias(name) for name in roles.prices],
    )
