"""What the rules found in one partition: the rows of ``load_audit``.

Here: counts of every declared rule, plausibility of the good rows, the conservation of rows.
Not here: quarantining (``chain/quality``), storing, Dagster's checks (they read this table).
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import polars as pl

from mr_platform.chain import pricing, sessions, strikes
from mr_platform.config.settings import Settings
from mr_platform.registry.expectation_suite import render_expectations
from mr_platform.registry.loader import load_registry
from mr_platform.trading_calendar import SESSION_MINUTES, PartitionKey, expiries

AUDIT_SCHEMA: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "date": pl.Date(),
    "rule": pl.String(),
    "severity": pl.String(),
    "rows_checked": pl.Int64(),
    "rows_failed": pl.Int64(),
    "share": pl.Float64(),
    "passed": pl.Boolean(),
    "detail": pl.String(),
    "loaded_at": pl.Datetime("us", "UTC"),
    "code_version": pl.String(),
}

FULL_SESSION_BARS = 300
"""A session with fewer minutes is computed and flagged (raw_schema.md §2)."""

NEAR_THE_MONEY = 0.02
"""Rows within this share of spot are asked about parity: far quotes are stale too often."""


@dataclass(frozen=True)
class Finding:
    """What one rule found.

    Attributes:
        checked: Rows (or minutes, slices, days: ``detail`` says which) looked at.
        failed: How many of them break the rule.
        passed: The verdict.
        detail: Figures in words.
    """

    checked: int
    failed: int
    passed: bool
    detail: str


def audit_partition(
    key: PartitionKey,
    chain: pl.DataFrame,
    quarantine: pl.DataFrame,
    files: pl.DataFrame,
    settings: Settings,
    *,
    notes: Mapping[str, Finding],
    now: dt.datetime,
    code_version: str,
) -> tuple[pl.DataFrame, float]:
    """Account for one partition, rule by rule as declared.

    Args:
        key: The partition.
        chain: Its canonical rows.
        quarantine: Its quarantined rows.
        files: Its rows of ``landed_files``.
        settings: Limits.
        notes: Findings made on the way (settled spots, nulled volatilities …), by rule.
        now: Time to write (UTC).
        code_version: Version to write.

    Returns:
        Rows of ``AUDIT_SCHEMA`` in declared order, and the seconds Great Expectations took.
    """
    rows_in = int(files["rows_in"].sum())
    lost = dict(quarantine.group_by("reason").len().rows())
    found: dict[str, Finding] = dict(notes)
    started = time.perf_counter()
    if settings.quality.run_great_expectations:
        found["expectations_failed"] = _expectations(chain)
    seconds = time.perf_counter() - started
    found |= {name: rule(chain, key, settings) for name, rule in _PLAUSIBILITY.items()}
    found["bad_share"] = bad_share(quarantine, rows_in, settings.quality.max_bad_share)
    found["conservation"] = _conservation(chain, quarantine, rows_in)
    records = []
    for rule in load_registry().raw_chain.rules:
        finding = found.get(rule.name)
        if finding is None and rule.severity in ("quarantine", "set_aside"):
            count = int(lost.get(rule.name, 0))
            finding = Finding(rows_in, count, count == 0, f"{count:,} rows quarantined")
        if finding is None:
            continue
        records.append(
            {
                "symbol": key.symbol,
                "date": key.date,
                "rule": rule.name,
                "severity": rule.severity,
                "rows_checked": finding.checked,
                "rows_failed": finding.failed,
                "share": finding.failed / finding.checked if finding.checked else 0.0,
                "passed": finding.passed,
                "detail": finding.detail,
                "loaded_at": now,
                "code_version": code_version,
            }
        )
    return pl.DataFrame(records, schema=AUDIT_SCHEMA), seconds


def bad_share(quarantine: pl.DataFrame, rows_in: int, limit: float) -> Finding:
    """Share of rows that count as bad, of the rows that were not merely set aside."""
    bad = int(quarantine["counts_as_bad"].sum())
    judged = rows_in - (quarantine.height - bad)
    share = bad / judged if judged else 0.0
    return Finding(
        judged, bad, share <= limit, f"{bad:,} of {judged:,} rows were bad, limit {limit:.0%}"
    )


def _conservation(chain: pl.DataFrame, quarantine: pl.DataFrame, rows_in: int) -> Finding:
    good = int(chain["source_rows"].sum())
    missing = abs(rows_in - good - quarantine.height)
    return Finding(
        rows_in,
        missing,
        missing == 0,
        f"{good:,} good + {quarantine.height:,} quarantined of {rows_in:,} rows in",
    )


def _expectations(chain: pl.DataFrame) -> Finding:
    from mr_platform.registry.expectations import run_expectations

    report = run_expectations(chain, _suite())
    failed = [
        f"{result.type} on {result.column} observed {result.observed}" for result in report.failed
    ]
    return Finding(
        len(report.results),
        len(failed),
        report.passed,
        "; ".join(failed) or f"all {len(report.results)} expectations held",
    )


@cache
def _suite() -> list[dict[str, Any]]:
    return render_expectations(load_registry().raw_chain)


# ---------------------------------------------------------------------- plausibility


def _slices(chain: pl.DataFrame) -> pl.DataFrame:
    both = (pl.col("call_strike_type") == "ATM") & (pl.col("put_strike_type") == "ATM")
    return chain.group_by("ts_minute", "expiry_date").agg(both.sum().alias("atm_rows"))


def _atm_label_missing(chain: pl.DataFrame, _: PartitionKey, __: Settings) -> Finding:
    slices = _slices(chain)
    failed = slices.filter(pl.col("atm_rows") != 1).height
    return _told(slices.height, failed, "minutes × expiries without exactly one ATM row")


def _atm_off_spot(chain: pl.DataFrame, key: PartitionKey, settings: Settings) -> Finding:
    step = settings.market.strike_steps[key.symbol]
    off = (pl.col("atm_strike") - pl.col("spot")).abs() > step
    return _rows(chain, off, f"rows with atm_strike more than {step:g} points from spot")


def dte_not_monotone(rows: pl.DataFrame) -> Finding:
    """Whether the source's own dte rises with its expiries, before any row is taken out.

    Afterwards the question is settled: a row whose dte contradicts its expiry has left.
    """
    if "dte" not in rows.columns:
        return Finding(0, 0, True, "the source gives no dte")
    pairs = rows.select("expiry_date", "dte").drop_nulls().unique().sort("expiry_date", "dte")
    failed = int(pairs.select((pl.col("dte").diff() <= 0).sum()).item())
    return _told(pairs.height, failed, "expiries whose dte does not rise with expiry_date")


def _parity_miss(chain: pl.DataFrame, key: PartitionKey, settings: Settings) -> Finding:
    near = chain.filter((pl.col("strike") / pl.col("spot") - 1).abs() <= NEAR_THE_MONEY)
    gap = pricing.parity_gap(near, settings.market.rate_on(key.date)).drop_nulls("parity_gap")
    failed = gap.filter(pl.col("parity_gap") > settings.quality.parity_tolerance).height
    share = failed / gap.height if gap.height else 0.0
    return Finding(
        gap.height,
        failed,
        share <= settings.quality.parity_warn_share,
        f"{share:.1%} of two-sided rows near the money miss put-call parity by more than "
        f"{settings.quality.parity_tolerance:.1%} of spot, warned above "
        f"{settings.quality.parity_warn_share:.0%}",
    )


def _strike_off_step(chain: pl.DataFrame, key: PartitionKey, settings: Settings) -> Finding:
    step = settings.market.strike_steps[key.symbol]
    return _rows(chain, pl.col("strike") % step != 0, f"rows with a strike off the {step:g} grid")


def _zone_disagrees(chain: pl.DataFrame, _: PartitionKey, __: Settings) -> Finding:
    ours = sessions.zone_name(sessions.ist_time("ts_minute"))
    minutes = chain.select("ts_minute", "zone_name").unique()
    return _rows(minutes, pl.col("zone_name") != ours, "minutes with another zone than the table's")


def _strike_type_disagrees(chain: pl.DataFrame, _: PartitionKey, __: Settings) -> Finding:
    """Labels of the source against the rank among the strikes of the minute.

    Vendors rank among all strikes of the day, or among rows they later drop, so far ranks differ
    as a rule; what features stand on is the ATM row and its neighbours.
    """
    derived = strikes.add_strike_rank(chain.select(_LABEL_INPUTS), name="rank")["rank"]
    theirs = chain.select(strikes.rank_from_call_label("call_strike_type")).to_series()
    labels = pl.DataFrame({"ours": derived, "theirs": theirs})
    near = labels.filter(pl.col("ours").abs() <= NEAR_RANKS)
    differing = near.filter(pl.col("ours") != pl.col("theirs"))
    at_the_money = differing.filter((pl.col("ours") == 0) | (pl.col("theirs") == 0)).height
    return Finding(
        near.height,
        differing.height,
        at_the_money == 0,
        f"{differing.height:,} of {near.height:,} rows within {NEAR_RANKS} strikes of ATM have "
        f"another label than their rank in the minute, {at_the_money:,} of them about ATM itself",
    )


NEAR_RANKS = 7
_LABEL_INPUTS = ["symbol", "date", "ts_minute", "expiry_date", "strike", "atm_strike"]


def _bucket_disagrees(chain: pl.DataFrame, _: PartitionKey, __: Settings) -> Finding:
    days = chain.select("symbol", "date", "expiry_date", "expiry_bucket").unique()
    derived = strikes.add_expiry_bucket(days, name="derived")
    differs = pl.col("expiry_bucket").ne_missing(pl.col("derived"))
    return _rows(derived, differs, "expiries whose bucket differs from the rule's")


def _unlisted_expiry(chain: pl.DataFrame, key: PartitionKey, _: Settings) -> Finding:
    listed = set(expiries(key.symbol, key.date))
    present = set(chain["expiry_date"].unique())
    unknown = sorted(present - listed)
    told = ", ".join(str(day) for day in unknown[:5])
    return _told(len(present), len(unknown), f"expiries the calendar does not list {told}".strip())


def _few_bars(chain: pl.DataFrame, _: PartitionKey, __: Settings) -> Finding:
    minutes = chain["ts_minute"].n_unique()
    return Finding(
        SESSION_MINUTES,
        SESSION_MINUTES - minutes,
        minutes >= FULL_SESSION_BARS,
        f"{minutes} of {SESSION_MINUTES} minutes present, flagged below {FULL_SESSION_BARS}",
    )


def _rows(frame: pl.DataFrame, failing: pl.Expr, what: str) -> Finding:
    failed = frame.select(failing.fill_null(value=False).sum()).item() if frame.height else 0
    return _told(frame.height, int(failed), what)


def _told(checked: int, failed: int, what: str) -> Finding:
    return Finding(checked, failed, failed == 0, f"{failed:,} of {checked:,} {what}")


_PLAUSIBILITY: Mapping[str, Callable[[pl.DataFrame, PartitionKey, Settings], Finding]] = {
    "atm_label_missing": _atm_label_missing,
    "atm_off_spot": _atm_off_spot,
    "parity_miss": _parity_miss,
    "strike_off_step": _strike_off_step,
    "zone_disagrees": _zone_disagrees,
    "strike_type_disagrees": _strike_type_disagrees,
    "bucket_disagrees": _bucket_disagrees,
    "unlisted_expiry": _unlisted_expiry,
    "few_bars": _few_bars,
}
