"""One input, one output, to the last bit: however partitions, rows, chunks and threads are laid.

Every column of every derived table is hashed over its physical bits, nulls included. By default
cut chains are used (two expiries, part of the session); ``make test-full`` takes whole days.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise

import polars as pl
import pytest

from mr_platform.features import column_plan
from mr_platform.features.table_schemas import MINUTE_PANEL
from mr_platform.orchestration import derived_tables as graph
from mr_platform.orchestration.ingestion import OPTION_CHAIN
from mr_platform.registry.model import COMPONENTS
from mr_platform.trading_calendar import PartitionKey, previous_trading_day
from mr_platform_tests.conftest import REPOSITORY
from mr_platform_tests.features.changed_chains import moved, near_strikes, rows_shuffled, until
from mr_platform_tests.features.value_bits import all_bits, apart, write_inputs
from mr_platform_tests.features.whole_graph import (
    Tables,
    both_symbols,
    built,
    features_of,
    first_expiries,
    history_for,
    partitions,
)

THURSDAY, FRIDAY = dt.date(2025, 9, 4), dt.date(2025, 9, 5)
LAST_MINUTE = 200
SAMPLED_EXPIRIES = {"NIFTY": 2, "BANKNIFTY": 1}
LONE, OTHER = "NIFTY", "BANKNIFTY"
LEAST_OF_HISTORY = {"one bucket": 80, "one day": 40, "one row": 40}
"""Columns of finished days that have a value with so little of them, at least."""

REPEATS, SAMPLED_REPEATS = 5, 1
THREADS, SAMPLED_THREADS = (1, 2, 8), (8,)


@dataclass
class Batch:
    """Two days of both symbols, made at once.

    Attributes:
        chain: Chains of all four partitions.
        history: History tables that they read.
        tables: Every derived table of the batch.
        bits: Hashes of all its columns.
        sampled: Whether the chains are cut.
    """

    chain: pl.DataFrame
    history: Tables
    tables: Tables
    bits: dict[str, str]
    sampled: bool

    def day(self, day: dt.date) -> pl.DataFrame:
        """Chains of one date."""
        return self.chain.filter(pl.col("date") == day)


def batch_of(sampled: bool) -> Batch:
    counts = SAMPLED_EXPIRIES if sampled else {"NIFTY": 4, "BANKNIFTY": 4}
    friday = both_symbols("simulated", FRIDAY, counts)
    if sampled:
        # the day before is the same one a day further from expiry: a second one costs as much
        # to simulate as all of the tables
        friday = near_strikes(until(friday, LAST_MINUTE))
        thursday = moved(friday, THURSDAY, expiries_too=False)
    else:
        thursday = both_symbols("simulated", THURSDAY, counts)
    history = history_for(friday, seed=5)
    chain = pl.concat([thursday, friday])
    tables = built(chain, history)
    return Batch(chain, history, tables, all_bits(tables), sampled)


SIZES = [
    pytest.param(True, id="sampled"),
    pytest.param(False, id="whole", marks=[pytest.mark.slow, pytest.mark.timeout(1200)]),
]


@pytest.fixture(scope="module", params=SIZES)
def batch(request) -> Batch:
    return batch_of(request.param)


def bits_of(batch: Batch, day: dt.date) -> dict[str, str]:
    """Hashes of one date of the batch."""
    return all_bits({n: table.filter(pl.col("date") == day) for n, table in batch.tables.items()})


def of_partition(tables: Tables, key: PartitionKey) -> Tables:
    own = (pl.col("date") == key.date) & (pl.col("symbol") == key.symbol)
    return {name: table.filter(own) for name, table in tables.items()}


def in_pieces(table: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The table in pieces that are cut anywhere, as files and batches cut it."""
    cuts = sorted(random.Random(seed).sample(range(1, table.height), min(7, table.height - 1)))
    spans = pairwise([0, *cuts, table.height])
    return pl.concat([table[start:end] for start, end in spans], rechunk=False)


def test_pieces_in_which_tables_are_read_do_not_matter(batch: Batch) -> None:
    upstream, history = (
        {name: in_pieces(table, seed=9) for name, table in tables.items() if table.height > 1}
        for tables in (batch.tables, batch.history)
    )
    again = built(in_pieces(batch.chain, seed=9), batch.history | history, upstream=upstream)
    assert not apart(batch.bits, all_bits(again))


def test_the_hash_sees_bits_nulls_types_and_order():
    base = pl.DataFrame({"j": [1, 2, 3], "x": [0.0, None, 1.0]})
    others = [
        base.with_columns(x=pl.Series([-0.0, None, 1.0])),
        base.with_columns(x=pl.Series([0.0, 0.0, 1.0])),
        base.with_columns(x=pl.Series([None, 0.0, 1.0], dtype=pl.Float64)),
        base.with_columns(x=pl.Series([0.0, None, 1.0 + 2**-52])),
        base.with_columns(x=pl.Series([0, None, 1])),
        base.with_columns(x=pl.Series([1.0, None, 0.0])),
    ]
    assert apart(all_bits({"t": base}), all_bits({"t": base.reverse()})) == []
    assert [apart(all_bits({"t": base}), all_bits({"t": other})) for other in others] == [
        ["t.x"]
    ] * len(others)


def test_plans_worked_out_whole_equal_those_in_two_parts(batch, monkeypatch):
    monkeypatch.setattr(column_plan, "SHORT_ROWS", 0)
    assert apart(batch.bits, all_bits(built(batch.chain, batch.history))) == []


def test_a_partition_alone_equals_itself_in_the_batch(batch):
    # c6 reads the partner's panel; everything else sees one partition only
    shared = {MINUTE_PANEL: batch.tables[MINUTE_PANEL]}
    keys = partitions(batch.chain)
    chosen = keys[-1:] if batch.sampled else keys
    for key in chosen:
        own = of_partition({OPTION_CHAIN: batch.chain}, key)[OPTION_CHAIN]
        alone = built(own, batch.history, keys=[key], upstream=shared)
        assert apart(all_bits(of_partition(batch.tables, key)), all_bits(alone)) == [], key


@pytest.mark.parametrize(
    "shuffled", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["shuffled", "backwards"]
)
def test_the_order_of_partitions_and_rows_does_not_matter(batch, shuffled):
    parts = sorted(batch.chain.group_by("symbol", "date"), key=lambda part: part[0], reverse=True)
    chain = pl.concat([own for _, own in parts])
    chain = rows_shuffled(chain, seed=11) if shuffled else chain
    other = built(chain, batch.history, keys=partitions(batch.chain)[::-1])
    assert apart(batch.bits, all_bits(other)) == []


@pytest.mark.parametrize("sizes", [{OPTION_CHAIN: 2, MINUTE_PANEL: 1}])
def test_the_size_of_chunks_does_not_matter(batch, sizes, monkeypatch):
    monkeypatch.setattr(graph, "CHUNK_DATES", sizes)
    assert apart(batch.bits, all_bits(built(batch.chain, batch.history))) == []


def test_every_run_in_one_process_is_the_same(batch):
    day, here = batch.day(FRIDAY), bits_of(batch, FRIDAY)
    repeats = SAMPLED_REPEATS if batch.sampled else REPEATS
    runs = [all_bits(built(day, batch.history)) for _ in range(repeats)]
    assert [apart(here, run) for run in runs] == [[]] * repeats


def test_processes_with_other_thread_counts_agree(batch, tmp_path):
    day = batch.day(FRIDAY)
    write_inputs(tmp_path, day, batch.history)
    counts = SAMPLED_THREADS if batch.sampled else THREADS
    here = bits_of(batch, FRIDAY)
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "mr_platform_tests.features.value_bits", str(tmp_path)],
            env={**os.environ, "POLARS_MAX_THREADS": str(threads)},
            cwd=REPOSITORY, stdout=subprocess.PIPE, text=True,
        )
        for threads in counts
    ]  # fmt: skip
    said = [json.loads(process.communicate(timeout=900)[0]) for process in started]
    assert [process.returncode for process in started] == [0] * len(counts)
    assert [told["threads"] for told in said] == list(counts)
    assert [apart(here, told["bits"]) for told in said] == [[]] * len(counts)
    print(f"\n{len(here)} columns, threads {counts}: equal bits")


# -- history of one expiry ------------------------------------------------------------------------


def scant(history: Tables, amount: str, chain: pl.DataFrame) -> Tables:
    """What is left of a symbol's history when only its one expiry, or its bucket, has any.

    Args:
        history: History tables of both symbols.
        amount: ``one bucket``: every earlier day of it; ``one day``: the day before only;
            ``one row``: the first row of the day before, in every table.
        chain: The symbol's day, of one expiry.
    """
    expiry, day = chain["expiry_date"][0], chain["date"][0]
    days_left = (expiry - day).days
    bucket = "near" if days_left <= 7 else "mid" if days_left <= 30 else "far"
    found: Tables = {}
    for name, table in history.items():
        mine = table.filter(pl.col("symbol") == LONE)
        if "dte_bucket" in mine.columns:
            mine = mine.filter(pl.col("dte_bucket") == bucket)
        if "expiry_date" in mine.columns:
            mine = mine.filter(pl.col("expiry_date") == expiry)
        if amount != "one bucket":
            mine = mine.filter(pl.col("date") == previous_trading_day(day))
        found[name] = mine.head(1) if amount == "one row" else mine
    return found


@pytest.mark.parametrize(
    "amount",
    [
        "one bucket",
        pytest.param("one day", marks=pytest.mark.slow),
        pytest.param("one row", marks=pytest.mark.slow),
    ],
)
def test_a_day_with_the_history_of_one_expiry_equals_itself_in_the_batch(amount):
    """What is looked up for one expiry is a frame of one row, which a batch never is."""
    # as many expiries are simulated as for the batch above, which is done once
    friday = near_strikes(both_symbols("simulated", FRIDAY, SAMPLED_EXPIRIES))
    friday = first_expiries(friday, 1)
    chain = pl.concat([moved(friday, THURSDAY, expiries_too=False), friday])
    key = PartitionKey(FRIDAY, LONE)
    own = of_partition({OPTION_CHAIN: chain}, key)[OPTION_CHAIN]
    whole = history_for(friday, seed=12)
    little = scant(whole, amount, own)
    assert all(table.height for table in little.values())
    history = {
        name: pl.concat([table, whole[name].filter(pl.col("symbol") == OTHER)])
        for name, table in little.items()
    }
    batch = built(chain, history)
    shared = {MINUTE_PANEL: batch[MINUTE_PANEL]}
    alone = built(own, little, keys=[key], upstream=shared)
    assert apart(all_bits(of_partition(batch, key)), all_bits(alone)) == []
    read = [
        column.name
        for component in COMPONENTS
        for column in features_of(component)
        # without earlier days those of minutes have values of their own day
        if set(column.lookback.history_tables) - {"hist_minute"}
        and alone[f"{component}_features"][column.name].count()
    ]
    print(f"\n{amount}: {len(read)} columns of history have a value")
    assert len(read) >= LEAST_OF_HISTORY[amount]
