"""Verdicts on stored partitions of the option chain, read back from the tables.

Here: what each check asks of the stored rows and the audit, one answer a partition.
Not here: rules at the door (``chain/quality``), Dagster's events (``checks/option_chain.py``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from mr_platform.config.settings import Settings
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.orchestration.ingestion import (
    LANDED_FILES,
    LOAD_AUDIT,
    OPTION_CHAIN,
    QUARANTINED_ROWS,
)
from mr_platform.registry.loader import load_registry
from mr_platform.trading_calendar import PartitionKey

PRICE_LEGS = ("ce", "pe", "future")


@dataclass(frozen=True)
class CheckRule:
    """One check of the option chain.

    Attributes:
        name: Name in the asset graph.
        description: What must hold.
        blocks: True where rows that fail it must not flow on (an error); else it warns.
        judge: From the facts of a partition to whether it holds, one sentence, and the numbers.
    """

    name: str
    description: str
    blocks: bool
    judge: Callable[[PartitionFacts], Judgement]


@dataclass(frozen=True)
class Judgement:
    """Outcome of one check on one partition."""

    passed: bool
    sentence: str
    numbers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PartitionFacts:
    """What the tables hold of one partition.

    Attributes:
        key: The partition.
        settings: Limits that hold now.
        chain: Counts over the stored chain (see ``_chain_facts``); empty where it has no rows.
        quarantined: Rows of ``quarantined_rows``.
        bad: Those of them that count as bad.
        rows_in: Input rows by ``landed_files``.
        stored_digests: Digests of the files it was made of.
        landed_digests: Digests of the files in the landing folder now.
        audit: Rows of ``load_audit`` by rule.
    """

    key: PartitionKey
    settings: Settings
    chain: Mapping[str, int]
    quarantined: int
    bad: int
    rows_in: int
    stored_digests: frozenset[str]
    landed_digests: frozenset[str]
    audit: Mapping[str, Mapping[str, Any]]


def _conservation(facts: PartitionFacts) -> Judgement:
    good = facts.chain.get("source_rows", 0)
    return Judgement(
        facts.rows_in > 0 and good + facts.quarantined == facts.rows_in,
        f"{good:,} good + {facts.quarantined:,} quarantined, {facts.rows_in:,} came in",
        {"rows_good": good, "rows_quarantined": facts.quarantined, "rows_in": facts.rows_in},
    )


def _bad_share(facts: PartitionFacts) -> Judgement:
    limit = facts.settings.quality.max_bad_share
    judged = facts.rows_in - (facts.quarantined - facts.bad)  # set aside is not judged
    share = facts.bad / judged if judged else 0.0
    return Judgement(
        share <= limit,
        f"{facts.bad:,} of {judged:,} rows were bad ({share:.2%}, limit {limit:.2%})",
        {"rows_bad": facts.bad, "rows_judged": judged, "share": share, "limit": limit},
    )


def _has_rows(facts: PartitionFacts) -> Judgement:
    rows = facts.chain.get("rows", 0)
    minutes = facts.chain.get("minutes", 0)
    return Judgement(
        rows > 0, f"{rows:,} rows in {minutes:,} minutes", {"rows": rows, "minutes": minutes}
    )


def _unique_keys(facts: PartitionFacts) -> Judgement:
    repeated = facts.chain.get("repeated_keys", 0)
    return Judgement(repeated == 0, f"{repeated:,} rows repeat a key", {"rows_repeated": repeated})


def _one_spot(facts: PartitionFacts) -> Judgement:
    minutes = facts.chain.get("minutes_without_one_spot", 0)
    return Judgement(
        minutes == 0, f"{minutes:,} minutes hold no spot or several", {"minutes": minutes}
    )


def _ranges(facts: PartitionFacts) -> Judgement:
    broken = {
        name.removeprefix("range:"): count
        for name, count in facts.chain.items()
        if name.startswith("range:") and count
    }
    told = ", ".join(f"{name}: {count:,}" for name, count in sorted(broken.items()))
    return Judgement(
        not broken, f"values outside: {told}" if told else "every value is in range", broken
    )


def _inputs_current(facts: PartitionFacts) -> Judgement:
    same = facts.stored_digests == facts.landed_digests
    missing = len(facts.landed_digests - facts.stored_digests)
    gone = len(facts.stored_digests - facts.landed_digests)
    return Judgement(
        same,
        "made of the files that are landed now"
        if same
        else f"{missing} landed files are not in it yet, {gone} of its files are no longer landed",
        {"files_not_in_it": missing, "files_gone": gone},
    )


def _audited(*rules: str) -> Callable[[PartitionFacts], Judgement]:
    """The check whose verdict is in the audit that was written with the rows."""

    def judge(facts: PartitionFacts) -> Judgement:
        missing = [rule for rule in rules if rule not in facts.audit]
        if missing:
            return Judgement(False, f"the audit of {facts.key} holds no {', '.join(missing)}")
        rows = [facts.audit[rule] for rule in rules]
        return Judgement(
            all(row["passed"] for row in rows),
            "; ".join(str(row["detail"]) for row in rows),
            {f"{row['rule']}_share": row["share"] for row in rows},
        )

    return judge


def _expectations(facts: PartitionFacts) -> Judgement:
    if "expectations_failed" not in facts.audit and not (
        facts.settings.quality.run_great_expectations
    ):
        return Judgement(True, "not run: quality.run_great_expectations is off")
    return _audited("expectations_failed")(facts)


RULES: tuple[CheckRule, ...] = (
    CheckRule("has_rows", "The partition holds rows.", True, _has_rows),
    CheckRule(
        "rows_are_conserved",
        "Rows merged into the chain plus quarantined rows are the input rows, none lost.",
        True,
        _conservation,
    ),
    CheckRule(
        "bad_share_is_low",
        "The share of bad rows is within the limit of the settings.",
        True,
        _bad_share,
    ),
    CheckRule("keys_are_unique", "One row per minute, expiry and strike.", True, _unique_keys),
    CheckRule("one_spot_per_minute", "Each minute has exactly one spot.", True, _one_spot),
    CheckRule(
        "values_are_in_range",
        "Every stored value is within its declared range; low ≤ open, close ≤ high.",
        True,
        _ranges,
    ),
    CheckRule(
        "expectations_hold",
        "The Great Expectations suite rendered from the registry passed on the frame.",
        True,
        _expectations,
    ),
    CheckRule(
        "parity_is_plausible",
        "Near the money few two-sided rows miss put-call parity (stale quotes do).",
        False,
        _audited("parity_miss"),
    ),
    CheckRule(
        "atm_labels_are_plausible",
        "Each minute and expiry has one ATM row, within one strike step of spot.",
        False,
        _audited("atm_label_missing", "atm_off_spot"),
    ),
    CheckRule(
        "session_is_complete",
        "At least 300 of the 375 minutes hold rows.",
        False,
        _audited("few_bars"),
    ),
    CheckRule(
        "inputs_are_current",
        "The partition was made of exactly the files that are landed now.",
        False,
        _inputs_current,
    ),
)


def range_expressions(columns: Sequence[str]) -> list[pl.Expr]:
    """Counts of stored values outside what the registry declares, one a column.

    Args:
        columns: Columns of the stored table.
    """
    counts = []
    for column in load_registry().raw_chain.columns:
        if column.name not in columns:
            continue
        value = pl.col(column.name)
        # NaN is neither below nor above any bound, and infinity passes an open one
        bounds = [~value.is_finite()] if column.dtype == "Float64" else []
        if column.outside != "allow":
            bounds += [
                broken
                for bound, broken in (
                    (column.low, value < pl.lit(column.low)),
                    (column.high, value > pl.lit(column.high)),
                )
                if isinstance(bound, int | float)
            ]
            if column.values:
                bounds.append(~value.is_in(list(column.values)))
        if bounds:
            counts.append(pl.any_horizontal(bounds).sum().alias(f"range:{column.name}"))
    for leg in PRICE_LEGS:
        low, high = pl.col(f"{leg}_low"), pl.col(f"{leg}_high")
        if {f"{leg}_{part}" for part in ("open", "high", "low", "close")} <= set(columns):
            inside = [
                broken
                for part in ("open", "close")
                for broken in (pl.col(f"{leg}_{part}") < low, pl.col(f"{leg}_{part}") > high)
            ]
            counts.append(
                pl.any_horizontal([*inside, low > high]).sum().alias(f"range:{leg}_bar_order")
            )
    return counts


def read_facts(
    lakehouse: Lakehouse,
    keys: Sequence[PartitionKey],
    landed_digests: Mapping[PartitionKey, frozenset[str]],
    settings: Settings,
) -> list[PartitionFacts]:
    """Facts of several partitions, each table read once.

    Args:
        lakehouse: The tables.
        keys: Partitions asked about.
        landed_digests: Digests of the files landed now, by partition.
        settings: Limits that hold now.
    """
    chain = _by_key(_chain_facts(lakehouse.scan(OPTION_CHAIN, keys)))
    quarantined = _by_key(
        lakehouse.scan(QUARANTINED_ROWS, keys)
        .group_by("symbol", "date")
        .agg(rows=pl.len(), bad=pl.col("counts_as_bad").sum())
    )
    files = _by_key(
        lakehouse.scan(LANDED_FILES, keys)
        .group_by("symbol", "date")
        .agg(rows_in=pl.col("rows_in").sum(), digests=pl.col("file_sha256").unique())
    )
    audit: dict[PartitionKey, dict[str, dict[str, Any]]] = {}
    for row in lakehouse.scan(LOAD_AUDIT, keys).collect().to_dicts():
        audit.setdefault(PartitionKey(row["date"], row["symbol"]), {})[row["rule"]] = row
    return [
        PartitionFacts(
            key=key,
            settings=settings,
            chain=chain.get(key, {}),
            quarantined=quarantined.get(key, {}).get("rows", 0),
            bad=quarantined.get(key, {}).get("bad", 0),
            rows_in=files.get(key, {}).get("rows_in", 0),
            stored_digests=frozenset(files.get(key, {}).get("digests", ())),
            landed_digests=landed_digests.get(key, frozenset()),
            audit=audit.get(key, {}),
        )
        for key in sorted(keys)
    ]


def _chain_facts(chain: pl.LazyFrame) -> pl.LazyFrame:
    """Counts by partition: rows, input rows, repeated keys, minutes with several spots, ranges."""
    counts = [
        pl.len().alias("rows"),
        pl.col("source_rows").sum().cast(pl.Int64),
        pl.struct("expiry_date", "strike").n_unique().alias("distinct_keys"),
        pl.col("spot").n_unique().alias("spots"),
        pl.col("spot").null_count().alias("spots_missing"),
        *range_expressions(chain.collect_schema().names()),
    ]
    odd_spot = (pl.col("spots") != 1) | (pl.col("spots_missing") > 0)
    totals = [
        pl.col("rows", "source_rows").sum(),
        pl.col("^range:.*$").sum(),
        pl.len().alias("minutes"),
        (pl.col("rows").cast(pl.Int64) - pl.col("distinct_keys")).sum().alias("repeated_keys"),
        odd_spot.sum().alias("minutes_without_one_spot"),
    ]
    by_minute = chain.group_by("symbol", "date", "ts_minute").agg(counts)
    return by_minute.group_by("symbol", "date").agg(totals)


def _by_key(frame: pl.LazyFrame) -> dict[PartitionKey, dict[str, Any]]:
    rows = frame.collect(engine="streaming").to_dicts()
    return {PartitionKey(_date(row.pop("date")), str(row.pop("symbol"))): row for row in rows}


def _date(value: Any) -> dt.date:
    if not isinstance(value, dt.date):
        raise TypeError(f"date was {value!r}")
    return value
