"""Path structure of C1 against plain loops over gappy paths."""

from __future__ import annotations

import itertools
import math

import polars as pl
import pytest

from mr_platform.features.c1_path import path_features, strike_changes
from mr_platform.features.column_plan import ColumnPlan
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform_tests.features.c1_panels import (
    MINUTES,
    Group,
    Values,
    assert_close,
    column,
    panel,
)

GAPPY = Group(missing=(0, 3, 40, 41, 60, *range(100, 112), 150, 152, 154, *range(230, 300)), seed=4)


def features(frame: pl.DataFrame) -> pl.DataFrame:
    p = ColumnPlan()
    changes = p.run(frame.lazy(), strike_changes(p)).collect()
    return changes.hstack(path_features(frame, CpuEngine()))


def path_of(frame: pl.DataFrame, price: str) -> Values:
    out: Values = []
    total = 0.0
    for p, h in zip(column(frame, price), column(frame, f"r_{price}"), strict=True):
        total += h or 0.0
        out.append(None if p is None else total)
    return out


def naive_hurst(path: Values) -> Values:
    out: Values = []
    for t in range(len(path)):
        window = path[max(0, t - 119) : t + 1]
        if sum(x is not None for x in window) < 80:
            out.append(None)
            continue
        heights = []
        for q in (1, 2, 4, 8, 16):
            squares = [
                (b - a) ** 2
                for a, b in zip(window, window[q:], strict=False)
                if a is not None and b is not None
            ]
            mean = sum(squares) / len(squares) if squares else 0.0
            heights.append(0.5 * math.log(mean) if mean > 1e-24 else None)
        if any(y is None for y in heights):
            out.append(None)
        else:
            slope = sum((j - 2) * y for j, y in enumerate(heights) if y is not None)
            out.append(slope / (10 * math.log(2)))
    return out


def naive_entropy(path: Values) -> Values:
    out: Values = []
    for t in range(len(path)):
        valid = [x for x in path[max(0, t - 59) : t + 1] if x is not None]
        if len(valid) < 40:
            out.append(None)
            continue
        counts: dict[tuple[int, ...], int] = {}
        for triple in zip(valid, valid[1:], valid[2:], strict=False):
            # a stable sort of rounded values ranks ties by time
            order = tuple(sorted(range(3), key=lambda i, row=triple: round(row[i], 11)))
            counts[order] = counts.get(order, 0) + 1
        total = sum(counts.values())
        entropy = -sum(n / total * math.log(n / total) for n in counts.values())
        out.append(min(max(entropy / math.log(6), 0.0), 1.0))
    return out


@pytest.mark.parametrize("group", [Group(seed=9), GAPPY], ids=["whole", "gappy"])
def test_hurst_and_entropy_are_the_declared_loops(group: Group) -> None:
    frame = panel([Group(seed=2), group])
    ours = features(frame)
    alone = panel([group])
    for series, price in (("atm", "strd"), ("fut", "fut")):
        path = path_of(alone, price)
        assert_close(column(ours, f"c1_hurst_{series}_120m", 1), naive_hurst(path))
        assert_close(column(ours, f"c1_entropy_{series}_60m", 1), naive_entropy(path))


def steps(moves: list[float]) -> pl.DataFrame:
    """A panel whose straddle makes the given log moves over and over."""
    returns = list(itertools.islice(itertools.cycle(moves), MINUTES))
    return panel([Group()]).with_columns(
        pl.Series("r_strd", [None, *returns[1:]], dtype=pl.Float64)
    )


def test_a_straight_path_has_one_order_and_hurst_one() -> None:
    ours = features(steps([0.001]))
    assert column(ours, "c1_entropy_atm_60m")[-1] == 0.0
    assert column(ours, "c1_hurst_atm_120m")[-1] == pytest.approx(1.0, abs=1e-9)


def test_orders_of_a_saw_by_hand() -> None:
    # up, up, down, down: orders 012, 021, 210, 102 in turn; the last 58 triples hold 15 of two
    # of them and 14 of the others
    ours = features(steps([0.003, 0.002, -0.004, -0.0015]))
    counts = [15, 15, 14, 14]
    entropy = -sum(n / 58 * math.log(n / 58) for n in counts) / math.log(6)
    assert column(ours, "c1_entropy_atm_60m")[-1] == pytest.approx(entropy, abs=1e-12)


def test_a_price_that_comes_back_is_a_tie() -> None:
    # 0, a, 0 of 0.1 + 0.2 - 0.3 is 5.6e-17: without tolerance the order would be rounding's
    ours = features(steps([0.1, 0.2, -0.3]))
    theirs = naive_entropy(
        [round(x, 9) for x in itertools.accumulate([0.0, *[0.2, -0.3, 0.1] * 124])]
    )
    assert column(ours, "c1_entropy_atm_60m")[372] == pytest.approx(theirs[372], abs=1e-12)


def test_a_path_that_returns_at_some_lag_has_no_hurst() -> None:
    assert column(features(steps([0.0])), "c1_hurst_atm_120m") == [None] * MINUTES
    # every second value is the same up to rounding: the mean at lag 2 counts as zero
    assert column(features(steps([0.1, -0.1])), "c1_hurst_atm_120m") == [None] * MINUTES


def test_strike_changes_count_against_the_last_bar_present() -> None:
    strikes: Values = [100.0] * 10 + [150.0] * 10 + [None] * 5 + [100.0] * (MINUTES - 25)
    frame = panel([Group(missing=range(20, 25))]).with_columns(
        pl.Series("atm_strike", strikes, dtype=pl.Float64)
    )
    ours = features(frame)
    session = column(ours, "c1_restrike_session")
    assert (session[0], session[1], session[9], session[10], session[19]) == (None, 0, 0, 1, 1)
    assert session[25:] == [2] * (MINUTES - 25)
    recent = column(ours, "c1_restrike_30m")
    # 20 bars are present from minute 19; the change at 10 leaves the window at 40
    assert recent[18:20] == [None, 1]
    assert (recent[39], recent[40], recent[54], recent[55]) == (2, 1, 1, 0)
    assert ours["c1_restrike_30m"].dtype == pl.Int64


def test_a_minute_of_another_expiry_only_is_no_bar() -> None:
    frame = panel([Group(missing=(5,))])
    # atm_strike may be known at a minute without a row of this expiry; it does not count
    known = frame.with_columns(
        pl.when(pl.col("j") == 5).then(999.0).otherwise(pl.col("atm_strike")).alias("atm_strike")
    )
    assert features(known).equals(features(frame))
