"""From landed files to a partition: each input row is good or quarantined, never both."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from mr_platform.chain.canonical import canonical_schema
from mr_platform.chain.ingest import ingest_batch, ingest_partition, inspect_source
from mr_platform.errors import InputFileError, PartitionRejectedError
from mr_platform.gateways.raw_files import RawFile
from mr_platform.trading_calendar import PartitionKey
from mr_platform_tests.chain.days import IV, KEY, NOW, land, legacy_day, settings

CLEAN = legacy_day()


def ingest(*files: RawFile, key: PartitionKey = KEY, **quality: object):
    return ingest_partition(key, files, settings(**quality), now=NOW, code_version="v1")


def cell(row: int, column: str, value: object) -> pl.DataFrame:
    """The clean day with one cell replaced; ``row`` counts from 1."""
    here = pl.int_range(1, pl.len() + 1) == row
    target = CLEAN.schema[column]
    return CLEAN.with_columns(
        pl.when(here).then(pl.lit(value, target)).otherwise(column).alias(column)
    )


def audit_of(partition, rule: str) -> dict[str, object]:
    return partition.audit.filter(pl.col("rule") == rule).row(0, named=True)


def test_a_clean_day_is_kept_whole_in_the_canonical_shape(tmp_path):
    partition = ingest(land(CLEAN, tmp_path))

    assert partition.rejection is None
    assert dict(partition.chain.schema) == canonical_schema()
    assert partition.chain.height == CLEAN.height == partition.rows_in
    assert partition.quarantine.is_empty()
    assert partition.chain.select("ts_minute", "expiry_date", "strike").is_unique().all()
    assert partition.chain["ts_minute"][0] == dt.datetime(2025, 8, 29, 3, 45, tzinfo=dt.UTC)
    assert partition.chain["ce_iv"].to_list() == pytest.approx([IV] * CLEAN.height)
    assert not partition.chain["ce_iv_computed"].any()
    assert audit_of(partition, "conservation")["passed"]


@pytest.mark.parametrize("name", ["day.csv", "day.parquet"])
def test_csv_and_parquet_of_the_same_day_give_the_same_chain(tmp_path, name):
    expected = ingest(land(CLEAN, tmp_path, "other.csv")).chain

    assert ingest(land(CLEAN, tmp_path, name)).chain.equals(expected)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("ce_close", -1.0, "out_of_range"),
        ("ce_delta", 1.2, "out_of_range"),
        ("pe_oi", -75, "out_of_range"),
        ("zone_name", "DINNER", "out_of_range"),
        ("call_strike_type", "XTM4", "out_of_range"),
        ("spot", float("inf"), "not_finite"),
        ("ce_low", 99_999.0, "low_high_order"),
        ("future_high", 1.0, "low_high_order"),
        ("expiry_date", dt.date(2025, 8, 1), "expiry_before_date"),
        ("dte", 9, "dte_mismatch"),
        ("put_strike_type", "ITM9", "labels_not_mirrored"),
        ("spot", 25_000.0, "spot_conflict"),
        ("strike", None, "missing_value"),
        ("trade_time", dt.time(15, 30), "outside_session"),
        ("index_name", "FINNIFTY", "unknown_symbol"),
        ("trade_date", dt.date(2025, 8, 30), "not_a_trading_day"),
    ],
)
def test_one_bad_cell_sends_its_row_and_no_other_to_quarantine(tmp_path, column, value, reason):
    partition = ingest(land(cell(7, column, value), tmp_path))

    assert partition.rejection is None
    assert partition.quarantine.select("row_number", "reason").rows() == [(7, reason)]
    assert partition.chain.height == CLEAN.height - 1
    assert audit_of(partition, "conservation")["passed"]
    assert audit_of(partition, reason)["rows_failed"] == 1


def test_a_quarantined_row_keeps_its_file_number_text_and_time(tmp_path):
    source = land(cell(3, "ce_close", -4.25), tmp_path, "sub/day.csv")

    row = ingest(source).quarantine.row(0, named=True)

    assert (row["file"], row["row_number"], row["column"]) == ("sub/day.csv", 3, "ce_close")
    assert row["file_sha256"] == source.sha256
    assert row["detail"] == "ce_close was -4.25, allowed 0.05 to .."
    assert '"ce_close":"-4.25"' in row["raw_row"]
    assert row["quarantined_at"] == NOW
    assert row["counts_as_bad"]


def test_text_in_a_number_and_a_ragged_line_are_named_and_the_rest_goes_on(tmp_path):
    lines = CLEAN.write_csv(time_format="%H:%M:%S").splitlines()
    fields = lines[5].split(",")
    fields[15] = "abc"
    lines[5] = ",".join(fields)
    lines[9] += ",surplus"
    (tmp_path / "day.csv").write_text("\n".join(lines) + "\n")

    partition = ingest(RawFile(tmp_path / "day.csv", "day.csv"))

    rows = partition.quarantine.select("row_number", "reason", "column").rows()
    assert rows == [(5, "unparseable_value", CLEAN.columns[15]), (9, "malformed_row", None)]
    assert partition.chain.height == CLEAN.height - 2
    assert partition.quarantine["raw_row"][1].endswith("surplus")
    assert audit_of(partition, "conservation")["passed"]


def test_fractional_open_interest_is_no_integer(tmp_path):
    bent = CLEAN.with_columns(pl.col("ce_oi").cast(pl.Float64)).with_columns(
        pl.when(pl.int_range(1, pl.len() + 1) == 4).then(75.5).otherwise("ce_oi").alias("ce_oi")
    )

    assert ingest(land(bent, tmp_path)).quarantined_by_reason() == {"fractional_integer": 1}


def test_of_identical_rows_one_stays_and_of_differing_rows_none(tmp_path):
    twin, differing = CLEAN[10:11], CLEAN[20:21].with_columns(pl.col("ce_close") + 0.5)
    source = land(pl.concat([CLEAN, twin, differing]), tmp_path)

    partition = ingest(source)

    assert partition.quarantined_by_reason() == {"duplicate_key": 2, "duplicate_row": 1}
    assert partition.chain.height == CLEAN.height - 1
    assert audit_of(partition, "conservation")["passed"]


def test_a_bad_copy_of_a_key_does_not_let_its_twin_pass(tmp_path):
    source = land(pl.concat([CLEAN, CLEAN[20:21].with_columns(ce_close=-1.0)]), tmp_path)

    assert ingest(source).quarantined_by_reason() == {"duplicate_key": 2}


def test_nan_and_zero_prices_are_missing_values_not_faults(tmp_path):
    bent = CLEAN.with_columns(
        pl.when(pl.int_range(pl.len()) < 3)
        .then(float("nan"))
        .otherwise("ce_gamma")
        .alias("ce_gamma"),
        pl.when(pl.int_range(pl.len()) < 2).then(0.0).otherwise("pe_iv").alias("pe_iv"),
    )

    partition = ingest(land(bent, tmp_path))

    assert partition.quarantine.is_empty()
    assert partition.chain["ce_gamma"].is_not_nan().all()
    assert int(partition.chain["ce_greeks_computed"].sum()) == 3
    assert int(partition.chain["pe_iv_computed"].sum()) == 2
    assert partition.chain["pe_iv"].to_list() == pytest.approx([IV] * CLEAN.height, abs=2e-4)


def test_too_many_bad_rows_reject_the_partition_with_reasons_and_an_example(tmp_path):
    bent = CLEAN.with_columns(
        pl.when(pl.int_range(pl.len()) % 5 == 0).then(-1.0).otherwise("ce_close").alias("ce_close")
    )

    partition = ingest(land(bent, tmp_path))

    assert isinstance(partition.rejection, PartitionRejectedError)
    assert "88 of 440 rows were bad, limit 10%: 88 out_of_range (first: day.csv row 1" in str(
        partition.rejection
    )
    assert partition.chain.is_empty()
    assert ingest(land(bent, tmp_path), max_bad_share=0.5).rejection is None


def test_rows_outside_the_session_do_not_count_as_bad(tmp_path):
    late = CLEAN.with_columns(
        pl.when(pl.int_range(pl.len()) < 300)
        .then(dt.time(16, 0))
        .otherwise("trade_time")
        .alias("trade_time")
    )

    partition = ingest(land(late, tmp_path))

    assert partition.rejection is None
    assert partition.quarantined_by_reason() == {"outside_session": 300}
    assert not partition.quarantine["counts_as_bad"].any()


def test_mixed_units_reject_the_partition_and_name_the_file(tmp_path):
    mixed = CLEAN.with_columns(
        pl.when(pl.int_range(pl.len()) % 2 == 0)
        .then(pl.col(name) / 100)
        .otherwise(name)
        .alias(name)
        for name in ("ce_iv", "pe_iv")
    )

    partition = ingest(land(mixed, tmp_path))

    assert "day.csv: implied volatility: 50% of the values" in str(partition.rejection)
    assert partition.chain.is_empty()


def test_labels_spot_and_dte_are_derived_where_the_source_has_none(tmp_path):
    absent = ["atm_strike", "dte", "zone_id", "zone_name", "call_strike_type", "put_strike_type"]
    bare = CLEAN.with_columns(
        pl.lit(None, CLEAN.schema[name]).alias(name) for name in [*absent, "expiry_bucket", "spot"]
    )

    chain = ingest(land(bare, tmp_path, "bare.parquet")).chain
    full = ingest(land(CLEAN, tmp_path)).chain

    assert chain["spot_computed"].all()
    assert chain["atm_computed"].all()
    assert (chain["spot"] - full["spot"]).abs().max() < 0.01
    assert chain.select(*absent, "expiry_bucket").equals(full.select(*absent, "expiry_bucket"))


def test_two_dialects_of_one_partition_are_never_mixed(tmp_path):
    quotes = pl.DataFrame(
        {
            "timestamp": ["202508290920"] * 2,
            "symbol": ["NIFTY"] * 2,
            "expiry": ["02-Sep-2025"] * 2,
            "strike": [24500.0] * 2,
            "option_type": ["CE", "PE"],
            "spot": [24500.0] * 2,
            "ltp": [100.0, 90.0],
            "volume": [1.0, 2.0],
            "oi": [5.0, 6.0],
            "oi_chg": [0.0, 0.0],
            "iv": [12.0, 12.0],
            **{name: [0.1, 0.1] for name in ("delta", "gamma", "theta", "vega", "rho")},
        }
    )

    partition = ingest(land(CLEAN, tmp_path), land(quotes, tmp_path, "quotes.csv"))

    assert partition.quarantined_by_reason() == {"superseded_source": 2}
    assert partition.chain.height == CLEAN.height
    assert partition.files.select("file", "rows_in", "rows_good", "rows_quarantined").rows() == [
        ("day.csv", 440, 440, 0),
        ("quotes.csv", 2, 0, 2),
    ]
    assert audit_of(partition, "conservation")["passed"]


def test_a_file_of_two_days_is_read_once_and_split_by_partition(tmp_path):
    second_day = dt.date(2025, 9, 1)
    both = pl.concat([CLEAN, legacy_day(day=second_day)])
    source = land(both, tmp_path)
    keys = [KEY, PartitionKey(second_day, "NIFTY")]

    inspection = inspect_source(source)
    batch = list(
        ingest_batch({key: [source] for key in keys}, settings(), now=NOW, code_version="v1")
    )

    assert inspection.partitions == dict.fromkeys(keys, CLEAN.height)
    assert [partition.key for partition in batch] == keys
    alone = ingest(source, key=keys[1])
    assert batch[1].chain.equals(alone.chain)
    assert [partition.chain.height for partition in batch] == [CLEAN.height] * 2


def test_a_file_without_any_row_of_a_known_partition_is_refused(tmp_path):
    holiday = CLEAN.with_columns(pl.lit(dt.date(2025, 8, 27)).alias("trade_date"))
    foreign = CLEAN.with_columns(pl.lit("SENSEX").alias("index_name"))

    with pytest.raises(InputFileError, match="440 rows not_a_trading_day"):
        inspect_source(land(holiday, tmp_path))
    with pytest.raises(InputFileError, match="440 rows unknown_symbol"):
        inspect_source(land(foreign, tmp_path))


def test_day_first_dates_are_refused_as_a_whole_and_never_guessed(tmp_path):
    day_first = CLEAN.with_columns(pl.col("trade_date").dt.strftime("%d-%m-%Y"))

    with pytest.raises(InputFileError, match="trade_date was '29-08-2025' in its first row"):
        inspect_source(land(day_first, tmp_path))


def test_expiries_swapped_between_two_contracts_are_found_by_their_dte(tmp_path):
    swapped = CLEAN.with_columns(
        pl.when(pl.int_range(pl.len()) < 40)
        .then(pl.when(pl.col("dte") == 4).then(dt.date(2025, 9, 9)).otherwise(dt.date(2025, 9, 2)))
        .otherwise("expiry_date")
        .alias("expiry_date")
    )

    partition = ingest(land(swapped, tmp_path))

    assert partition.quarantined_by_reason() == {"dte_mismatch": 40}
    assert not audit_of(partition, "dte_not_monotone")["passed"]


def test_a_damaged_file_rejects_its_partition_instead_of_publishing_the_rest(tmp_path):
    good = land(CLEAN, tmp_path)
    (tmp_path / "bad.csv.gz").write_bytes(b"\x1f\x8b\x08\x00broken")

    partition = ingest(good, RawFile(tmp_path / "bad.csv.gz", "bad.csv.gz"))

    assert isinstance(partition.rejection, InputFileError)
    assert partition.chain.is_empty()


def test_great_expectations_judge_the_frame_by_the_same_declarations(tmp_path):
    partition = ingest(land(CLEAN, tmp_path), run_great_expectations=True)

    finding = audit_of(partition, "expectations_failed")
    assert finding["passed"], finding["detail"]
    assert finding["rows_checked"] >= 20


def test_later_snapshots_of_a_minute_stand_and_earlier_ones_are_set_aside(tmp_path):
    seconds = CLEAN.with_columns(
        (pl.col("trade_time").cast(pl.Int64) + 30_000_000_000).cast(pl.Time).alias("trade_time"),
        pl.col("ce_close") + 0.25,
    )[:22]

    partition = ingest(land(pl.concat([CLEAN, seconds]), tmp_path))

    assert partition.quarantined_by_reason() == {"superseded_snapshot": 22}
    assert partition.chain["ce_close"][0] == pytest.approx(CLEAN["ce_close"][0] + 0.25)
    assert partition.chain.height == CLEAN.height


IST_ZONE = "Asia/Kolkata"
TEXTS = ["index_name", "expiry_bucket", "zone_name", "call_strike_type", "put_strike_type"]


def moments(zone: str) -> list[pl.Expr]:
    """Dates and times as zoned moments, as data frames with a clock store them."""
    time = pl.col("trade_date").dt.combine(pl.col("trade_time"))
    days = pl.col("trade_date", "expiry_date").cast(pl.Datetime("us"))
    return [
        days.dt.replace_time_zone(IST_ZONE).dt.convert_time_zone(zone),
        time.dt.replace_time_zone(IST_ZONE).dt.convert_time_zone(zone).alias("trade_time"),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        moments("UTC"),
        moments(IST_ZONE),
        [pl.col("trade_time").cast(pl.Int64).cast(pl.Duration("ns"))],
        [pl.col("trade_date", "trade_time", "expiry_date").cast(pl.String).cast(pl.Categorical)],
        [pl.col(TEXTS).cast(pl.Binary)],
        [pl.col("strike", "spot").cast(pl.Decimal(18, 4))],
        [pl.format(" {} ", name).alias(name) for name in TEXTS],
    ],
    ids=["utc", "ist", "duration", "categorical", "bytes", "decimal", "blanks"],
)
def test_parquet_cells_mean_the_same_in_every_type_that_writers_choose(tmp_path, changes):
    expected = ingest(land(CLEAN, tmp_path)).chain

    file = land(CLEAN.with_columns(changes), tmp_path, "day.parquet")

    assert inspect_source(file).partitions == {KEY: CLEAN.height}
    assert ingest(file).chain.equals(expected)


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("trade_time", 91500.0, "trade_time (Float64, must hold times of day)"),
        ("trade_date", dt.time(9, 15), "trade_date (Time, must hold dates)"),
        ("ce_iv", KEY.date, "ce_iv (Date, must hold numbers)"),
        ("ce_oi", True, "ce_oi (Boolean, must hold numbers)"),
        ("expiry_date", 20250902, "expiry_date was '20250902'"),
    ],
)
def test_a_parquet_column_of_a_type_that_cannot_mean_it_is_a_fault_of_the_file(
    tmp_path, column, value, told
):
    file = land(CLEAN.with_columns(pl.lit(value).alias(column)), tmp_path, "day.parquet")

    with pytest.raises(InputFileError) as fault:
        inspect_source(file)

    assert told in str(fault.value)


@pytest.mark.parametrize(
    ("column", "value"),
    [("ce_oi", 1e19), ("ce_coi", -1e25), ("ce_volume", 1e300), ("future_oi", 9.3e18)],
)
def test_a_count_beyond_64_bits_costs_its_row_only(tmp_path, column, value):
    here = pl.int_range(1, pl.len() + 1) == 3
    frame = CLEAN.with_columns(pl.when(here).then(pl.lit(value)).otherwise(column).alias(column))

    partition = ingest(land(frame, tmp_path))

    assert partition.rejection is None
    assert partition.quarantine.select("row_number", "reason", "column").rows() == [
        (3, "fractional_integer", column)
    ]


def test_quoted_empty_cells_are_missing_values(tmp_path):
    frame = CLEAN.with_columns(
        pl.lit(None, pl.String).alias("expiry_bucket"), pl.lit(None, pl.String).alias("ce_symbol")
    )
    path = tmp_path / "quoted.csv"
    frame.write_csv(path, quote_style="always")

    partition = ingest(RawFile(path, "quoted.csv"))

    assert partition.quarantine.is_empty()
    assert partition.chain["ce_symbol"].null_count() == CLEAN.height
    # absent in the source, so named by the calendar's rule
    assert set(partition.chain["expiry_bucket"]) == {"CW", "NW"}


def test_a_stray_midnight_label_among_bar_ends_is_outside_the_session(tmp_path):
    ends = legacy_day(375).with_columns(
        (pl.col("trade_time").cast(pl.Int64) + 60_000_000_000).cast(pl.Time)
    )
    stray = ends.head(1).with_columns(trade_time=pl.lit(dt.time(0, 0)))

    partition = ingest(land(pl.concat([ends, stray]), tmp_path))

    assert partition.files["bar_label"].item() == "end"
    assert partition.quarantined_by_reason() == {"outside_session": 1}
    assert partition.chain.height == ends.height


@pytest.mark.parametrize("given", ["call_strike_type", "put_strike_type"])
def test_the_missing_label_of_a_row_mirrors_the_one_the_source_gives(tmp_path, given):
    other = {"call_strike_type": "put_strike_type", "put_strike_type": "call_strike_type"}[given]
    # an ATM one step off the labels' own, so that a rank would give another label
    frame = CLEAN.with_columns(pl.lit(None, pl.String).alias(other), atm_strike=pl.lit(24550.0))

    chain = ingest(land(frame, tmp_path)).chain

    whole = ingest(land(CLEAN, tmp_path)).chain
    labels = ["call_strike_type", "put_strike_type"]
    assert chain.select(labels).equals(whole.select(labels))


def test_a_file_of_an_unknown_symbol_is_told_with_that_symbol(tmp_path):
    file = land(CLEAN.with_columns(index_name=pl.lit("nifty")), tmp_path)

    with pytest.raises(InputFileError, match="first is of symbol 'nifty' on 2025-08-29"):
        inspect_source(file)


def test_quotes_timed_one_by_one_do_not_set_each_other_aside(tmp_path):
    moment = pl.col("trade_date").dt.combine(pl.col("trade_time"))
    # a collector that asks for one contract a second
    moment += pl.duration(seconds=pl.int_range(pl.len()).over("trade_time"))
    quotes = CLEAN.select(
        moment.dt.strftime("%Y-%m-%d %H:%M:%S").alias("timestamp"),
        pl.col("index_name").alias("symbol"),
        pl.col("expiry_date").alias("expiry"),
        "strike",
        pl.lit("CE").alias("option_type"),
        "spot",
        pl.col("ce_close").alias("ltp"),
        pl.lit(10).alias("volume"),
        pl.col("ce_oi").alias("oi"),
        pl.col("ce_coi").alias("oi_chg"),
        *[pl.col(f"ce_{name}").alias(name) for name in ("iv", "delta", "gamma", "theta")],
        *[pl.col(f"ce_{name}").alias(name) for name in ("vega", "rho")],
    )
    again = quotes.head(1).with_columns(timestamp=pl.lit("2025-08-29 09:15:59"), ltp=999.0)

    partition = ingest(land(pl.concat([quotes, again]), tmp_path))

    assert partition.quarantine.select("row_number", "reason").rows() == [
        (1, "superseded_snapshot")
    ]
    assert partition.chain.height == CLEAN.height
    first = partition.chain.filter(pl.col("strike") == quotes["strike"][0]).row(0, named=True)
    assert first["ce_close"] == 999.0


@pytest.mark.parametrize("column", ["spot", "atm_strike", "strike"])
def test_a_level_beyond_any_index_costs_its_rows_and_not_the_run(tmp_path, column):
    here = pl.int_range(1, pl.len() + 1) == 1
    frame = CLEAN.with_columns(pl.when(here).then(1e300).otherwise(column).alias(column))

    partition = ingest(land(frame, tmp_path), run_great_expectations=True)

    assert partition.quarantine.select("row_number", "reason", "column").rows() == [
        (1, "out_of_range", column)
    ]
    assert audit_of(partition, "expectations_failed")["passed"]
