"""History tables of days that never were, around a real or simulated day, for comparisons.

Values are drawn around those of the day itself, so that every look-back finds something to read:
the tables need not follow from any chain, since both sides of a comparison read the same rows.
Some days, expiries and minutes are left out on purpose.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl

from mr_platform.features.table_schemas import table_schema
from mr_platform.trading_calendar import SESSION_MINUTES, ZONES, previous_trading_day

MINUTE_DAYS = 3
DAILY_DAYS = 60
ZONE_DAYS = 20
YEAR_DAYS = 252
BUCKETS = ("near", "mid", "far")
MONTH = 21
"""Days back without a hole, for look-backs that need every day."""

DROPPED = 7
"""Every seventh day back is missing from the longer tables."""


def made_history(panel: pl.DataFrame, chain: pl.DataFrame, seed: int) -> dict[str, pl.DataFrame]:
    """All history tables that the day of a panel reads.

    Args:
        panel: Minute panel of one (symbol, date), as stored.
        chain: Its option chain.
        seed: Seed; the same seed gives the same tables.
    """
    rng = np.random.default_rng(seed)
    symbol, day = panel["symbol"][0], panel["date"][0]
    back = [previous_trading_day(day, n) for n in range(1, YEAR_DAYS + 1)]
    kept = [d for n, d in enumerate(back, 1) if n % DROPPED]
    tables = {
        "hist_minute": _minutes(panel, back[:MINUTE_DAYS], rng),
        "hist_daily": _daily(panel, [*back[:MONTH], *kept[MONTH:DAILY_DAYS]], rng),
        "hist_c3_close": _closes(chain, back[0], rng),
        "hist_zone": _zones(
            kept[:ZONE_DAYS], rng,
            {**{f"atrp_{n}_strd": 1.0 for n in (14, 21, 50)},
             **{f"atrp_{n}_und": 0.03 for n in (14, 21, 50)}, "decay_rate": -0.02},
        ),
        "hist_c3_zone": _zones(kept[:ZONE_DAYS], rng, {"pcr_oi": 1.0, "turnover": 0.1}),
        "hist_c4_zone": _zones(kept, rng, {"iv_atm": _typical(panel, "iv_atm", 0.12)}),
        "hist_c8_zone": _zones(
            kept[:ZONE_DAYS], rng, {"consensus_direction": 0.1, "consensus_expansion": 0.1}
        ),
        "hist_c4_day": _days(
            kept, rng,
            {"iv_atm": _typical(panel, "iv_atm", 0.12), "rr25": -0.1, "iv_rv_spread": 0.02},
        ),
    }  # fmt: skip
    return {
        name: table.with_columns(symbol=pl.lit(symbol))
        .select(table_schema(name).names())
        .cast(table_schema(name))
        for name, table in tables.items()
    }


def _typical(panel: pl.DataFrame, column: str, default: float) -> float:
    value = panel[column].median()
    return float(value) if isinstance(value, int | float) else default


def _minutes(panel: pl.DataFrame, days: list[dt.date], rng: np.random.Generator) -> pl.DataFrame:
    """The day's own minutes, moved and roughened; the third day back lacks the first expiry."""
    parts = []
    names = table_schema("hist_minute").names()[4:]
    for back, day in enumerate(days, 1):
        rows = panel.select("expiry_date", "j", *names)
        if back == MINUTE_DAYS:
            rows = rows.filter(pl.col("expiry_date") != pl.col("expiry_date").min())
        # one path of the underlying a day, one of the options an expiry
        und = 1 + 0.002 * back + np.cumsum(rng.normal(0, 2e-4, SESSION_MINUTES))
        groups = rows.height // SESSION_MINUTES
        options = 1 + 0.03 * back + np.cumsum(rng.normal(0, 4e-3, (groups, SESSION_MINUTES)), 1)
        gone = rng.random(SESSION_MINUTES) < 0.04
        moved = {
            name: np.tile(und, groups) if name.startswith(("spot", "fut")) else options.ravel()
            for name in names
        }
        rows = rows.with_columns(
            [
                (pl.col(name) * pl.Series(factor)).round(2).alias(name)
                for name, factor in moved.items()
            ]
        ).with_columns(
            [
                pl.when(~pl.Series(np.tile(gone, groups))).then(pl.col(name)).alias(name)
                for name in names
            ]
        )
        parts.append(rows.with_columns(date=pl.lit(day)))
    return pl.concat(parts)


def _daily(panel: pl.DataFrame, days: list[dt.date], rng: np.random.Generator) -> pl.DataFrame:
    """Days of the panel's own expiries and, further back, of others in every bucket."""
    spot = _typical(panel, "spot", 24_000.0)
    own = panel["expiry_date"].unique().sort().to_list()
    rows = []
    for day in days:
        expiries = sorted({*own[:4], *(day + dt.timedelta(days=n) for n in (3, 20, 45))})
        level = spot * (1 + rng.normal(0, 0.02))
        for expiry in expiries:
            dte = (expiry - day).days
            row: dict[str, object] = {
                "date": day, "expiry_date": expiry, "dte": dte,
                "dte_bucket": "near" if dte <= 7 else "mid" if dte <= 30 else "far",
            }  # fmt: skip
            for name, share, width in (
                ("spot", 1.0, 0.008), ("strd", 0.02, 0.2), ("comb", 0.021, 0.2),
                ("ce", 0.01, 0.4), ("pe", 0.01, 0.4),
            ):  # fmt: skip
                start = level if name == "spot" else level * share * (1 + dte / 30)
                path = np.round(start * (1 + np.cumsum(rng.normal(0, width / 8, 8))), 2)
                path = np.maximum(path, 0.05)
                row |= {
                    f"{name}_open": path[0], f"{name}_high": path.max(),
                    f"{name}_low": path.min(), f"{name}_close": path[-1],
                }  # fmt: skip
            strd = float(str(row["strd_close"]))
            row |= {
                "itm1_close": round(strd * 1.01, 2), "otm1_close": round(strd * 1.02, 2),
                "iv_close": float(rng.uniform(0.1, 0.2)), "basis_close": float(rng.normal(20, 8)),
                "close30_volume_share": float(rng.uniform(0.05, 0.3)),
                "close30_strd_return": float(rng.normal(-0.02, 0.02)),
                "strd_day_return": float(rng.normal(-0.1, 0.1)),
                "fut_vwap": level, "strd_vwap": strd,
            }  # fmt: skip
            rows.append(row)
        # the underlying is one: every expiry repeats it
        for row in rows[-len(expiries) :]:
            row |= {
                f"spot_{w}": rows[-len(expiries)][f"spot_{w}"]
                for w in ("open", "high", "low", "close")
            }
            row["basis_close"] = rows[-len(expiries)]["basis_close"]
    return pl.DataFrame(rows)


def _closes(chain: pl.DataFrame, day: dt.date, rng: np.random.Generator) -> pl.DataFrame:
    """Closing open interest near that of the day; some strikes were not listed before."""
    strikes = (
        chain.group_by("expiry_date", "strike")
        .agg(pl.col("ce_oi", "pe_oi").drop_nulls().first())
        .sort("expiry_date", "strike")
    )
    listed = pl.Series(rng.random(strikes.height) > 0.05)
    moves = [pl.Series(rng.uniform(0.7, 1.2, strikes.height)) for _ in range(2)]
    return strikes.filter(listed).select(
        "expiry_date", "strike",
        (pl.col("ce_oi") * moves[0].filter(listed)).round().cast(pl.Int64).alias("ce_oi"),
        (pl.col("pe_oi") * moves[1].filter(listed)).round().cast(pl.Int64).alias("pe_oi"),
        date=pl.lit(day),
    )  # fmt: skip


def _zones(days: list[dt.date], rng: np.random.Generator, values: dict[str, float]) -> pl.DataFrame:
    rows = []
    for day in days:
        for zone in ZONES:
            shared = {name: _near(rng, value) for name, value in values.items() if "und" in name}
            rows += [
                {
                    "date": day, "dte_bucket": bucket, "zone_name": zone.name,
                    **{name: _near(rng, value) for name, value in values.items()}, **shared,
                }
                for bucket in BUCKETS
            ]  # fmt: skip
    return pl.DataFrame(rows)


def _days(days: list[dt.date], rng: np.random.Generator, values: dict[str, float]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "date": day, "dte_bucket": bucket,
                **{name: _near(rng, value) for name, value in values.items()},
            }
            for day in days
            for bucket in BUCKETS
        ]
    )  # fmt: skip


def _near(rng: np.random.Generator, value: float) -> float:
    return float(value + abs(value) * rng.normal(0, 0.4))
