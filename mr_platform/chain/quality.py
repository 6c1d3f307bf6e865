"""The rules at the door, by name as declared in ``registry/declared/raw_chain.yaml``.

Here: which row is bad, and which pattern of good rows is worth a warning.
Not here: the bounds (registry), the limits (settings), moving rows (``chain/sieve``).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import polars as pl

from mr_platform.chain import strikes
from mr_platform.chain.dialects.dialect import Dialect
from mr_platform.chain.sieve import FILE, ROW, RowRule, Sieve
from mr_platform.registry.loader import load_registry
from mr_platform.registry.model import RawColumn

QUANTITIES: tuple[str, ...] = (
    "open",
    "high",
    "low",
    "close",
    "volume",
    "oi",
    "coi",
    "iv",
    "delta",
    "gamma",
    "theta",
    "vega",
    "rho",
)

_FIRST_UNSURE_INTEGER = 2.0**53

# Pages of one snapshot are fetched one after another. On the 2019 pages their spots lie up to
# 0.45 % apart (the election day, 2019-05-23); the two beyond, 0.54 % on 2019-06-07, were an hour
# old.
SNAPSHOT_SPOT_TOLERANCE = 0.005


def leg_columns(dialect: Dialect, rows: pl.DataFrame) -> Iterator[tuple[str, str, pl.Expr | None]]:
    """Every option quantity present: column, canonical name, and which rows it is about."""
    for side, option_type in (("ce", "CE"), ("pe", "PE")):
        for quantity in QUANTITIES:
            column = quantity if dialect.legs == "long" else f"{side}_{quantity}"
            if column in rows.columns:
                about = pl.col("option_type") == option_type if dialect.legs == "long" else None
                yield column, f"{side}_{quantity}", about


def key_rules(dialect: Dialect, rows: pl.DataFrame) -> list[RowRule]:
    """Rules about a row's key that the row alone decides.

    They come before the duplicates: a row whose expiry contradicts its dte is not the key that it
    claims, and must not take the true row of that key with it.
    """
    rules = [_missing(name) for name in ("time", "expiry_date", "strike")]
    if dialect.legs == "long":
        side = pl.col("option_type")
        rules.append(
            RowRule(
                "unparseable_value",
                ~side.is_in(["CE", "PE"]) | side.is_null(),
                "option_type",
                pl.format("option_type was {}, not CE or PE", side.fill_null("missing")),
            )
        )
    return rules + _date_rules(rows)


def value_rules(dialect: Dialect, rows: pl.DataFrame) -> list[RowRule]:
    """Rules that a row's values can break on their own.

    They come after the duplicates: of differing rows of one key none stays, and a row that left
    for another reason first would let its twin pass.

    Args:
        dialect: Dialect of the rows.
        rows: Rows in canonical units.

    Returns:
        Rules in the order in which a row's first fault is told.
    """
    columns = [
        *leg_columns(dialect, rows),
        *[(name, name, None) for name in _single_columns() if name in rows.columns],
    ]
    finite = {name: about for name, _, about in columns if rows.schema[name].is_float()}
    rules = [_not_finite(name) for name in finite]
    rules += [
        _fractional(name)
        for name in dict.fromkeys(name for name, canonical, _ in columns if _is_whole(canonical))
    ]
    for name, canonical, about in columns:
        rules += _range_rules(name, _declared(canonical), about)
    return rules + _label_value_rules(rows) + _order_rules(dialect, rows) + _label_rules(rows)


def _missing(name: str) -> RowRule:
    return RowRule(
        "missing_value", pl.col(name).is_null(), name, pl.lit(f"{name} was missing or unreadable")
    )


def _not_finite(name: str) -> RowRule:
    return RowRule(
        "not_finite", pl.col(name).is_infinite(), name, pl.format("{} was {}", pl.lit(name), name)
    )


def _fractional(name: str) -> RowRule:
    column = pl.col(name)
    # from 2^53 on a float names no single whole number, and from 2^63 on no Int64 holds it
    whole = (column == column.round()) & (column.abs() < _FIRST_UNSURE_INTEGER)
    return RowRule(
        "fractional_integer",
        column.is_finite() & ~whole,
        name,
        pl.format("{} was {}, not a whole number below 2^53", pl.lit(name), name),
    )


@cache
def _single_columns() -> tuple[str, ...]:
    names = ("spot", "atm_strike", "strike", "dte", "zone_id")
    return names + tuple(
        column.name for column in load_registry().raw_chain.columns if "future_" in column.name
    )


@cache
def _declared(canonical: str) -> RawColumn:
    return load_registry().raw_chain.column(canonical)


def _is_whole(canonical: str) -> bool:
    return _declared(canonical).dtype == "Int64"


def _range_rules(name: str, declared: RawColumn, about: pl.Expr | None) -> list[RowRule]:
    bad = outside(name, declared)
    if bad is None or declared.outside != "quarantine":
        return []
    return [
        RowRule(
            "out_of_range",
            bad if about is None else bad & about,
            name,
            pl.format("{} was {}, allowed {}", pl.lit(name), name, pl.lit(_interval(declared))),
        )
    ]


def outside(name: str, declared: RawColumn) -> pl.Expr | None:
    """True where a numeric column leaves its declared range; None where no range is declared."""
    column = pl.col(name)
    bounds = [bound for bound in (declared.low, declared.high) if isinstance(bound, int | float)]
    if not bounds:
        return None
    bad = pl.lit(value=False)
    if isinstance(declared.low, int | float):
        bad = bad | (column < declared.low)
    if isinstance(declared.high, int | float):
        bad = bad | (column > declared.high)
    return bad


def _interval(declared: RawColumn) -> str:
    low = ".." if declared.low is None else declared.low
    high = ".." if declared.high is None else declared.high
    return f"{low} to {high}"


def _label_value_rules(rows: pl.DataFrame) -> list[RowRule]:
    """Labels outside their declared values or pattern; judged on the few distinct ones."""
    rules = []
    for name in ("expiry_bucket", "zone_name", "call_strike_type", "put_strike_type"):
        if name not in rows.columns:
            continue
        declared = _declared(name)
        seen = rows[name].drop_nulls().unique()
        allowed = (
            seen.is_in(list(declared.values))
            if declared.values
            else seen.str.contains(f"^(?:{declared.pattern})$")
        )
        wrong = seen.filter(~allowed)
        if wrong.len():
            expected = ", ".join(declared.values) or declared.pattern
            rules.append(
                RowRule(
                    "out_of_range",
                    pl.col(name).is_in(wrong.implode()),
                    name,
                    pl.format("{} was {}, allowed {}", pl.lit(name), name, pl.lit(expected)),
                )
            )
    return rules


def _order_rules(dialect: Dialect, rows: pl.DataFrame) -> list[RowRule]:
    sides = ["future_", *(("ce_", "pe_") if dialect.legs == "wide" else ("",))]
    rules = []
    for side in sides:
        names = {part: f"{side}{part}" for part in ("open", "high", "low", "close")}
        if not set(names.values()) <= set(rows.columns):
            continue
        low, high = pl.col(names["low"]), pl.col(names["high"])
        bad = (
            (low > high)
            | (low > pl.min_horizontal(names["open"], names["close"]))
            | (high < pl.max_horizontal(names["open"], names["close"]))
        )
        detail = pl.format(
            "open {}, high {}, low {}, close {}",
            *[pl.col(name).cast(pl.String).fill_null("null") for name in names.values()],
        )
        rules.append(RowRule("low_high_order", bad, names["low"], detail))
    return rules


def _date_rules(rows: pl.DataFrame) -> list[RowRule]:
    days = (pl.col("expiry_date") - pl.col("date")).dt.total_days()
    rules = [
        RowRule(
            "expiry_before_date",
            days < 0,
            "expiry_date",
            pl.format("expiry_date was {}, before the session", "expiry_date"),
        )
    ]
    if "dte" in rows.columns:
        rules.append(
            RowRule(
                "dte_mismatch",
                pl.col("dte") != days,
                "dte",
                pl.format(
                    "dte was {}, expiry_date {} is {} days away",
                    pl.col("dte").cast(pl.Int64, strict=False),
                    "expiry_date",
                    days,
                ),
            )
        )
    return rules


def _label_rules(rows: pl.DataFrame) -> list[RowRule]:
    names = ["call_strike_type", "put_strike_type"]
    if not set(names) <= set(rows.columns):
        return []
    # a day has a few hundred distinct pairs: they are judged, not its 190,000 rows
    pairs = rows.select(names).unique().drop_nulls()
    broken = pairs.filter(~strikes.labels_mirror(*names))
    if broken.is_empty():
        return []
    joined = pl.concat_str(names, separator="/")
    return [
        RowRule(
            "labels_not_mirrored",
            joined.is_in(broken.select(joined).to_series().implode()),
            "put_strike_type",
            pl.format("call_strike_type was {}, put_strike_type {}", *names),
        )
    ]


# ---------------------------------------------------------------------- rules across rows


def set_aside_outside_session(sieve: Sieve, in_session: pl.Expr) -> None:
    """Bars and snapshots outside 09:15 to 15:29 leave without counting as bad."""
    sieve.apply(
        [
            RowRule(
                "outside_session",
                ~in_session,
                "time",
                pl.format("{} is outside 09:15 to 15:29", "time"),
            )
        ]
    )


def set_aside_superseded(sieve: Sieve, dialect: Dialect, key: list[str]) -> None:
    """Of several snapshots in one minute the last stands; earlier ones leave.

    Pages replace each other whole. Rows that were timed one by one replace only rows of their
    own key: a quote of 09:15:02 says nothing about another contract's of 09:15:01.

    Args:
        sieve: Rows with ``minute`` and ``seen_at``.
        dialect: Their dialect.
        key: Key of a row, with the minute.
    """
    slot = ["minute", "expiry_date"] if dialect.whole_pages else key
    order = [name for name in ("seen_at", "fetched") if name in sieve.rows.columns]
    for name in order:
        if sieve.rows.select((pl.col(name) == pl.col(name).max().over("minute")).all()).item():
            continue  # one instant a minute, the usual case: no need to look at every key
        last = pl.col(name).max().over(slot)
        sieve.apply(
            [
                RowRule(
                    "superseded_snapshot",
                    pl.col(name) != last,
                    None,
                    pl.format("snapshot of {}; a later one of that minute stands", name),
                )
            ]
        )


def quarantine_duplicates(sieve: Sieve, key: list[str]) -> None:
    """Of identical rows of a key one stays; of rows that differ none does (raw_schema, trap 8)."""
    rows = sieve.rows
    if rows.select(key).unique().height == rows.height:
        return
    repeated = rows.filter(pl.struct(key).is_duplicated())
    payload = [name for name in rows.columns if name not in (FILE, ROW, "seen_at", "fetched")]
    distinct = (
        repeated.unique(subset=payload, keep="first", maintain_order=True).group_by(key).len()
    )
    marked = repeated.join(distinct, on=key, how="left", maintain_order="left")
    differing = marked.filter(pl.col("len") > 1)
    identical = marked.filter(pl.col("len") == 1)
    extra = identical.filter(~pl.struct(key).is_first_distinct())
    if extra.height:
        sieve.take_out(extra, "duplicate_row", None, "an identical row of the same key stays")
    if differing.height:
        sieve.take_out(
            differing, "duplicate_key", None, "rows of the same key differ, so none of them stays"
        )


def set_aside_unquoted(sieve: Sieve, dialect: Dialect, key: list[str]) -> None:
    """Strikes without a price or open interest on either leg are no quotes (base_series.md)."""
    if dialect.legs == "wide":
        absent = pl.all_horizontal(
            [pl.col(f"{side}_close").is_null() for side in ("ce", "pe")]
            + [pl.col(f"{side}_oi").fill_null(0) == 0 for side in ("ce", "pe")]
        )
    else:
        strike = [name for name in key if name != "option_type"]
        leg = pl.col("close").is_null() & (pl.col("oi").fill_null(0) == 0)
        absent = leg.all().over(strike)
    sieve.apply(
        [RowRule("no_quote", absent, None, pl.lit("neither leg had a price or open interest"))]
    )


def settle_spot(sieve: Sieve, *, snapshots: bool) -> int:
    """Leave one spot per minute.

    Rows off the minute's most frequent spot leave as ``spot_conflict``; snapshots taken seconds
    apart are brought to that spot instead, as far as the tolerance goes.

    Returns:
        Rows whose spot was brought to the minute's.
    """
    rows = sieve.rows
    pairs = rows.select("minute", "spot").unique()
    if pairs["minute"].is_unique().all():
        return 0
    per_minute = rows.group_by("minute").agg(
        pl.col("spot").drop_nulls().mode().min().alias("settled")
    )
    sieve.rows = rows.join(per_minute, on="minute", how="left", maintain_order="left")
    gap = (pl.col("spot") / pl.col("settled") - 1).abs()
    limit = SNAPSHOT_SPOT_TOLERANCE if snapshots else 0.0
    sieve.apply(
        [
            RowRule(
                "spot_conflict",
                gap > limit,
                "spot",
                pl.format("spot was {}, the minute's is {}", "spot", "settled"),
            )
        ]
    )
    changed = sieve.rows.select((pl.col("spot") != pl.col("settled")).sum()).item()
    sieve.rows = sieve.rows.with_columns(spot="settled").drop("settled")
    return int(changed)
