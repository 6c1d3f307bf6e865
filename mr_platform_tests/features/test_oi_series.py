"""The open-interest section as a whole: its rows, point in time, batches, absent columns."""

from __future__ import annotations

import datetime as dt

import polars as pl
from polars.testing import assert_frame_equal

from mr_platform.features.chain_grid import lay_out
from mr_platform.features.oi_series import oi_series
from mr_platform_tests.features.oi_chains import ENGINE, random_day


def section(chain: pl.DataFrame) -> pl.DataFrame:
    return oi_series(lay_out(chain, ENGINE))


def keyed(chain: pl.DataFrame) -> pl.DataFrame:
    grid = lay_out(chain, ENGINE)
    cells = grid.cells.select("cell", "symbol", "date", "expiry_date", "j")
    return cells.join(oi_series(grid), on="cell").drop("cell")


def test_one_row_for_each_minute_with_a_quote():
    chain = random_day(1, minutes=30, missing=(4, 5))
    frame = section(chain)
    quoted = chain.select("ts_minute", "expiry_date").unique().height
    assert frame.height == frame["cell"].n_unique() == quoted
    assert all(dtype.is_numeric() for dtype in frame.schema.values())
    floats = [name for name, dtype in frame.schema.items() if dtype.is_float()]
    assert frame.select(pl.col(floats).is_finite().all()).row(0) == (True,) * len(floats)


def test_no_minute_sees_a_later_one():
    chain = random_day(2, minutes=70)
    start = chain["ts_minute"].min()
    assert isinstance(start, dt.datetime)
    for last in (14, 33, 50):
        cut = chain.filter(pl.col("ts_minute") <= start + dt.timedelta(minutes=last))
        whole = keyed(chain).filter(pl.col("j") <= last)
        assert_frame_equal(keyed(cut), whole, check_exact=True)


def test_a_day_alone_gives_the_bits_of_a_batch():
    days = [
        random_day(3, minutes=40),
        random_day(4, minutes=40, symbol="BANKNIFTY"),
        random_day(5, minutes=40, day=dt.date(2025, 9, 1)),
    ]
    batch = keyed(pl.concat(days[::-1]))
    for day in days:
        alone = keyed(day)
        here = batch.join(alone.select("symbol", "date").unique(), on=["symbol", "date"])
        order = ["symbol", "date", "expiry_date", "j"]
        assert_frame_equal(here.sort(order), alone.sort(order), check_exact=True)


def test_without_open_interest_only_volume_and_premium_remain():
    frame = section(random_day(6, minutes=40, open_interest=False))
    left = {name for name in frame.columns if frame[name].count()}
    assert left == {
        "cell", "chain_volume", "o3_volume_ce", "o3_volume_pe", "o3_volume_strikes_ce",
        "o3_volume_strikes_pe", "o3_volume_ce_5", "o3_volume_pe_5", "o3_volume_ce_15",
        "o3_volume_pe_15", *[f"o3_price_{leg}_{w}" for leg in ("ce", "pe") for w in (3, 5, 15)],
    }  # fmt: skip
