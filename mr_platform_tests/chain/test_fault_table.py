"""The fault table: every kind of bad input, from the file to what the person at the CLI reads.

One ``mr ingest`` takes a good file and one file of each kind, each on a day of its own. Each kind
must end as designed, none with a traceback, none with a lost row, none in the way of the rest.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pytest
from click.testing import CliRunner, Result

from mr_platform.cli.application import root
from mr_platform.config.settings import load_settings
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.orchestration.resources import SettingsResource
from mr_platform.simulation.chain_day import DaySpec, SimulatedDay, simulate_day
from mr_platform.simulation.day_files import write_days
from mr_platform.simulation.faults import FAULTS
from mr_platform.trading_calendar import PartitionKey, is_trading_day
from mr_platform_tests.orchestration.conftest import QuickSettings

Ending = Literal["file", "refused", "rows", "clean"]
GOOD = "good"
MINUTES = 60
SEED = 11


@dataclass(frozen=True)
class Design:
    """How a kind of bad input ends.

    ``file``: the file feeds nothing, its fault is told. ``refused``: the partition is not stored,
    the reason is told. ``rows``: only the bad rows leave, under this reason. ``clean``: nothing is
    wrong with it after all. ``words`` is the reason, or words of the message.
    """

    ending: Ending
    words: str = ""


DESIGN = {
    "truncated_gz": Design("file", "truncated gzip"),
    "gzip_named_csv": Design("clean"),
    "wrong_delimiter": Design("file", "semicolons"),
    "bom": Design("clean"),
    "utf16_file": Design("file", "UTF-16"),
    "duplicate_header": Design("rows", "unparseable_key"),
    "ragged_rows": Design("rows", "malformed_row"),
    "cut_off_last_line": Design("rows", "malformed_row"),
    "empty_file": Design("file", "is empty"),
    "html_instead_of_csv": Design("file", "HTML"),
    "foreign_file": Design("file", "shares none"),
    "directory_instead_of_file": Design("file", "holds no file"),
    "unreadable_file": Design("clean") if os.geteuid() == 0 else Design("file", "read"),
    "broken_link": Design("file", "no such file"),
    "corrupt_parquet": Design("file", "damaged"),
    "truncated_parquet": Design("file", "damaged"),
    "nested_parquet": Design("file", "nested"),
    "day_first_dates": Design("file", "day-first"),
    "mixed_iv_units": Design("refused", "units are mixed"),
    "mixed_oi_units": Design("refused", "units are mixed"),
    "nan_values": Design("clean"),
    "inf_values": Design("rows", "not_finite"),
    "negative_prices": Design("rows", "out_of_range"),
    "negative_volume": Design("rows", "out_of_range"),
    "extra_column": Design("clean"),
    "missing_column": Design("file", "strike"),
    "outside_session": Design("rows", "outside_session"),
    "holiday_file": Design("file", "trading day"),
    "swapped_expiries": Design("refused", "dte_mismatch"),
    "expiry_before_date": Design("rows", "expiry_before_date"),
    "unknown_symbol": Design("rows", "unknown_symbol"),
    "null_strikes": Design("rows", "missing_value"),
    "header_only": Design("file", "no rows"),
    "duplicate_rows": Design("rows", "duplicate_row"),
    "conflicting_duplicates": Design("rows", "duplicate_key"),
    "low_above_high": Design("rows", "low_high_order"),
    "two_spots_in_a_minute": Design("rows", "spot_conflict"),
    "text_in_numbers": Design("rows", "unparseable_value"),
    "fractional_oi": Design("rows", "fractional_integer"),
    "wrong_dte": Design("rows", "dte_mismatch"),
    "unmirrored_labels": Design("rows", "labels_not_mirrored"),
    "missing_minutes": Design("clean"),
}
# rows that a fault of the bytes adds to the table it was made of
ADDED_ROWS = {"duplicate_header": 1}
# about a tenth of the rows is hit, the share at which a partition is refused: a draw below it
SEEDS = {"wrong_dte": 16}
DIALECTS = ("legacy_csv", "legacy_csv_gz", "legacy_parquet")


@dataclass
class Table:
    """One ingest of every kind of bad input."""

    home: Path
    result: Result
    again: Result
    paths: dict[str, Path]
    rows: dict[str, int]
    keys: dict[str, PartitionKey]

    @property
    def document(self) -> dict[str, Any]:
        return json.loads(self.result.stdout)  # type: ignore[no-any-return]

    def file(self, kind: str) -> dict[str, Any]:
        return next(
            file for file in self.document["files"] if file["source"] == str(self.paths[kind])
        )

    def lakehouse(self) -> Lakehouse:
        settings = load_settings(self.home)
        return Lakehouse(settings.lakehouse_root, settings.parquet)


def _day(base: SimulatedDay, weeks: int, days: int) -> SimulatedDay:
    """The base day later: the same rows, days moved within the week, expiries by whole weeks."""
    later = dt.timedelta(weeks=weeks)
    return dataclasses.replace(
        base,
        key=PartitionKey(base.key.date + later + dt.timedelta(days=days), base.key.symbol),
        chain=base.chain.with_columns(
            pl.col("trade_date") + later + dt.timedelta(days=days),
            pl.col("expiry_date") + later,
            pl.col("dte") - days,
        ),
    )


def _days(base: SimulatedDay) -> Iterator[SimulatedDay]:
    """Mondays to Wednesdays of whole weeks: neighbours share a run, so that one is not each."""
    for weeks in range(80):
        week = [_day(base, weeks, days) for days in range(3)]
        if all(is_trading_day(day.key.date) for day in week):
            yield from week


def _small(day: SimulatedDay) -> SimulatedDay:
    """An hour, two expiries, strikes near the money: enough for every rule, quick to read."""
    chain = day.chain
    expiries = chain["expiry_date"].unique().sort()[:2]
    minutes = chain["trade_time"].unique().sort()[:MINUTES]
    near = chain.filter(
        pl.col("expiry_date").is_in(expiries.implode()),
        pl.col("trade_time").is_in(minutes.implode()),
        (pl.col("strike") - pl.col("atm_strike").first()).abs() <= 400,
    )
    return dataclasses.replace(day, chain=near)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    folder = tmp_path_factory.mktemp("faults")
    market = load_settings(folder).market
    base = _small(simulate_day(DaySpec("NIFTY", dt.date(2022, 10, 3), SEED, market)))
    days = _days(base)
    paths, rows, keys = {}, {}, {}
    for kind in (GOOD, *FAULTS):
        day = next(days)
        can = FAULTS[kind].applies_to if kind != GOOD else {DIALECTS[0]}
        dialect = next(name for name in DIALECTS if name in can)
        named = [] if kind == GOOD else [kind]
        report = write_days([day], folder / kind, dialect, faults=named, seed=SEEDS.get(kind, SEED))
        written = report.files[0]
        paths[kind] = written.path.rename(written.path.with_name(f"{kind}_{written.path.name}"))
        rows[kind] = written.rows + ADDED_ROWS.get(kind, 0)
        keys[kind] = day.key
    home = folder / "home"
    arguments = ["ingest", *map(str, paths.values()), "--home", str(home)]
    previous = dict(os.environ)
    try:
        with pytest.MonkeyPatch.context() as patch:
            # its verdicts judge stored rows, which have a test of their own (registry)
            patch.setattr(SettingsResource, "load", QuickSettings.load)
            result = CliRunner().invoke(root, [*arguments, "--json"])
            again = CliRunner().invoke(root, arguments)
    finally:
        os.environ.clear()
        os.environ.update(previous)
    return Table(home, result, again, paths, rows, keys)


def test_every_kind_the_simulator_makes_has_a_design() -> None:
    assert set(DESIGN) == set(FAULTS)
    assert len(DESIGN) >= 25


def test_the_ingest_tells_that_something_failed_without_a_traceback(table: Table) -> None:
    assert table.result.exit_code == 1
    for output in (table.result.stdout, table.result.stderr, table.again.output):
        assert "Traceback" not in output


def test_the_good_file_goes_on_beside_all_the_bad_ones(table: Table) -> None:
    good = table.file(GOOD)
    assert good["fault"] is None
    assert good["rows_in"] == good["rows_good"] + good["rows_quarantined"] == table.rows[GOOD]
    assert good["rows_quarantined"] <= 0.02 * good["rows_in"]


@pytest.mark.parametrize("kind", [k for k, d in DESIGN.items() if d.ending == "file"])
def test_an_unusable_file_is_told_and_feeds_nothing(table: Table, kind: str) -> None:
    file = table.file(kind)
    assert file["status"] == "unusable"
    assert DESIGN[kind].words in file["fault"]
    assert file["partitions"] == []
    line = _line(table, table.paths[kind].name)
    assert line.startswith("error: ")
    assert ". " in line, "the message ends with what to do next"
    assert str(table.keys[kind]) not in table.document["made"]


@pytest.mark.parametrize("kind", [k for k, d in DESIGN.items() if d.ending == "refused"])
def test_a_refused_partition_is_told_with_file_and_reason(table: Table, kind: str) -> None:
    key = str(table.keys[kind])
    fault = next(entry for entry in table.document["failed"] if entry["partition"] == key)
    assert DESIGN[kind].words in fault["fault"]
    line = _line(table, key)
    assert table.paths[kind].name in line
    assert "nothing of " in line
    stored = table.lakehouse().read_partition_counts("option_chain")
    assert stored.filter(pl.col("date") == table.keys[kind].date).is_empty()


@pytest.mark.parametrize("kind", [k for k, d in DESIGN.items() if d.ending == "rows"])
def test_only_the_bad_rows_leave_with_their_reason(table: Table, kind: str) -> None:
    key = table.keys[kind]
    assert table.file(kind)["fault"] is None
    assert [entry for entry in table.document["failed"] if entry["partition"] == str(key)] == []
    quarantined = table.lakehouse().scan("quarantined_rows", [key]).collect()
    reasons = quarantined["reason"].value_counts().rows()
    assert DESIGN[kind].words in dict(reasons)
    named = quarantined.filter(pl.col("reason") == DESIGN[kind].words)
    assert named["file"].unique().to_list() == [table.paths[kind].name]
    assert named["row_number"].is_between(1, table.rows[kind]).all()
    assert named["raw_row"].str.len_chars().min() > 0
    assert table.file(kind)["rows_good"] > 0.5 * table.rows[kind]


@pytest.mark.parametrize("kind", [k for k, d in DESIGN.items() if d.ending == "clean"])
def test_what_only_looks_odd_is_stored_like_the_good_file(table: Table, kind: str) -> None:
    file, good = table.file(kind), table.file(GOOD)
    assert file["fault"] is None
    assert file["rows_quarantined"] <= max(good["rows_quarantined"], 2)
    assert file["rows_good"] > 0


@pytest.mark.parametrize("kind", [k for k, d in DESIGN.items() if d.ending in ("rows", "clean")])
def test_no_row_is_lost(table: Table, kind: str) -> None:
    key, file = table.keys[kind], table.file(kind)
    lakehouse = table.lakehouse()
    good = lakehouse.scan("option_chain", [key]).select(pl.col("source_rows").sum()).collect()
    bad = lakehouse.scan("quarantined_rows", [key]).select(pl.len()).collect()
    assert file["rows_in"] == table.rows[kind]
    assert good.item() + bad.item() == table.rows[kind]
    assert (file["rows_good"], file["rows_quarantined"]) == (good.item(), bad.item())


def test_a_second_ingest_makes_nothing_again(table: Table) -> None:
    assert table.again.exit_code == 1
    assert "0 partitions made" in table.again.stdout


def _line(table: Table, words: str) -> str:
    lines = [line for line in table.again.stdout.splitlines() if words in line]
    assert lines, f"no line of the output names {words}"
    return lines[0]
