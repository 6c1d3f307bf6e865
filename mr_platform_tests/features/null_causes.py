"""Why a column holds nothing all day: what the chain lacks, tried on a day that lacks nothing.

Here: a complete simulated day with what a real day has and lacks laid over it like a mask, one
kind of lack at a time or all together. A column without a value on the masked day is explained by
the mask; one lack that suffices alone is its cause, if the real file itself shows it (``observed``,
which counts the file's own values and knows no mask).
Not here: the real files and the tables printed (``test_real_null_shares.py``).
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from mr_platform.registry.model import COMPONENTS, FeatureColumn
from mr_platform.trading_calendar import SESSION_MINUTES
from mr_platform_tests.features.changed_chains import FUTURES, LEGS, MINUTE, moved
from mr_platform_tests.features.whole_graph import Tables, features_of

VOLUME, OPEN_INTEREST = "volume", "open interest"
HIGHS_LOWS, OPENS = "highs and lows", "opens"
LEG_FIELDS: Mapping[str, tuple[str, ...]] = {
    "prices": ("close",),
    HIGHS_LOWS: ("high", "low"),
    OPENS: ("open",),
    VOLUME: ("volume",),
    OPEN_INTEREST: ("oi",),
    "volatility": ("iv", "delta", "gamma", "theta", "vega"),
}
"""Fields of both legs that a chain may lack, by what it then has none of."""

EXPIRIES, CADENCE, STRIKES, FUTURE = "expiries", "minutes", "strikes", "futures"
SPOT_FIELD = "spot"
HISTORY, PARTNER = "history", "partner"
CHAIN_LACKS: tuple[str, ...] = (EXPIRIES, CADENCE, STRIKES, FUTURE, SPOT_FIELD, *LEG_FIELDS)
"""What a chain may lack; besides, a day may lack history and the other symbol."""

TOGETHER, NOTHING_FOUND, THIN_INPUTS = "several together", "nothing to find", "thin inputs"
FOUND_OR_NULL = ("null if none", "needs bracketing strikes")
"""Null policies of columns that name something that a day need not have."""

CELL = ["_rank", "_minute", "call_strike_type"]


def observed(real: pl.DataFrame, complete: pl.DataFrame) -> set[str]:
    """What a real file lacks, by counting what it holds.

    Args:
        real: Chain of one (symbol, date).
        complete: Chain of a day that lacks nothing.

    Returns:
        Those of ``CHAIN_LACKS`` that can be seen in the file: other expiries than the complete
        day's, an expiry that is not quoted every minute, a minute with fewer strikes than the
        complete day ever has, rows without a value that complete rows have.
    """
    found = set()
    if set(real["dte"].unique()) != set(complete["dte"].unique()):
        found.add(EXPIRIES)
    if real.select("expiry_date", "ts_minute").n_unique() < (
        real["expiry_date"].n_unique() * SESSION_MINUTES
    ):
        found.add(CADENCE)
    if _fewest_strikes(real) < _fewest_strikes(complete):
        found.add(STRIKES)
    fields = {FUTURE: ["future_close"], SPOT_FIELD: ["spot"]}
    fields |= {
        what: [f"{leg}_{name}" for leg in LEGS for name in names]
        for what, names in LEG_FIELDS.items()
    }
    for what, names in fields.items():
        if any(_filled(real, name) < _filled(complete, name) for name in names):
            found.add(what)
    return found


def _fewest_strikes(chain: pl.DataFrame) -> int:
    return int(chain.group_by("expiry_date", "ts_minute").len()["len"].min())  # type: ignore[arg-type]


def _filled(chain: pl.DataFrame, column: str) -> float:
    """Share of the rows that have a value."""
    return chain[column].count() / chain.height


def _placed(chain: pl.DataFrame) -> pl.DataFrame:
    """The chain with the rank of its expiry and its minute."""
    return chain.with_columns(
        _rank=pl.col("expiry_date").rank("dense").over("symbol").cast(pl.Int32),
        _minute=MINUTE.cast(pl.Int32),
    )


def masked(complete: pl.DataFrame, real: pl.DataFrame, lacks: frozenset[str]) -> pl.DataFrame:
    """A complete day that lacks what a real day lacks.

    Args:
        complete: Chain of one (symbol, date) with every field at every minute.
        real: Chain of the real day.
        lacks: Which of ``CHAIN_LACKS`` to take over.

    Returns:
        The complete day's numbers on the real day's date; where ``EXPIRIES`` is taken over, as
        many expiries as the real day has, as far away.
    """
    day = _placed(moved(complete, real["date"][0]))
    model = _placed(real)
    if EXPIRIES in lacks:
        day = _with_expiries(day, model)
    if CADENCE in lacks:
        quoted = model.select("_rank", "_minute").unique()
        # an expiry that only the complete day has is quoted whenever any is
        if EXPIRIES not in lacks:
            day = day.join(quoted.select("_minute").unique(), on="_minute", how="semi")
        else:
            day = day.join(quoted, on=["_rank", "_minute"], how="semi")
    day = _with_fields(day, model, lacks)
    return day.select(complete.columns)


def _with_expiries(day: pl.DataFrame, model: pl.DataFrame) -> pl.DataFrame:
    becomes = model.select("_rank", pl.col("expiry_date", "dte")).unique()
    return day.drop("expiry_date", "dte").join(becomes, on="_rank", how="inner")


def _with_fields(day: pl.DataFrame, model: pl.DataFrame, lacks: frozenset[str]) -> pl.DataFrame:
    """Rows and values of the complete day that the real one has too, in minutes it knows.

    A minute that the real day does not quote is judged like the last one that it does: cadence is
    a lack of its own.
    """
    shown = [
        pl.col(f"{leg}_{names[-1]}").is_not_null().any().alias(f"_{leg}_{what}")
        for what, names in LEG_FIELDS.items()
        for leg in LEGS
    ]
    quoted = model.group_by(CELL).agg(shown).with_columns(_row=pl.lit(True))
    shared = (
        model.group_by("_minute")
        .agg(
            pl.col("future_close").is_not_null().any().alias("_future"),
            pl.col("spot").is_not_null().any().alias("_spot"),
        )
        .with_columns(_known="_minute")
        .sort("_minute")
    )
    frame = (
        day.sort("_minute", maintain_order=True)
        .join_asof(shared, on="_minute", strategy="backward")
        .with_columns(_own="_minute")
        .with_columns(_minute=pl.coalesce("_known", pl.lit(shared["_minute"].min())))
        .with_columns(_rank=pl.min_horizontal("_rank", pl.lit(model["_rank"].max())))
        .join(quoted, on=CELL, how="left", maintain_order="left")
        .with_columns(pl.col("_future", "_spot").fill_null(False))
    )
    if STRIKES in lacks:
        frame = frame.filter(pl.col("_row").fill_null(False))
    nulls: dict[str, str] = {}
    for what, names in LEG_FIELDS.items():
        if what in lacks:
            nulls |= {f"{leg}_{name}": f"_{leg}_{what}" for leg in LEGS for name in names}
    if FUTURE in lacks:
        nulls |= dict.fromkeys(FUTURES, "_future")
    if SPOT_FIELD in lacks:
        nulls[SPOT_FIELD] = "_spot"
    return frame.with_columns(
        # a strike that the real day does not list says nothing, unless no strike has the field
        pl.when(pl.col(flag).fill_null(model[name].count() > 0)).then(pl.col(name)).alias(name)
        for name, flag in nulls.items()
    )


def empty_columns(tables: Tables, own: pl.Expr) -> set[str]:
    """Features without a value in the rows chosen."""
    found: set[str] = set()
    for component in COMPONENTS:
        names = [column.name for column in features_of(component)]
        counts = tables[f"{component}_features"].filter(own).select(pl.col(names).count()).row(0)
        found |= {name for name, count in zip(names, counts, strict=True) if not count}
    return found


def causes(
    column: FeatureColumn,
    alone: Mapping[str, set[str]],
    pairs: Mapping[tuple[str, str], set[str]],
    together: set[str],
    seen: set[str],
    rows: pl.DataFrame,
) -> list[str]:
    """What explains an empty column of a real day; nothing is no explanation.

    Lacks that suffice alone, else pairs of them, else all of them together; only lacks that the
    file itself shows. Past those a column may need what a day has or has not: something to find,
    or inputs that the day gave too seldom.

    Args:
        column: The empty column.
        alone: Columns that a lack alone leaves empty, by lack.
        pairs: The same of two lacks.
        together: Columns that all lacks leave empty.
        seen: What the file itself can be seen to lack, history and partner included.
        rows: Every component's columns on the real day, with dte.
    """
    if found := [lack for lack, empty in alone.items() if lack in seen and column.name in empty]:
        return found
    if found := [
        " with ".join(pair)
        for pair, empty in pairs.items()
        if seen.issuperset(pair) and column.name in empty
    ]:
        return found
    if column.name in together and seen:
        return [TOGETHER]
    if column.null_policy.startswith(FOUND_OR_NULL):
        return [NOTHING_FOUND]
    return [THIN_INPUTS] if _reads_too_little(column, rows) else []


def _reads_too_little(column: FeatureColumn, rows: pl.DataFrame) -> bool:
    """Whether no expiry has as many values of all columns read as the column needs."""
    reads = [name for name in column.reads if name in rows.columns]
    if not reads:
        return False
    counts = rows.group_by("dte").agg(pl.col(reads).count()).drop("dte")
    fewest = counts.select(pl.min_horizontal(reads)).to_series()
    return bool((fewest < column.min_periods).all())
