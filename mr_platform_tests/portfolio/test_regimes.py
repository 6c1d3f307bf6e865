"""Weights of rows by regime: limits, units, transitions, multipliers, the real sample."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mr_platform.gateways.regime_files import read_regime_columns
from mr_platform.gateways.strategy_files import LandedStrategies
from mr_platform.portfolio.regime_bars import bars_of_rows, read_bars
from mr_platform.portfolio.regimes import (
    RowWeights,
    combined,
    confidence_filter,
    confidence_weights,
    declared_weights,
    raw_and_weighted,
    regime_weights,
    transition_weights,
)
from mr_platform.portfolio.returns import PortfolioError, StrategyReturns
from mr_platform.portfolio.risk import capital_utilisation
from mr_platform.portfolio.strategy_sheets import StrategySheet, read_text_sheet
from mr_platform.registry.regimes import load_regimes
from mr_platform.registry.strategy_files import load_strategy_files

SHARES = arrays(
    np.float64, st.integers(0, 30), elements=st.one_of(st.just(np.nan), st.floats(0, 1))
)


def returns(*columns: list[float], zones: tuple[str, ...] | None = None) -> StrategyReturns:
    pnl = np.array(columns).T
    first = np.datetime64("2024-01-01")
    names = tuple("abcdefgh"[: len(columns)])
    return StrategyReturns(pnl, names, first + np.arange(pnl.shape[0]), zones)


def sample(folder) -> StrategySheet:
    landed = LandedStrategies(folder / "Options_Trading_Sheet1_2023.csv", "sample.csv")
    return read_text_sheet(
        landed.header.columns, landed.pieces(), place="sample.csv", declared=load_strategy_files()
    )


# -- the real sample ---------------------------------------------------------------------------


@pytest.mark.real_data
def test_the_sample_keeps_64_of_88_rows_and_not_all_of_them(real_data):
    sheet = sample(real_data / "strategies")
    found = confidence_filter(sheet.rows["regime_confidence"], load_regimes().minimum_confidence)

    assert (found.counts["rows"], int(found.mask.sum()), found.counts["left_out"]) == (88, 64, 24)
    assert found.kept(sheet.returns).rows == 64
    assert found.weighted(sheet.returns).rows == 88
    per_cent = pl.read_csv(real_data / "strategies" / "Options_Trading_Sheet1_2023.csv")
    raw = per_cent["Regime_Confidence_%"].cast(pl.Float64)
    assert int((raw >= 0.7).sum()) == 88  # what comparing a share with per cent keeps
    with pytest.raises(PortfolioError, match="outside 0 to 1 in 88 of 88 rows, first 72 in row 1"):
        confidence_filter(raw, 0.7)


@pytest.mark.real_data
def test_both_units_give_the_same_mask_on_the_sample(real_data):
    folder = real_data / "strategies"
    raw = pl.read_csv(folder / "Options_Trading_Sheet1_2023.csv")["Regime_Confidence_%"]
    as_written = confidence_filter(sample(folder).rows["regime_confidence"], 0.7)
    as_shares = confidence_filter(pl.Series([x / 100 for x in raw]), 0.7)

    assert as_written.weights.tolist() == as_shares.weights.tolist()
    assert int(as_written.mask.sum()) == 64


@pytest.mark.real_data
def test_43_of_88_rows_are_in_transition_and_they_alone_are_halved(real_data):
    sheet = sample(real_data / "strategies")
    found = transition_weights(sheet.rows["transition_threshold"], 0.5, 0.5)

    assert found.counts["scaled_down"] == 43
    assert found.counts["unchanged"] == 45
    above = sheet.rows["transition_threshold"].to_numpy() > 0.5
    weighted = found.weighted(sheet.returns).pnl
    assert np.array_equal(weighted[above], sheet.returns.pnl[above] * 0.5)
    assert np.array_equal(weighted[~above], sheet.returns.pnl[~above])
    assert found.report()["mean_cash"].item() == pytest.approx(0.5 * 43 / 88)


@pytest.mark.real_data
def test_every_label_of_the_sample_has_a_multiplier(real_data):
    sheet = sample(real_data / "strategies")
    found = regime_weights(sheet.rows["market_regime"], load_regimes())

    assert set(found.weights) == {1.2, 0.8, 0.6, 1.0}
    assert found.not_told == 0


# -- by hand -----------------------------------------------------------------------------------


def test_the_boundary_passes_and_what_is_not_told_does_not():
    found = confidence_filter(np.array([0.70, 0.6999, 0.71, np.nan]), 0.70)

    assert found.weights.tolist() == [1, 0, 1, 0]
    assert found.counts == {
        "rows": 4, "left_out": 2, "scaled_down": 0, "unchanged": 2, "scaled_up": 0, "not_told": 1,
    }  # fmt: skip


def test_a_boundary_in_per_cent_is_not_missed_by_its_last_bit():
    tenths = np.arange(0, 1001)
    for minimum in (0.551, 0.7, 0.701, 0.829, 0.953):
        found = confidence_filter(tenths / 10 / 100, minimum)
        assert int(found.mask.sum()) == 1001 - round(minimum * 1000), minimum


def test_the_last_bit_below_the_boundary_is_at_it():
    assert confidence_filter(np.nextafter([0.7, 0.7], [0.0, 1.0]), 0.7).mask.tolist() == [True] * 2
    assert transition_weights(np.nextafter([0.5], 1), 0.5, 0.5).weights.tolist() == [1]


def test_confidence_is_the_weight_and_nothing_is_scaled_back():
    over = returns([10.0, -4.0, 6.0], [1.0, 2.0, 3.0])
    weights = confidence_weights(np.array([0.5, 1.0, np.nan]))

    assert weights.weighted(over).pnl.tolist() == [[5, 0.5], [-4, 2], [0, 0]]
    told = raw_and_weighted(over, weights.weighted(over))
    assert told["roi_raw"].to_list() == [12, 6]
    assert told["roi_weighted"].to_list() == [1, 2.5]
    assert told["win_rate_weighted"].to_list() == [1 / 3, 2 / 3]
    assert told.columns[:3] == ["strategy", "roi_raw", "roi_weighted"]


def test_a_row_at_the_threshold_is_not_in_transition():
    found = transition_weights(np.array([0.5, 0.501, 0.2, np.nan]), 0.5, 0.5)

    assert found.weights.tolist() == [1, 0.5, 1, 1]
    assert found.exposure.tolist() == [1, 0.5, 1, 1]
    assert found.not_told == 1


def test_multipliers_of_labels_and_others_in_their_place():
    labels = ["Bullish_Grind", "Bearish_Panic", "Bearish_Linear_Decay", "Vol_Crush"]
    regimes = load_regimes()

    assert regime_weights(labels, regimes).weights.tolist() == [1.2, 0.6, 0.8, 1.0]
    changed = regime_weights(labels, regimes, {"volatile": 0.0})
    assert changed.weights.tolist() == [1.2, 0.0, 0.8, 1.0]
    assert changed.exposure.tolist() == [1.0, 0.0, 0.8, 1.0]
    assert changed.counts["scaled_up"] == 1


def test_unknown_labels_are_an_error_or_weigh_as_declared():
    labels = ["Vol_Crush", "Bullish", None]
    with pytest.raises(PortfolioError) as refused:
        regime_weights(labels, load_regimes())
    assert refused.value.fault == (
        "1 of 3 rows have no label of a regime; 1 of 3 rows have a regime that is not declared: "
        "Bullish"
    )
    assert "regimes.yaml" in str(refused.value)

    lenient = replace(load_regimes(), unknown_family="neutral")
    found = regime_weights(labels, lenient)
    assert found.weights.tolist() == [1, 1, 1]
    assert found.not_told == 2


def test_rows_without_a_label_are_not_told_to_declare_one():
    with pytest.raises(PortfolioError, match="2 of 2 rows have no label of a regime") as refused:
        regime_weights([None, None], load_regimes())
    assert "--regimes" in str(refused.value)
    assert "regimes.yaml" not in str(refused.value)


@pytest.mark.parametrize("factor", [-1.0, np.inf, np.nan])
def test_multipliers_that_cannot_be_are_refused_with_their_family(factor):
    with pytest.raises(PortfolioError, match=rf"cannot be: bull × {factor:g}") as refused:
        # no row of the family is needed for it to be wrong
        regime_weights(["Vol_Crush"], load_regimes(), {"bull": factor, "bear": 1.0})
    assert refused.value.misused
    assert "0 or above" in str(refused.value)


def test_rules_together_multiply():
    both = combined(
        [
            confidence_filter(np.array([0.9, 0.9, 0.1]), 0.7),
            transition_weights(np.array([0.6, 0.1, 0.6]), 0.5, 0.5),
        ]
    )

    assert both.weights.tolist() == [0.5, 1, 0]
    assert both.rule == "confidence filter, transition"


ROWS = pl.DataFrame(
    {
        "market_regime": ["Vol_Crush", "Bullish_Grind", "Bearish_Panic"],
        "regime_confidence": [0.7, 0.6, 0.9],
        "transition_threshold": [0.6, 0.4, 0.4],
    }
)


def test_declared_rules_by_name():
    both = declared_weights(ROWS, load_regimes())
    assert [rule.rule for rule in both] == ["confidence filter", "transition"]
    assert combined(both).weights.tolist() == [0.5, 0, 1]

    others = declared_weights(ROWS, load_regimes(), ("regime", "confidence weight"))
    assert others[0].weights.tolist() == [1.0, 1.2, 0.6]
    assert others[1].weights.tolist() == [0.7, 0.6, 0.9]
    assert declared_weights(ROWS, load_regimes(), ()) == ()

    (own,) = declared_weights(ROWS, load_regimes(), ("regime",), {"bull": 1.5, "neutral": 0.25})
    assert own.weights.tolist() == [0.25, 1.5, 0.6], "what is not named stays as declared"
    with pytest.raises(PortfolioError, match=r"not declared: calm.*\n?.*bull, bear"):
        declared_weights(ROWS, load_regimes(), ("regime",), {"calm": 1.0})


def test_rules_need_their_columns():
    alone = ROWS.select("regime_confidence")
    assert declared_weights(alone, load_regimes(), ("confidence filter",))
    with pytest.raises(PortfolioError, match="rows lack market_regime, transition_threshold"):
        declared_weights(alone, load_regimes(), ("transition", "regime"))
    for rules in (("transition", "transition"), ("transitions",)):
        with pytest.raises(PortfolioError, match="not known or stand twice"):
            declared_weights(ROWS, load_regimes(), rules)


def test_what_is_cash_is_not_at_work():
    weights = combined(declared_weights(ROWS, load_regimes()))
    at_work = capital_utilisation(np.array([40.0, 60.0]), 100.0, weights.exposure)
    assert at_work == pytest.approx(0.5)
    assert weights.report()["mean_cash"].item() == pytest.approx(0.5)


@pytest.mark.real_data
def test_regimes_of_bars_take_the_place_of_those_of_a_sheet(real_data):
    folder = real_data / "strategies"
    sheet, name = sample(folder), "market_regime_jan2023.csv"
    regimes = load_regimes()
    bars = read_bars(read_regime_columns(folder / name, name, regimes.bars), name, regimes)
    joined = bars_of_rows(sheet.rows, bars)
    found = declared_weights(joined, regimes, ("confidence filter", "transition"))

    # the file ends on 16 January, half of the rows have no bar
    assert [rule.not_told for rule in found] == [44, 44]
    assert found[0].counts["left_out"] >= 44
    assert combined(found).weighted(sheet.returns).rows == 88


def test_kept_rows_keep_their_zones_and_dates():
    over = returns([1.0, 2.0, 3.0], zones=("A", "B", "C"))
    kept = RowWeights("by hand", np.array([1.0, 0.0, 2.0])).kept(over)

    assert kept.pnl.tolist() == [[1], [6]]
    assert kept.zones == ("A", "C")
    assert kept.dates.tolist() == [over.dates.tolist()[0], over.dates.tolist()[2]]


def test_a_loss_that_is_left_out_is_zero_and_not_minus_zero():
    weighted = RowWeights("by hand", np.array([0.0])).weighted(returns([-5.0]))
    assert str(weighted.pnl[0, 0]) == "0.0"


def test_no_row_is_no_fault():
    none = confidence_filter(np.array([]), 0.7)
    assert none.report()["mean_weight"].to_list() == [None]
    assert regime_weights([], load_regimes()).weights.shape == (0,)


def test_weights_cannot_be_written():
    given_weights = np.array([1.0])
    found = RowWeights("by hand", given_weights)
    given_weights[0] = 5
    assert found.weights.tolist() == [1]
    with pytest.raises(ValueError, match="read-only"):
        found.weights[0] = 2


# -- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda: confidence_filter(np.array([0.5]), 70),
        lambda: confidence_filter(np.array([[0.5]]), 0.7),
        lambda: confidence_weights(np.array([-0.1])),
        lambda: transition_weights(np.array([1.1]), 0.5, 0.5),
        lambda: transition_weights(np.array([0.1]), 0.5, np.nan),
        lambda: RowWeights("x", np.array([-1.0])),
        lambda: RowWeights("x", np.array([np.inf])),
        lambda: RowWeights("x", np.ones((2, 2))),
        lambda: RowWeights("x", np.ones(2)).weighted(returns([1.0])),
        lambda: raw_and_weighted(returns([1.0]), returns([1.0, 2.0])),
        lambda: raw_and_weighted(returns([1.0]), returns([1.0], [2.0])),
        lambda: combined([]),
        lambda: combined([RowWeights("x", np.ones(1)), RowWeights("y", np.ones(2))]),
        lambda: regime_weights(["Vol_Crush"], load_regimes(), {"calm": 1.0}),
        lambda: regime_weights(["Vol_Crush"], load_regimes(), {"neutral": -1.0}),
    ],
)
def test_what_is_no_weight_is_refused(call):
    with pytest.raises(PortfolioError):
        call()


# -- laws --------------------------------------------------------------------------------------


@given(SHARES, st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_units_do_not_matter(shares, minimum):
    in_percent = confidence_filter(shares * 100 / 100, minimum)
    assert in_percent.weights.tolist() == confidence_filter(shares, minimum).weights.tolist()


@given(SHARES, st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_a_higher_minimum_keeps_no_more(shares, one, other):
    low, high = sorted((one, other))
    assert (confidence_filter(shares, high).mask <= confidence_filter(shares, low).mask).all()


@given(SHARES, st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_what_a_transition_takes_is_cash(shares, threshold, factor):
    found = transition_weights(shares, threshold, factor)
    assert set(found.weights) <= {1.0, factor}
    assert ((found.weights == 1.0) | (shares > threshold)).all()


@given(
    arrays(np.float64, st.tuples(st.integers(1, 8), st.integers(1, 4)), elements=st.floats(-9, 9)),
    st.data(),
)
@settings(max_examples=60, deadline=None)
def test_weights_scale_rows_and_nothing_else(pnl, data):
    weights = data.draw(arrays(np.float64, pnl.shape[0], elements=st.floats(0, 2)))
    rule = RowWeights("drawn", weights)
    over = returns(*pnl.T.tolist())
    assert rule.weighted(over).pnl == pytest.approx(pnl * weights[:, None])
    assert rule.kept(over).rows == np.count_nonzero(weights)
    assert sum(v for k, v in rule.counts.items() if k not in ("rows", "not_told")) == len(weights)
