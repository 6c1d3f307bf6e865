"""From a panel to its underlying and back, and tables beside the panel's rows."""

from __future__ import annotations

import datetime as dt

import polars as pl

from mr_platform.features.inputs import (
    FeatureInputs,
    groups,
    spread,
    symbol_days,
    underlying,
    written_out,
)
from mr_platform.features.minute_panel import numbered
from mr_platform.features.table_schemas import table_schema

DAYS = (dt.date(2025, 8, 28), dt.date(2025, 8, 29))
START = dt.datetime(2025, 8, 28, 3, 45, tzinfo=dt.UTC)
MINUTES = 375


def panel() -> pl.DataFrame:
    """Two days, the first with two expiries; ``spot`` is shared, ``strd`` is not."""
    rows = [
        {
            "symbol": "NIFTY", "date": day, "expiry_date": day + dt.timedelta(days=dte), "j": j,
            "dte": dte, "spot": 1000.0 * number + j, "strd": 10.0 * dte + j,
            "ts_minute": START + dt.timedelta(days=number, minutes=j),
        }
        for number, (day, dtes) in enumerate(zip(DAYS, ((5, 12), (4,)), strict=True))
        for dte in dtes
        for j in range(MINUTES)
    ]  # fmt: skip
    return numbered(pl.DataFrame(rows, schema_overrides={"j": pl.Int32}))


def test_the_underlying_is_one_row_a_minute_of_each_day() -> None:
    frame = underlying(panel(), ["spot"]).collect()
    assert frame.columns == ["u", "j", "symbol", "date", "spot"]
    assert frame.height == 2 * MINUTES
    assert frame.select("u", "j").rows() == [(u, j) for u in (0, 1) for j in range(MINUTES)]
    assert frame["spot"].to_list() == [1000.0 * u + j for u in (0, 1) for j in range(MINUTES)]


def test_a_group_and_a_day_are_one_row_each() -> None:
    assert groups(panel(), ["date", "dte"]).collect().rows() == [
        (0, DAYS[0], 5), (1, DAYS[0], 12), (2, DAYS[1], 4),
    ]  # fmt: skip
    assert symbol_days(panel()).collect().rows() == [(0, "NIFTY", DAYS[0]), (1, "NIFTY", DAYS[1])]
    nothing = panel().clear()
    assert groups(nothing, ["dte"]).collect().is_empty()
    assert symbol_days(nothing).collect().is_empty()


def test_what_is_spread_back_stands_on_every_expiry_of_its_minute() -> None:
    made = panel()
    back = spread(underlying(made, ["spot"]), made).collect()
    assert back.columns == ["spot"], "keys are not repeated"
    assert back["spot"].equals(made["spot"])


def test_what_is_spread_keeps_the_panel_s_row_order_and_length() -> None:
    made = panel()
    few = underlying(made, ["spot"]).filter(pl.col("j") == 7)
    back = made.hstack(spread(few.rename({"spot": "seven"}), made).collect())
    assert back.height == made.height
    assert back.filter(pl.col("seven").is_not_null())["j"].to_list() == [7, 7, 7]
    assert back.filter(pl.col("j") == 7)["seven"].to_list() == [7.0, 7.0, 1007.0]


def table(made: pl.DataFrame) -> pl.LazyFrame:
    """A component's rows of the odd minutes, in another order."""
    odd = made.filter(pl.col("j") % 2 == 1)
    keys = odd.select("symbol", "ts_minute", "dte")
    return keys.with_columns(score=odd["strd"] * 2, other=pl.lit(0.0)).reverse().lazy()


def test_a_column_joined_from_one_row_divides_like_any_other() -> None:
    rows = pl.DataFrame({"k": [0] * 2000, "x": [float(n) for n in range(2000)]})
    beside = rows.lazy().join(pl.LazyFrame({"k": [0], "y": [49.0]}), on="k", how="left").collect()
    plain = [n / 49.0 for n in range(2000)]
    assert written_out(beside).select(pl.col("x") / pl.col("y"))["x"].to_list() == plain
    assert written_out(beside).equals(beside)


def test_a_table_that_was_not_loaded_has_its_columns_and_no_rows() -> None:
    loaded = pl.LazyFrame({"x": [1]})
    inputs = FeatureInputs(panel(), {"hist_zone": loaded}, pl.LazyFrame())
    assert inputs.past_table("hist_zone") is loaded
    absent = inputs.past_table("hist_minute").collect()
    assert absent.is_empty()
    assert absent.schema == table_schema("hist_minute")


def test_inputs_without_more_are_worked_out_on_the_cpu_and_alone() -> None:
    inputs = FeatureInputs(panel(), {}, pl.LazyFrame())
    assert inputs.engine.name == "cpu"
    assert dict(inputs.components) == {}
    assert inputs.partner is None
