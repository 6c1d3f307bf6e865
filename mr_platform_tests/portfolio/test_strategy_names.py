"""Names of strategies: every known form, prefixes, suffixes, and names that say nothing."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from mr_platform.portfolio.strategy_names import NAME_ATTRIBUTES, parse_names

NOTHING = dict.fromkeys(name for name in NAME_ATTRIBUTES if name not in ("inverted", "name_parsed"))


def parsed(name: str) -> dict[str, object]:
    return parse_names([name]).row(0, named=True)


@pytest.mark.parametrize(
    ("name", "index_name", "entry", "leave", "loss", "profit"),
    [
        ("SENSEX 1000-1100 SL7%", "SENSEX", (10, 0), (11, 0), 7.0, None),
        ("SENSEX 1426-1456 SL73%TP32%", "SENSEX", (14, 26), (14, 56), 73.0, 32.0),
        ("SENSEX 930-1030 SL38%TP27%", "SENSEX", (9, 30), (10, 30), 38.0, 27.0),
        ("SENSEX 1456-1525 SL139%", "SENSEX", (14, 56), (15, 25), 139.0, None),
        (
            "SHORTSTRADDLE ATM 1057-1156 SL91%TP91%",
            "SHORTSTRADDLE ATM", (10, 57), (11, 56), 91.0, 91.0,
        ),
        ("NIFTY 915-1530 SL7.5%TP2.25%", "NIFTY", (9, 15), (15, 30), 7.5, 2.25),
    ],
)  # fmt: skip
def test_a_name_tells_index_hours_and_limits(name, index_name, entry, leave, loss, profit):
    assert parsed(name) == {
        "name": name,
        "source_stem": None,
        "index_name": index_name,
        "entry": dt.time(*entry),
        "exit": dt.time(*leave),
        "stop_loss_percent": loss,
        "stop_loss_multiple": None,
        "take_profit_percent": profit,
        "take_profit_multiple": None,
        "inverted": False,
        "name_parsed": True,
    }


def test_a_multiple_stands_before_the_share():
    found = parsed("SENATM1DTE 1226-1326 SL2X56%TP1.5X40%")

    assert (found["stop_loss_multiple"], found["stop_loss_percent"]) == (2.0, 56.0)
    assert (found["take_profit_multiple"], found["take_profit_percent"]) == (1.5, 40.0)
    assert parsed("SENATM1DTE 1226-1326 SL2X56%TP56%")["take_profit_multiple"] is None


@pytest.mark.parametrize("stem", ["may", "Python_Multi_Consolidated_20250726", "a b-c 930-1030"])
def test_a_merged_file_puts_its_stem_before_the_name(stem):
    found = parsed(f"{stem}_SENSEX 930-1030 SL38%")

    assert found["source_stem"] == stem
    assert found["index_name"] == "SENSEX"
    assert found["stop_loss_percent"] == 38


def test_an_inverted_strategy_says_so():
    found = parsed("SENSEX 930-1030 SL38%TP27%_inv")

    assert found["inverted"]
    assert found["take_profit_percent"] == 27
    assert parsed("S1_inv") == {"name": "S1_inv", **NOTHING, "inverted": True,
                                "name_parsed": False}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "strategy_1",
        "SENSEX",
        "SENSEX 1000-1100",
        "SENSEX 1000-1100 SL7",
        "SENSEX 1000-1100 SL%",
        "SENSEX 1000-1100 TP7%",
        "SENSEX 1000-1100 SL7%TP",
        "SENSEX 1000-2500 SL7%",
        "SENSEX 1099-1100 SL7%",
        "SENSEX 1100-1000 SL7%",
        "SENSEX 1000-1000 SL7%",
        "SENSEX 1000-1100 SL7% ",
        "sensex 1000-1100 SL7%",
        "",
    ],
)
def test_a_name_of_no_form_keeps_nulls(name):
    assert parsed(name) == {"name": name, **NOTHING, "inverted": False, "name_parsed": False}


def test_no_names_give_no_rows_of_the_same_types():
    empty = parse_names([])

    assert empty.is_empty()
    assert dict(empty.schema) == {"name": pl.String(), **NAME_ATTRIBUTES}
    assert empty.schema == parse_names(["S1", "SENSEX 1000-1100 SL7%"]).schema


@pytest.mark.real_data
def test_every_real_name_is_parsed_and_can_be_written_again(real_data):
    path = real_data / "strategies" / "legacy_strategy_metrics_25543.parquet"
    columns = pl.read_parquet_schema(path)
    label = next(name for name, dtype in columns.items() if dtype == pl.String)
    names = pl.read_parquet(path, columns=[label])[label]

    found = parse_names(names.to_list())

    assert found.height == 25_543
    assert found["name_parsed"].all()
    # 206 pairs of limits, as counted in the source
    assert found.select("stop_loss_percent", "take_profit_percent").unique().height == 206
    shown = {"entry": pl.col("entry").dt.strftime("%H%M").str.strip_prefix("0"),
             "exit": pl.col("exit").dt.strftime("%H%M").str.strip_prefix("0")}  # fmt: skip
    percent = [pl.col(f"{limit}_percent").cast(pl.Int64) for limit in ("stop_loss", "take_profit")]
    again = found.select(
        pl.format("{} {}-{} SL{}%", "index_name", shown["entry"], shown["exit"], percent[0])
        + pl.when(percent[1].is_null()).then(pl.lit("")).otherwise(pl.format("TP{}%", percent[1]))
    ).to_series()
    assert again.to_list() == names.to_list()
