"""A simulated day as the files a source of each dialect would deliver.

Here: columns, cell formats, units and file names of every dialect; tables in memory only.
Not here: bytes on disk (``day_files.py``), how dialects are read (``chain/dialects``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import polars as pl

from mr_platform.errors import SettingsError
from mr_platform.simulation.chain_day import LEGACY_SCHEMA, SimulatedDay

FileFormat = Literal["csv", "csv.gz", "csv.zst", "parquet"]

_LEGS = (("ce", "CE", "CALLS", "Call"), ("pe", "PE", "PUTS", "Put"))
_GREEKS = ("delta", "gamma", "theta", "vega", "rho")
LONG_COLUMNS = (
    *("timestamp", "symbol", "expiry", "strike", "option_type", "spot", "ltp"),
    *("volume", "oi", "oi_chg", "iv", *_GREEKS),
)
COLLECTED_COLUMNS = (
    *("Fetch_Time", "Symbol", "Expiry_Date"),
    *("CALLS_OI", "CALLS_Chng_in_OI", "CALLS_Volume", "CALLS_IV", "CALLS_LTP", "CALLS_Net_Chng"),
    *("CALLS_Bid_Qty", "CALLS_Bid_Price", "CALLS_Ask_Price", "CALLS_Ask_Qty", "Strike_Price"),
    *("PUTS_OI", "PUTS_Chng_in_OI", "PUTS_Volume", "PUTS_IV", "PUTS_LTP", "PUTS_Net_Chng"),
    *("PUTS_Bid_Qty", "PUTS_Bid_Price", "PUTS_Ask_Price", "PUTS_Ask_Qty"),
    *("collection_timestamp", "index_name", "date"),
)
SNAPSHOT_COLUMNS = (
    *("", "CallOI", "CallChnginOI", "CallVolume", "CallIV", "CallLTP", "CallNetChng"),
    *("CallBidQty", "CallBidPrice", "CallAskPrice", "CallAskQty", "StrikePrice"),
    *("PutBidQty", "PutBidPrice", "PutAskPrice", "PutAskQty", "PutNetChng", "PutLTP", "PutIV"),
    *("PutVolume", "PutChnginOI", "PutOI", "CurrentVal"),
)
LEGACY_COLUMNS = tuple(LEGACY_SCHEMA)
_SNAPSHOT_MINUTES = 15
_DTE_BUCKETS = ((7, "near"), (30, "mid"))
_SPREAD_TICKS, _SPREAD_SHARE = 0.05, 0.004


@dataclass(frozen=True)
class Units:
    """Units a file uses; None keeps what the dialect's real sources use.

    Attributes:
        iv: Implied volatility in percent or decimal.
        quantity: Open interest and volume in index units or lots.
        volume: Traded in the bar, or running total of the day.
        bar_label: A bar named by its start or its end.
    """

    iv: Literal["percent", "decimal"] | None = None
    quantity: Literal["units", "lots"] | None = None
    volume: Literal["bar", "cumulative"] | None = None
    bar_label: Literal["start", "end"] | None = None


@dataclass(frozen=True)
class ColumnRoles:
    """Which columns of a dialect's table play which part, for faults.

    Attributes:
        symbol: Index name, None where only the path tells it.
        instant: Time of day, or date and time.
        instant_format: chrono format of a text instant, None for a Time column.
        date: Session date, None where the instant holds it.
        expiry: Expiry, None where only the path tells it.
        expiry_format: chrono format of a text expiry, None for a Date column.
        strike: Strike.
        spot: Index level, None where the dialect has none.
        prices: Last prices.
        ivs: Implied volatilities.
        open_interest: Open interest.
        volumes: Traded quantities.
        lot_size: Units in a lot.
    """

    symbol: str | None
    instant: str | None
    instant_format: str | None
    date: str | None
    expiry: str | None
    expiry_format: str | None
    strike: str
    spot: str | None
    prices: tuple[str, ...]
    ivs: tuple[str, ...]
    open_interest: tuple[str, ...]
    volumes: tuple[str, ...]
    lot_size: int


@dataclass(frozen=True)
class DialectFile:
    """One file of a day, not yet written.

    Attributes:
        relative: Path below the output folder.
        table: Its rows.
        roles: Parts of its columns.
        format: How it is written.
    """

    relative: str
    table: pl.DataFrame
    roles: ColumnRoles
    format: FileFormat


@dataclass(frozen=True)
class OutputDialect:
    """A dialect the simulator writes.

    Attributes:
        name: Name on the command line.
        title: One line for people.
        units: Units its real sources use.
        format: File format.
        files: Files of a day whose units are settled.
    """

    name: str
    title: str
    units: Units
    format: FileFormat
    files: Callable[[SimulatedDay, pl.DataFrame, FileFormat], Iterator[DialectFile]]


def dialect_files(
    day: SimulatedDay, dialect: str, units: Units | None = None
) -> Iterator[DialectFile]:
    """Files of a day in one dialect.

    Args:
        day: Simulated day.
        dialect: A name in ``OUTPUT_DIALECTS``.
        units: Units that differ from the dialect's own.

    Yields:
        Tables with their relative paths.

    Raises:
        SettingsError: The dialect is unknown.
    """
    output = output_dialect(dialect)
    chosen, own = units or Units(), output.units
    settled = Units(
        chosen.iv or own.iv,
        chosen.quantity or own.quantity,
        chosen.volume or own.volume,
        chosen.bar_label or own.bar_label,
    )
    yield from output.files(day, _in_units(day, settled), output.format)


def output_dialect(name: str) -> OutputDialect:
    """A dialect by name.

    Raises:
        SettingsError: The dialect is unknown.
    """
    if name not in OUTPUT_DIALECTS:
        raise SettingsError(
            f"the simulator writes no dialect {name}",
            next_step=f"Use one of {', '.join(OUTPUT_DIALECTS)}",
            misused=True,
        )
    return OUTPUT_DIALECTS[name]


def _in_units(day: SimulatedDay, units: Units) -> pl.DataFrame:
    frame = day.chain
    changes: list[pl.Expr] = []
    if units.iv == "decimal":
        changes += [(pl.col(f"{leg}_iv") / 100.0).round(6) for leg in ("ce", "pe")]
    contract = ["expiry_date", "strike"]
    for leg in ("ce", "pe"):
        volume = pl.col(f"{leg}_volume")
        if units.volume == "cumulative":
            volume = volume.cum_sum().over(contract)
        if units.quantity == "lots":
            volume = volume // day.lot_size
            changes += [
                pl.col(f"{leg}_oi") // day.lot_size,
                pl.col(f"{leg}_coi") / day.lot_size,
            ]
        changes.append(volume)
    if units.bar_label == "end":
        changes.append(
            (pl.col("trade_time").cast(pl.Int64) + 60_000_000_000).cast(pl.Time).alias("trade_time")
        )
    return frame.with_columns(changes)


def _legacy_roles(day: SimulatedDay) -> ColumnRoles:
    return ColumnRoles(
        symbol="index_name",
        instant="trade_time",
        instant_format=None,
        date="trade_date",
        expiry="expiry_date",
        expiry_format=None,
        strike="strike",
        spot="spot",
        prices=("ce_close", "pe_close"),
        ivs=("ce_iv", "pe_iv"),
        open_interest=("ce_oi", "pe_oi"),
        volumes=("ce_volume", "pe_volume"),
        lot_size=day.lot_size,
    )


def _legacy(day: SimulatedDay, frame: pl.DataFrame, form: FileFormat) -> Iterator[DialectFile]:
    name = f"{day.key.symbol}_{day.key.date.isoformat()}.{form}"
    yield DialectFile(name, frame, _legacy_roles(day), form)


def _legacy_49(day: SimulatedDay, frame: pl.DataFrame, form: FileFormat) -> Iterator[DialectFile]:
    bucket = pl.lit("far")
    for limit, label in reversed(_DTE_BUCKETS):
        bucket = pl.when(pl.col("dte") <= limit).then(pl.lit(label)).otherwise(bucket)
    yield from _legacy(day, frame.with_columns(dte_bucket=bucket), form)


def _instant(day: dt.date, form: str, seconds: int = 0) -> pl.Expr:
    moment = pl.lit(day).dt.combine(pl.col("trade_time")) + pl.duration(seconds=seconds)
    return moment.dt.strftime(form)


def _long(day: SimulatedDay, frame: pl.DataFrame, form: FileFormat) -> Iterator[DialectFile]:
    name = "NIFTY50" if day.key.symbol == "NIFTY" else day.key.symbol
    shared = frame.with_columns(
        timestamp=_instant(day.key.date, "%Y%m%d%H%M"),
        symbol=pl.lit(name),
        expiry=pl.col("expiry_date").dt.strftime("%d-%b-%Y"),
    )
    decimals = {"delta": 4, "gamma": 6, "theta": 4, "vega": 4, "rho": 4}
    legs = [
        shared.select(
            *("timestamp", "symbol", "expiry_date", "expiry", "strike"),
            pl.lit(kind).alias("option_type"),
            "spot",
            pl.col(f"{leg}_close").alias("ltp"),
            pl.col(f"{leg}_volume").cast(pl.Float64).alias("volume"),
            pl.col(f"{leg}_oi").cast(pl.Float64).alias("oi"),
            pl.col(f"{leg}_coi").alias("oi_chg"),
            pl.col(f"{leg}_iv").alias("iv"),
            *[
                pl.col(f"{leg}_{greek}").round(decimals[greek]).add(0.0).alias(greek)
                for greek in _GREEKS
            ],
        )
        for leg, kind, _, _ in _LEGS
    ]
    table = pl.concat(legs).sort("timestamp", "expiry_date", "strike", "option_type")
    path = f"{day.key.symbol.lower()}/option_chain_{day.key.date:%Y%m%d}.{form}"
    roles = ColumnRoles(
        symbol="symbol",
        instant="timestamp",
        instant_format="%Y%m%d%H%M",
        date=None,
        expiry="expiry",
        expiry_format="%d-%b-%Y",
        strike="strike",
        spot="spot",
        prices=("ltp",),
        ivs=("iv",),
        open_interest=("oi",),
        volumes=("volume",),
        lot_size=day.lot_size,
    )
    yield DialectFile(path, table.select(LONG_COLUMNS), roles, form)


def _quoted(leg: str, lot: int) -> dict[str, pl.Expr]:
    """Best bid and ask around the last price, and plausible sizes: what pages show beside it."""
    price = pl.col(f"{leg}_close")
    half = _SPREAD_TICKS + _SPREAD_SHARE * price
    size = (pl.col("strike") * 7 + pl.col("trade_time").dt.minute().cast(pl.Int64) * 13) % 40 + 1
    first = price.first().over("expiry_date", "strike")
    return {
        "bid": (((price - half) / 0.05).floor() * 0.05).clip(0.0).round(2),
        "ask": (((price + half) / 0.05).ceil() * 0.05).round(2),
        "bid_size": size.cast(pl.Int64) * lot,
        "ask_size": (41 - size).cast(pl.Int64) * lot,
        "net_change": (price - first).round(2),
    }


def _collected(day: SimulatedDay, frame: pl.DataFrame, form: FileFormat) -> Iterator[DialectFile]:
    columns: dict[str, pl.Expr] = {
        "Fetch_Time": _instant(day.key.date, "%d-%b-%Y %H:%M:%S", 45),
        "Symbol": pl.col("index_name"),
        "Expiry_Date": pl.col("expiry_date").dt.strftime("%d-%b-%Y"),
        "Strike_Price": pl.col("strike").cast(pl.Int64),
        "collection_timestamp": _instant(day.key.date, "%Y%m%d_%H%M%S", 75),
        "date": pl.col("trade_date"),
    }
    for leg, _, word, _ in _LEGS:
        quoted = _quoted(leg, day.lot_size)
        columns |= {
            f"{word}_OI": pl.col(f"{leg}_oi").cast(pl.Float64),
            f"{word}_Chng_in_OI": pl.col(f"{leg}_coi"),
            f"{word}_Volume": pl.col(f"{leg}_volume"),
            f"{word}_IV": pl.col(f"{leg}_iv").round(2).fill_null(0.0),
            f"{word}_LTP": pl.col(f"{leg}_close").fill_null(0.0),
            f"{word}_Net_Chng": quoted["net_change"].fill_null(0.0),
            f"{word}_Bid_Qty": quoted["bid_size"],
            f"{word}_Bid_Price": quoted["bid"].fill_null(0.0),
            f"{word}_Ask_Price": quoted["ask"].fill_null(0.0),
            f"{word}_Ask_Qty": quoted["ask_size"],
        }
    table = frame.select(index_name=pl.col("index_name"), **columns).select(COLLECTED_COLUMNS)
    roles = ColumnRoles(
        symbol="Symbol",
        instant="Fetch_Time",
        instant_format="%d-%b-%Y %H:%M:%S",
        date=None,
        expiry="Expiry_Date",
        expiry_format="%d-%b-%Y",
        strike="Strike_Price",
        spot=None,
        prices=("CALLS_LTP", "PUTS_LTP"),
        ivs=("CALLS_IV", "PUTS_IV"),
        open_interest=("CALLS_OI", "PUTS_OI"),
        volumes=("CALLS_Volume", "PUTS_Volume"),
        lot_size=day.lot_size,
    )
    yield DialectFile(f"{day.key.symbol}_{day.key.date:%Y%m%d}.{form}", table, roles, form)


def _dashed(values: pl.Expr) -> pl.Expr:
    return values.fill_null("-")


def _cents(values: pl.Expr) -> pl.Expr:
    return _dashed(values.cast(pl.Decimal(18, 2)).cast(pl.String))


def _whole(values: pl.Expr) -> pl.Expr:
    """Quantities as text; pages show a dash for none."""
    number = values.cast(pl.Int64)
    return _dashed(pl.when(number != 0).then(number.cast(pl.String)))


def _snapshot(day: SimulatedDay, frame: pl.DataFrame, form: FileFormat) -> Iterator[DialectFile]:
    minute = pl.col("trade_time").dt.minute()
    columns: dict[str, pl.Expr] = {
        "": pl.int_range(pl.len()).over("trade_time", "expiry_date").cast(pl.String),
        "StrikePrice": _cents(pl.col("strike")),
        "CurrentVal": pl.col("spot").round(1).cast(pl.String),
    }
    for leg, _, _, word in _LEGS:
        quoted = _quoted(leg, day.lot_size)
        columns |= {
            f"{word}OI": _whole(pl.col(f"{leg}_oi")),
            f"{word}ChnginOI": _whole(pl.col(f"{leg}_coi")),
            # the page counts contracts, while open interest is in units
            f"{word}Volume": _whole(pl.col(f"{leg}_volume") // day.lot_size),
            f"{word}IV": _cents(pl.col(f"{leg}_iv")),
            f"{word}LTP": _cents(pl.col(f"{leg}_close")),
            f"{word}NetChng": _cents(quoted["net_change"]),
            f"{word}BidQty": _whole(quoted["bid_size"]),
            f"{word}BidPrice": _cents(pl.when(quoted["bid"] > 0).then(quoted["bid"])),
            f"{word}AskPrice": _cents(quoted["ask"]),
            f"{word}AskQty": _whole(quoted["ask_size"]),
        }
    table = frame.with_columns(**columns).filter(minute % _SNAPSHOT_MINUTES == 0)
    roles = ColumnRoles(
        symbol=None,
        instant=None,
        instant_format=None,
        date=None,
        expiry=None,
        expiry_format=None,
        strike="StrikePrice",
        spot="CurrentVal",
        prices=("CallLTP", "PutLTP"),
        ivs=("CallIV", "PutIV"),
        open_interest=("CallOI", "PutOI"),
        volumes=("CallVolume", "PutVolume"),
        lot_size=day.lot_size,
    )
    symbol, date = day.key.symbol, day.key.date
    pages = table.partition_by("trade_time", "expiry_date", as_dict=True, maintain_order=True)
    for (time, expiry), page in pages.items():
        folder = f"{expiry.day}{expiry:%b%Y}".upper()
        name = f"{symbol}_{date:%d-%m-%Y}_{time:%H:%M}.{form}"
        yield DialectFile(
            f"index/{symbol}/{folder}/{name}", page.select(SNAPSHOT_COLUMNS), roles, form
        )


_BAR_UNITS = Units("percent", "units", "bar", "start")
_PAGE_UNITS = Units("percent", "lots", "cumulative", "start")
OUTPUT_DIALECTS: dict[str, OutputDialect] = {
    output.name: output
    for output in (
        OutputDialect("legacy_csv", "48-column table, CSV", _BAR_UNITS, "csv", _legacy),
        OutputDialect("legacy_csv_gz", "48-column table, gzip", _BAR_UNITS, "csv.gz", _legacy),
        OutputDialect("legacy_csv_zst", "48-column table, zstd", _BAR_UNITS, "csv.zst", _legacy),
        OutputDialect("legacy_parquet", "48-column table, Parquet", _BAR_UNITS, "parquet", _legacy),
        OutputDialect(
            "legacy_parquet_49",
            "48-column table with dte_bucket, Parquet",
            _BAR_UNITS,
            "parquet",
            _legacy_49,
        ),
        OutputDialect("long_quotes", "one row a contract, Parquet", _PAGE_UNITS, "parquet", _long),
        OutputDialect("long_quotes_csv", "one row a contract, CSV", _PAGE_UNITS, "csv", _long),
        OutputDialect(
            "nse_snapshot",
            "page every 15 minutes and expiry, CSV",
            Units("percent", "units", "cumulative", "start"),
            "csv",
            _snapshot,
        ),
        OutputDialect(
            "nse_collected", "collected pages, Parquet", _PAGE_UNITS, "parquet", _collected
        ),
        OutputDialect("nse_collected_csv", "collected pages, CSV", _PAGE_UNITS, "csv", _collected),
    )
}
"""Every dialect the simulator writes, by its name on the command line."""
