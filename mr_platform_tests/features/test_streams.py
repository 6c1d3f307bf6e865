"""Series along three days against plain loops that follow the definitions word for word."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest

from mr_platform.features.day_history import minute_history
from mr_platform.features.streams import asset_streams, streams
from mr_platform_tests.features.stream_panels import (
    ENGINE,
    FAR,
    NEAR,
    TARGET,
    alike,
    made_inputs,
    made_panel,
    numbered,
    trading_dates,
)

DATES = trading_dates(3)
PANEL = made_panel(DATES)

Values = Sequence[Any]


def one_stream(panel: pl.DataFrame, expiry: dt.date = NEAR) -> dict[str, list[Any]]:
    """The columns of one expiry over all days of the panel."""
    rows = panel.filter(pl.col("expiry_date") == expiry).sort("date", "j")
    return {name: rows[name].to_list() for name in rows.columns}


def exponential_mean(values: Values, alpha: float, needed: int) -> list[Any]:
    found: list[Any] = []
    total = weights = 0.0
    count = 0
    for x in values:
        if x is None:
            found.append(None)
            continue
        total, weights = total * (1 - alpha) + x, weights * (1 - alpha) + 1.0
        count += 1
        found.append(total / weights if count >= needed else None)
    return found


def true_ranges(rows: dict[str, list[Any]], asset: str) -> list[Any]:
    found: list[Any] = []
    for i in range(len(rows["strd"])):
        if asset == "strd":
            close, start, before = (rows[name][i] for name in ("strd", "strd_open", "strd_lag"))
            points = [x for x in (close, start) if x is not None]
            high, low = (max(points), min(points)) if close is not None else (None, None)
        else:
            high, low = rows["fut_high"][i], rows["fut_low"][i]
            before = rows["fut"][i - 1] if i % 375 else None
        if high is None or low is None:
            found.append(None)
        elif i % 375 == 0:
            found.append(high - low)
        else:
            found.append(None if before is None else max(high, before) - min(low, before))
    return found


def directional_index(rows: dict[str, list[Any]]) -> list[Any]:
    high, low = rows["fut_high"], rows["fut_low"]
    plus: list[Any] = []
    minus: list[Any] = []
    for i, (h, low_now) in enumerate(zip(high, low, strict=True)):
        up: float | None = None
        down: float | None = None
        if h is not None and low_now is not None:
            before = (high[i - 1], low[i - 1]) if i % 375 else (h, low_now)
            if None not in before:
                up, down = h - before[0], before[1] - low_now
        if up is None or down is None:
            plus.append(None)
            minus.append(None)
        else:
            plus.append(up if up > down and up > 0 else 0.0)
            minus.append(down if down > up and down > 0 else 0.0)
    reach = true_ranges(rows, "und")
    a, b, c = (exponential_mean(x, 1 / 14, 14) for x in (plus, minus, reach))
    index: list[Any] = []
    for x, y, z in zip(a, b, c, strict=True):
        valid = x is not None and y is not None and z is not None and x + y > 0
        index.append(100 * abs(x - y) / (x + y) if valid else None)
    mean = exponential_mean(index, 1 / 14, 14)
    bars = 0
    found: list[Any] = []
    for x, z in zip(mean, reach, strict=True):
        bars += z is not None
        found.append(x if bars >= 28 else None)
    return found


def last_day(values: Values) -> list[Any]:
    return list(values[-375:])


def near_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows of the expiry NEAR, which comes first."""
    return frame.head(375)


def test_ranges_and_their_means() -> None:
    rows = one_stream(PANEL)
    for asset, price in (("strd", "strd"), ("und", "fut")):
        reach = true_ranges(rows, asset)
        found = near_rows(streams(made_inputs(PANEL), [f"tr_{asset}", f"atrp_21_{asset}"]))
        alike(found[f"tr_{asset}"], last_day(reach))
        mean = exponential_mean(reach, 1 / 21, 21)
        percent = [
            None if m is None or c is None else 100 * m / c
            for m, c in zip(mean, rows[price], strict=True)
        ]
        alike(found[f"atrp_21_{asset}"], last_day(percent))


def test_an_atr_in_price_units_is_of_the_price_of_the_asset() -> None:
    names = ["atrp_14_strd", "a14_strd", "atrp_14_und", "a14_und"]
    found = streams(made_inputs(PANEL), names).hstack(
        made_inputs(PANEL).panel.select("strd", "spot")
    )
    alike(found["a14_strd"], found.select(pl.col("atrp_14_strd") / 100 * pl.col("strd"))
          .to_series().to_list())  # fmt: skip
    alike(found["a14_und"], found.select(pl.col("atrp_14_und") / 100 * pl.col("spot"))
          .to_series().to_list())  # fmt: skip


def test_moving_averages_run_on_from_the_first_bar_of_two_days_before() -> None:
    rows = one_stream(PANEL)
    found = near_rows(streams(made_inputs(PANEL), ["ema_200_strd", "ema_20_und"]))
    alike(found["ema_200_strd"], last_day(exponential_mean(rows["strd"], 2 / 201, 200)))
    alike(found["ema_20_und"], last_day(exponential_mean(rows["spot"], 2 / 21, 20)))


def test_days_before_the_stream_do_not_count() -> None:
    longer = made_panel(trading_dates(4))
    names = ["ema_200_strd", "atrp_50_und", "macd_5_hist_strd"]
    assert streams(made_inputs(longer), names).equals(streams(made_inputs(PANEL), names))


def test_macd_and_its_first_values() -> None:
    panel = made_panel(trading_dates(1), gaps=0.1)
    rows = one_stream(panel)
    found = near_rows(
        streams(made_inputs(panel), [f"macd_3_{part}_strd" for part in ("line", "signal", "hist")])
    )
    fast = exponential_mean(rows["strd"], 2 / 37, 36)
    slow = exponential_mean(rows["strd"], 2 / 79, 78)
    line = [None if f is None or s is None else f - s for f, s in zip(fast, slow, strict=True)]
    signal = exponential_mean(line, 2 / 28, 27)
    alike(found["macd_3_line_strd"], line)
    alike(found["macd_3_signal_strd"], signal)
    alike(
        found["macd_3_hist_strd"],
        [None if s is None else x - s for x, s in zip(line, signal, strict=True)],
    )
    # the histogram starts at valid bar 35 k - 1, counted from 0
    first = next(i for i, x in enumerate(found["macd_3_hist_strd"]) if x is not None)
    assert sum(x is not None for x in rows["strd"][:first]) == 35 * 3 - 1 - 1


def test_adx_over_three_days_and_from_a_cold_start() -> None:
    found = near_rows(streams(made_inputs(PANEL), ["adx_14_und"]))["adx_14_und"]
    alike(found, last_day(directional_index(one_stream(PANEL))))
    alone = made_panel([TARGET], gaps=0.0)
    cold = near_rows(streams(made_inputs(alone), ["adx_14_und"]))["adx_14_und"]
    alike(cold, directional_index(one_stream(alone)))
    assert cold[26] is None
    assert cold[27] is not None


def test_age_of_a_crossover_counts_along_the_stream() -> None:
    rows = one_stream(PANEL)
    fast = exponential_mean(rows["strd"], 2 / 21, 20)
    slow = exponential_mean(rows["strd"], 2 / 51, 50)
    expected: list[Any] = []
    side, since = None, 0
    for i, (f, s) in enumerate(zip(fast, slow, strict=True)):
        if f is None or s is None:
            expected.append(None)
            continue
        now = f > s
        if side is None or now != side:
            side, since = now, i
        expected.append(i - since)
    found = near_rows(streams(made_inputs(PANEL), ["ema_cross_age_strd"]))
    assert found["ema_cross_age_strd"].to_list() == last_day(expected)


def test_an_old_crossover_is_capped() -> None:
    n = pl.col("j") + 375 * (pl.col("date").rank("dense").cast(pl.Int32) - 1)
    rising = PANEL.with_columns(spot=20000.0 + n, strd=300.0 + n)
    found = streams(made_inputs(rising), ["ema_cross_age_und"])["ema_cross_age_und"]
    # the 50th bar is the first with an order; 750 minutes later the age stands still
    assert found[0] == 750 - 49
    assert found[49] == 750
    assert found[374] == 750


def test_the_underlying_is_the_same_for_every_expiry() -> None:
    found = streams(made_inputs(PANEL), ["atrp_14_und", "ema_20_und", "adx_14_und"])
    assert found.head(375).equals(found.tail(375))


def test_a_stream_keeps_its_expiry() -> None:
    swapped = PANEL.filter((pl.col("date") == TARGET) | (pl.col("expiry_date") == FAR))
    found = streams(made_inputs(swapped), ["ema_200_strd"])["ema_200_strd"]
    # the near expiry has no history: 200 bars of today come first
    assert found.head(199).null_count() == 199
    assert found.tail(375).null_count() < 60


def test_without_futures_there_is_no_range_of_the_underlying() -> None:
    blind = PANEL.with_columns(
        pl.lit(None, pl.Float64).alias(name) for name in ("fut", "fut_open", "fut_high", "fut_low")
    )
    names = ["tr_und", "atrp_14_und", "a14_und", "adx_14_und", "ema_20_und", "atrp_14_strd"]
    found = streams(made_inputs(blind), names)
    assert [found[name].null_count() for name in names[:4]] == [750] * 4
    assert found["ema_20_und"].null_count() < 100
    assert found["atrp_14_strd"].null_count() < 200


def test_without_opens_a_bar_is_its_close() -> None:
    closed = PANEL.with_columns(strd_open=pl.lit(None, pl.Float64))
    found = streams(made_inputs(closed), ["tr_strd"])["tr_strd"].to_list()
    rows = made_inputs(closed).panel
    for i in (0, 1, 5, 300):
        close, before = rows["strd"][i], rows["strd_lag"][i]
        if i == 0:
            assert found[i] == (None if close is None else 0.0)
        else:
            assert found[i] == (None if close is None else pytest.approx(abs(close - before)))


def test_no_history_and_a_missing_hour() -> None:
    empty = made_inputs(PANEL, without=["hist_minute"])
    found = streams(empty, ["ema_20_strd", "macd_15_hist_strd"])
    assert found["ema_20_strd"].head(19).null_count() == 19
    assert found["macd_15_hist_strd"].null_count() == 750
    hole = PANEL.with_columns(
        pl.when(~pl.col("j").is_between(100, 159)).then(pl.col(name)).alias(name)
        for name in ("strd", "strd_open", "strd_lag")
    )
    filled = near_rows(streams(made_inputs(hole), ["ema_20_strd", "ema_cross_age_strd"]))
    assert filled["ema_20_strd"].slice(100, 60).null_count() == 60
    alike(filled["ema_20_strd"], last_day(exponential_mean(one_stream(hole)["strd"], 2 / 21, 20)))


def test_nothing_reads_ahead_and_a_batch_is_its_days() -> None:
    names = ["tr_strd", "atrp_14_strd", "ema_50_und", "macd_3_hist_und", "adx_14_und"]
    whole = streams(made_inputs(PANEL), names).with_columns(made_inputs(PANEL).panel["j"])
    blank = PANEL.with_columns(
        pl.when((pl.col("date") < TARGET) | (pl.col("j") <= 200)).then(pl.col(name)).alias(name)
        for name in ("spot", "fut", "fut_high", "fut_low", "strd", "strd_open", "strd_lag")
    )
    cut = streams(made_inputs(blank), names).with_columns(made_inputs(PANEL).panel["j"])
    early = pl.col("j") <= 200
    assert cut.filter(early).equals(whole.filter(early))

    both = made_panel(trading_dates(4), symbols=("BANKNIFTY", "NIFTY"))
    batch = streams(made_inputs(both, None), names)
    place = both.with_row_index("i").filter(
        (pl.col("symbol") == "NIFTY") & (pl.col("date") == TARGET)
    )["i"]
    alone = streams(made_inputs(both, symbol="NIFTY"), names)
    assert batch[place].equals(alone)


def test_the_underlying_of_a_day_is_one_row_a_minute() -> None:
    inputs = made_inputs(PANEL)
    history = minute_history(PANEL, ENGINE).lazy()
    found = asset_streams(inputs.panel, history, inputs.days, "und", ["ema_20_und"], ENGINE)
    assert found.columns == ["u", "j", "ema_20_und"]
    assert found["j"].to_list() == list(range(375))
    assert numbered(PANEL).height == PANEL.height
