"""Units of a file, settled from its own numbers and recorded: never assumed, never mixed.

Here: verdicts on implied volatility (percent or decimal), open interest and volume (lots or
units), volume (per bar or cumulative), bar label (start or end), and their conversion.
Not here: parsing, row rules. Source of the decision rules: raw_schema.md, traps 3 to 5 and §2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import polars as pl

from mr_platform.chain.dialects.dialect import Dialect
from mr_platform.chain.sessions import labels_are_bar_ends

Verdict = Literal["percent", "decimal", "units", "lots", "bar", "cumulative", "start", "end"]

_PERCENT_ABOVE = 2.0
# a share of values on the wrong side between these bounds is neither noise nor a clear verdict
_MIXED_LOW, _MIXED_HIGH = 0.05, 0.95
_ENOUGH_VALUES = 20
_ENOUGH_CHANGES = 10
_NANOSECONDS_A_MINUTE = 60_000_000_000
_NANOSECONDS_A_DAY = 24 * 60 * _NANOSECONDS_A_MINUTE


@dataclass(frozen=True)
class Units:
    """Verdicts on one file (or one group of single-snapshot files).

    Attributes:
        iv_unit: ``percent``, ``decimal``, or ``none`` without values.
        oi_unit: ``units``, ``lots``, or ``none``.
        volume_unit: ``units``, ``lots``, or ``none``.
        volume_kind: ``bar``, ``cumulative``, or ``none``.
        bar_label: ``start`` (also snapshots, which are never shifted) or ``end``.
        mixed: What was found mixed, each with its figures; empty when all is clear.
    """

    iv_unit: str
    oi_unit: str
    volume_unit: str
    volume_kind: str
    bar_label: str
    mixed: tuple[str, ...] = ()


def prefixes(dialect: Dialect) -> tuple[str, ...]:
    """Column prefixes of the legs of a dialect's rows."""
    return ("ce_", "pe_") if dialect.legs == "wide" else ("",)


def settle_units(rows: pl.DataFrame, dialect: Dialect, lot_sizes: tuple[int, ...]) -> Units:
    """Settle the units of rows that one source wrote for one symbol and date.

    Args:
        rows: Parsed rows of the partition, with ``time``, ``expiry_date``, ``strike``.
        dialect: Their dialect.
        lot_sizes: Lot size of the date first, then those in force shortly before or after.

    Returns:
        The verdicts; ``mixed`` names every kind in which values contradict each other.
    """
    sides = prefixes(dialect)
    iv_unit, iv_mix = _iv_unit(_values(rows, sides, "iv", near_the_money=True))
    oi_unit, oi_mix = _lot_unit(_values(rows, sides, "oi"), lot_sizes, "open interest")
    volume_unit, unit_mix = _lot_unit(_values(rows, sides, "volume"), lot_sizes, "volume")
    if dialect.volume_cumulative is None:
        volume_kind, kind_mix = _volume_kind(rows, sides)
    else:
        volume_kind, kind_mix = ("cumulative" if dialect.volume_cumulative else "bar"), None
    verdict = Units(iv_unit, oi_unit, volume_unit, volume_kind, _bar_label(rows, dialect))
    mixes = (iv_mix, oi_mix, unit_mix, kind_mix)
    return replace(verdict, mixed=tuple(mix for mix in mixes if mix))


def convert_units(rows: pl.DataFrame, dialect: Dialect, units: Units, lot: int) -> pl.DataFrame:
    """Convert to the canonical units: decimal IV, units of the index, bar starts.

    Args:
        rows: Parsed rows.
        dialect: Their dialect.
        units: Their verdicts.
        lot: Units per contract on the date.

    Returns:
        The rows with ``iv`` decimal, ``oi``, ``coi``, ``volume`` in units and ``time`` the start
        of the bar. Cumulative volume is differenced later, over the rows that stay.
    """
    changes: list[pl.Expr] = []
    for side in prefixes(dialect):
        if units.iv_unit == "percent":
            changes.append(pl.col(f"{side}iv") / 100)
        if units.oi_unit == "lots":
            changes += [
                _whole_lots(name, lot)
                for name in (f"{side}oi", f"{side}coi")
                if name in rows.columns
            ]
        if units.volume_unit == "lots":
            changes.append(_whole_lots(f"{side}volume", lot))
    if units.bar_label == "end":
        # a stray label of 00:00 becomes 23:59, outside the session like itself
        earlier = (pl.col("time").cast(pl.Int64) - _NANOSECONDS_A_MINUTE) % _NANOSECONDS_A_DAY
        changes.append(earlier.cast(pl.Time).alias("time"))
    return rows.with_columns(changes)


def _whole_lots(name: str, lot: int) -> pl.Expr:
    """Lots to units; thirds of a lot (contracts of an older, smaller lot) come back whole."""
    units = pl.col(name) * lot
    rounded = units.round()
    return pl.when((units - rounded).abs() < 1e-3).then(rounded).otherwise(units).alias(name)


def _values(
    rows: pl.DataFrame, sides: tuple[str, ...], quantity: str, *, near_the_money: bool = False
) -> pl.Series:
    names = [f"{side}{quantity}" for side in sides if f"{side}{quantity}" in rows.columns]
    if not names:
        return pl.Series(dtype=pl.Float64)
    if near_the_money and "spot" in rows.columns and rows["spot"].null_count() < rows.height:
        near = (pl.col("strike") / pl.col("spot") - 1).abs() < 0.03
        rows = rows.select(names).filter(rows.select(near).to_series())
    values = pl.concat([rows[name].rename("value") for name in names])
    return values.filter(values.is_not_null() & (values != 0) & values.is_finite())


def _iv_unit(values: pl.Series) -> tuple[str, str | None]:
    if values.is_empty():
        return "none", None
    median = values.median()
    percent = isinstance(median, float) and median > _PERCENT_ABOVE
    share = float((values > _PERCENT_ABOVE).mean() or 0)  # type: ignore[arg-type]
    mix = None
    if values.len() >= _ENOUGH_VALUES and _MIXED_LOW < share < _MIXED_HIGH:
        mix = f"implied volatility: {share:.0%} of the values near the money look like percent"
    return ("percent" if percent else "decimal"), mix


def _lot_unit(
    values: pl.Series, lot_sizes: tuple[int, ...], quantity: str
) -> tuple[str, str | None]:
    if values.is_empty():
        return "none", None
    whole = pl.any_horizontal((pl.col("value") % lot).abs() < 1e-6 for lot in lot_sizes)
    share = float(values.alias("value").to_frame().select(whole.mean()).item())
    if values.len() < _ENOUGH_VALUES:
        return ("units" if share == 1 else "lots"), None
    # positions opened under two lot sizes add up to multiples of neither: 3 % of the BANKNIFTY
    # values of 2025-08-29 are 35a + 15b. Lots are multiples of a lot size by chance only, 2 to 8 %.
    if share > 0.9:
        return "units", None
    mix = None
    if share > 0.3:
        listed = "/".join(str(lot) for lot in lot_sizes)
        mix = f"{quantity}: {share:.0%} of the values are multiples of the lot size {listed}"
    return "lots", mix


def _volume_kind(rows: pl.DataFrame, sides: tuple[str, ...]) -> tuple[str, str | None]:
    contract = [name for name in ("expiry_date", "strike", "option_type") if name in rows.columns]
    verdicts = []
    for side in sides:
        name = f"{side}volume"
        if name not in rows.columns:
            continue
        traded = rows.select(*contract, "time", name).filter(pl.col(name).is_not_null())
        if not traded["time"].is_sorted():
            traded = traded.sort("time")
        step = pl.col(name).diff()
        verdicts.append(
            traded.group_by(contract).agg(falls=(step < 0).sum(), changes=(step != 0).sum())
        )
    if not verdicts:
        return "none", None
    steps = pl.concat(verdicts).select(pl.col("falls", "changes").cast(pl.Int64))
    busy = steps.filter(pl.col("changes") >= _ENOUGH_CHANGES)
    if busy.is_empty():
        falls, changes = (int(steps[name].sum()) for name in ("falls", "changes"))
        if changes == 0:
            return "none", None
        return ("bar" if falls > 0.02 * changes else "cumulative"), None
    # a feed that starts anew resets every total once, whatever the cadence
    allowed = (0.02 * busy["changes"]).clip(lower_bound=1)
    share = float((busy["falls"] <= allowed).mean() or 0)  # type: ignore[arg-type]
    kind = "cumulative" if share >= 0.5 else "bar"
    if 0.1 < share < 0.9:
        return kind, f"volume: {share:.0%} of the contracts are cumulative, the others per bar"
    return kind, None


def _bar_label(rows: pl.DataFrame, dialect: Dialect) -> str:
    if dialect.snapshots is True:
        return "start"
    if dialect.snapshots is None:
        # an export of snapshots has last prices only; bars have opens
        opens = [f"{side}open" for side in prefixes(dialect)]
        if rows.select(opens).null_count().row(0) == (rows.height,) * len(opens):
            return "start"
    return "end" if labels_are_bar_ends(rows["time"]) else "start"
