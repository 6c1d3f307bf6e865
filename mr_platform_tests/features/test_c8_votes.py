"""Votes of the components: which, how normed, from when on, and what a channel makes of them."""

from __future__ import annotations

import math

import polars as pl
import pytest

from mr_platform.features import c8_votes
from mr_platform.features.column_plan import ColumnPlan
from mr_platform_tests.features.component_tables import (
    Values,
    component_tables,
    key_panel,
    random_tables,
)

TANH1 = math.tanh(1.0)


def voted(values: Values, dtes: tuple[int, ...] = (6,)) -> pl.DataFrame:
    panel = key_panel(dtes)
    return voted_on(panel, component_tables(panel, values))


def voted_on(panel: pl.DataFrame, tables: dict[str, pl.LazyFrame]) -> pl.DataFrame:
    p = ColumnPlan()
    outputs: dict[str, pl.Expr] = {}
    for name in c8_votes.CHANNELS:
        channel = c8_votes.channel_of(p, name)
        outputs |= channel.votes
        outputs |= {
            f"{name}_count": channel.count,
            f"{name}_consensus": channel.consensus,
            f"{name}_agreement": channel.agreement,
            f"{name}_side": channel.side,
        }
    frame = c8_votes.vote_frame(panel, tables)
    return p.run(frame, outputs, keep=["g", "j"]).collect()


# -- which votes there are ------------------------------------------------------------------------


def test_each_channel_has_its_declared_votes() -> None:
    votes = c8_votes.declared_votes()
    assert [vote.name for vote in votes["direction"]] == ["d2", "d3", "d4", "d5", "d6", "d7"]
    assert [vote.name for vote in votes["expansion"]] == [f"e{n}" for n in range(1, 8)]
    assert [vote.component for vote in votes["expansion"]] == [1, 2, 3, 4, 5, 6, 7]
    assert {vote.name for vote in votes["direction"] if vote.orient < 0} == {"d4"}
    assert {vote.name for vote in votes["expansion"] if vote.orient < 0} == {"e2", "e6"}


def test_every_level_vote_has_a_declared_range() -> None:
    levels = [v for votes in c8_votes.declared_votes().values() for v in votes if v.norm == "level"]
    assert {vote.series: (vote.low, vote.high) for vote in levels} == {
        "c2_sentiment_level": (1, 7),
        "c4_iv_regime_level": (1, 7),
        "c5_volatility_regime_score": (0, 4),
    }


def test_the_mean_of_breaks_is_of_ten_columns_and_not_of_the_probability() -> None:
    assert len(c8_votes.break_series()) == 10
    assert "c7_breakout_probability" not in c8_votes.break_series()
    assert "c7_breakout_probability" in c8_votes.read_series()["c7"]


# -- norms ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "vote"), [(1, -1.0), (4, 0.0), (6, 2 / 3), (7, 1.0)])
def test_a_level_votes_from_the_first_minute(level: int, vote: float) -> None:
    found = voted({"c2_sentiment_level": level})["d2"]
    assert found[0] == pytest.approx(vote)
    assert found.null_count() == 0


def test_a_signed_vote_compares_with_the_size_so_far_from_the_fifteenth_minute() -> None:
    found = voted({"c5_momentum_score": -0.4})["d5"]
    assert found[:14].null_count() == 14
    assert found[14] == pytest.approx(-TANH1)

    # 3, then 1 for ever: the root of the mean square at minute index 19 is sqrt((9 + 19) / 20)
    falling = pl.when(pl.col("j") == 0).then(0.3).otherwise(0.1)
    found = voted({"c5_momentum_score": falling})["d5"]
    assert found[19] == pytest.approx(math.tanh(1 / math.sqrt(28 / 20)))


def test_an_unsigned_vote_is_the_deviation_from_the_session_so_far() -> None:
    # eight 0 and seven 1 by minute index 14; c4's positive skew is put-rich, so it votes down
    swinging = (pl.col("j") % 2).cast(pl.Float64)
    found = voted({"c4_skew_bias_score": swinging})["d4"]
    mean, spread = 7 / 15, math.sqrt((7 * 8 / 15) / 14)
    assert found[13] is None
    assert found[14] == pytest.approx(-math.tanh((0 - mean) / spread))
    assert found[14] > 0


def test_a_series_that_never_moves_has_no_deviation_and_a_zero_one_no_size() -> None:
    found = voted({"c4_skew_bias_score": 0.3, "c3_institutional_flow_score": 0.0})
    assert found["d4"].null_count() == found.height
    assert found["d3"].null_count() == found.height


def test_the_vote_is_null_where_its_series_is_and_counts_valid_minutes_only() -> None:
    gap = pl.when(~pl.col("j").is_between(5, 64)).then(0.4)
    found = voted({"c5_momentum_score": gap})["d5"]
    assert found[5:65].null_count() == 60
    assert found[:73].null_count() == 73  # five valid minutes before the gap, ten after
    assert found[74] == pytest.approx(TANH1)


def test_the_mean_of_breaks_needs_five() -> None:
    names = c8_votes.break_series()
    four = voted(dict.fromkeys(names[:4], 1))["d7"]
    five = voted(dict.fromkeys(names[:5], 1))["d7"]
    assert four.null_count() == four.len()
    assert five[14] == pytest.approx(TANH1)


def test_a_session_of_one_expiry_is_none_of_another() -> None:
    by_expiry = pl.when(pl.col("dte") == 6).then(0.1).otherwise(-0.9)
    found = voted({"c5_momentum_score": by_expiry}, dtes=(6, 13))
    for group, vote in ((0, TANH1), (1, -TANH1)):
        votes = found.filter(pl.col("g") == group)["d5"]
        assert votes[:14].null_count() == 14
        assert votes[14:].to_list() == pytest.approx([vote] * 361)


# -- the channel ----------------------------------------------------------------------------------


def test_three_votes_are_no_consensus_and_four_are() -> None:
    three = {"c2_sentiment_level": 7, "c5_momentum_score": 0.2, "c3_institutional_flow_score": 0.1}
    found = voted(three)
    assert found["direction_count"][20] == 3
    assert found["direction_consensus"].null_count() == found.height

    found = voted({**three, "c6_multi_timeframe_rsi_consensus": -0.3})
    row = found.row(20, named=True)
    assert row["direction_count"] == 4
    assert row["direction_consensus"] == pytest.approx((1 + TANH1) / 4)
    assert row["direction_agreement"] == pytest.approx((1 + TANH1) / (1 + 3 * TANH1))
    assert row["direction_side"] == 1.0


def test_votes_that_cancel_have_a_consensus_of_no_side() -> None:
    found = voted({
        "c3_institutional_flow_score": 0.1,
        "c5_momentum_score": 0.2,
        "c6_multi_timeframe_rsi_consensus": -0.3,
        **dict.fromkeys(c8_votes.break_series(), -1),
    })  # fmt: skip
    assert found["direction_consensus"][20] == pytest.approx(0.0, abs=1e-15)
    assert found["direction_agreement"][20] == pytest.approx(0.0, abs=1e-15)
    assert found["direction_side"][20] == 0.0


# -- the frame ------------------------------------------------------------------------------------


def test_the_frame_has_the_panels_rows_in_the_panels_order() -> None:
    panel = key_panel((6, 13))
    tables = {
        name: table.collect().sample(fraction=1.0, shuffle=True, seed=1).lazy()
        for name, table in random_tables(panel).items()
    }
    frame = c8_votes.vote_frame(panel, tables).collect()
    assert frame.select("g", "j").equals(panel.select("g", "j"))
    straight = c8_votes.vote_frame(panel, random_tables(panel)).collect()
    assert frame.equals(straight)


def test_non_null_features_are_counted_over_all_declared_columns() -> None:
    tables_panel = key_panel()
    tables = component_tables(tables_panel, {"c1_momentum_score": 0.1, "c1_vol_compression": 0.2})
    frame = c8_votes.vote_frame(tables_panel, tables).collect()
    assert frame["c1_valid"].unique().to_list() == [2]
    assert frame["c2_valid"].unique().to_list() == [0]


def test_a_component_without_table_or_without_row_counts_nothing() -> None:
    panel = key_panel().with_columns(present=pl.col("j") != 100)
    tables = component_tables(panel, {"c2_sentiment_level": 5})
    del tables["c7"]
    frame = c8_votes.vote_frame(panel, tables).collect()
    assert frame.height == panel.height
    assert frame["c7_valid"].to_list() == [0] * 375
    assert frame["c7_breakout_probability"].null_count() == 375
    assert frame["c2_valid"][100] == 0
    assert frame["c2_sentiment_level"][100] is None
    assert frame["c2_valid"][99] == 1
