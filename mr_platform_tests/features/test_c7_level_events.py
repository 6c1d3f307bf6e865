"""Events at levels: hand-worked paths, and random ones against the definitions as loops."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from mr_platform.features.c7_level_events import EVENT_COLUMNS, Level, level_events
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform_tests.features.c7_panels import MINUTES, Values

ENGINE = CpuEngine()
BAND = 0.01  # a price near 100 is inside the band within one point of the level

Events = dict[str, list[int | None]]


def series(values: Values) -> pl.Series:
    return pl.Series(values + [None] * (MINUTES - len(values)), dtype=pl.Float64)


def events(price: Values, level: Values | float, line: Values | None = None) -> Events:
    levels = level if isinstance(level, list) else [level] * MINUTES
    watched = Level("x", series(price), series(levels), series(line or levels), BAND)
    found = level_events([watched], ENGINE)["x"]
    return {
        name: column.to_list()[: len(price)]
        for name, column in zip(EVENT_COLUMNS, found, strict=True)
    }


def places(price: Values, level: Values) -> list[int | None]:
    found: list[int | None] = []
    for x, line in zip(price, level, strict=False):
        if x is None or line is None:
            found.append(None)
        else:
            found.append(1 if x - line > BAND * x else -1 if x - line < -BAND * x else 0)
    return found


def expected(price: Values, level: Values) -> Events:
    """The definitions, minute by minute."""
    at = places(price, level)
    out: Events = {name: [] for name in EVENT_COLUMNS}
    entries = seen = 0
    kinds: list[str | None] = []
    for t, x in enumerate(price):
        seen += at[t] is not None
        before = at[t - 1] if t else None
        kind = None
        if at[t] == 0 and before in (1, -1):
            kind = "support" if before == 1 else "resistance"
            entries += 1
        kinds.append(kind)
        out["watched"].append(seen)
        out["touches"].append(entries if level[t] is not None and seen >= 2 else None)
        five = places(price[max(t - 4, 0) : t + 1], [level[t]] * 5)
        known = len(five) == 5 and None not in five
        broken = 1 if set(five) == {1} else -1 if set(five) == {-1} else 0
        out["break"].append(broken if known else None)
        then = kinds[t - 10] if t >= 10 else None
        for side, home in (("support", 1), ("resistance", -1)):
            judged = then == side and x is not None
            out[f"touched_{side}"].append(int(judged))
            back = judged and places([x], [level[t - 10]])[0] == home
            out[f"held_{side}"].append(int(back))
        for way, sign in (("up", 1), ("down", -1)):
            out[f"failed_{way}"].append(int(_failed(price, level, at, t, sign)))
    return out


def _failed(price: Values, level: Values, at: list[int | None], t: int, sign: int) -> bool:
    if t == 0 or at[t] is None or at[t - 1] is None:
        return False
    now, before = (sign * (price[v] - level[v]) for v in (t, t - 1))  # type: ignore[operator]
    crossed = any(
        at[u] == sign and at[u - 1] is not None and at[u - 1] != sign
        for u in range(max(t - 10, 1), t)
    )
    return now < 0 <= before and crossed


def test_a_touch_is_an_entry_into_the_band_and_a_gap_makes_none() -> None:
    found = events([102, 100, 100, 102, None, 100, 98, 99.5], 100.0)  # type: ignore[list-item]
    # 99.5 is half a point below the level, its band 0.995
    assert found["touches"] == [None, 1, 1, 1, 1, 1, 1, 2]


def test_the_edge_belongs_to_the_band() -> None:
    # at 100 and a level of 99 the distance equals the band of one point
    assert events([102.0, 100.0], 99.0)["touches"] == [None, 1]
    assert events([102.0, 100.1], 99.0)["touches"] == [None, 0]


def test_five_minutes_beyond_the_band_confirm_a_break() -> None:
    found = events([99.0, 102.0, 102.0, 102.0, 102.0, 102.0, None, 98.0], 100.0)
    assert found["break"] == [None, None, None, None, 0, 1, None, None]
    assert events([98.0] * 5, 100.0)["break"][-1] == -1


def test_a_level_that_becomes_known_late_runs_through_all_five_minutes() -> None:
    late: Values = [None, None, None, 100.0, 100.0, 100.0]
    line: Values = [100.0] * 6
    assert events([102.0] * 6, late, line)["break"] == [None] * 4 + [1, 1]


def test_a_touch_holds_if_price_is_back_on_its_side_ten_minutes_later() -> None:
    path: Values = [102.0, 100.0] + [100.0] * 9 + [102.0]
    found = events(path, 100.0)
    assert found["touched_support"] == [0] * 11 + [1]
    assert found["held_support"] == [0] * 11 + [1]
    assert events([*path[:11], 100.5], 100.0)["held_support"][-1] == 0
    assert events([*path[:11], None], 100.0)["touched_support"][-1] == 0
    below: Values = [98.0, 100.0] + [100.0] * 9 + [98.0]
    assert events(below, 100.0)["held_resistance"][-1] == 1


def test_a_touch_is_judged_against_the_level_it_touched() -> None:
    moved: Values = [100.0] * 5 + [110.0] * 7
    path: Values = [102.0] + [100.0] * 10 + [102.0]
    assert events(path, moved)["held_support"][-1] == 1


def test_a_break_fails_when_price_falls_back_within_ten_minutes() -> None:
    path: Values = [99.0, 102.0, 102.0, 100.0, 99.0]
    assert events(path, 100.0)["failed_up"] == [0, 0, 0, 0, 1]
    # two crossings, one return
    twice: Values = [99.0, 102.0, 100.5, 102.0, 99.0]
    assert events(twice, 100.0)["failed_up"] == [0, 0, 0, 0, 1]
    # a crossing eleven minutes before the return
    late: Values = [99.0, 102.0] + [100.5] * 10 + [99.0]
    assert sum(x or 0 for x in events(late, 100.0)["failed_up"]) == 0
    assert events([*late[:11], 99.0], 100.0)["failed_up"][-1] == 1
    assert events([101.0, 98.0, 101.0], 100.0)["failed_down"] == [0, 0, 1]


prices = st.sampled_from([None, 98.0, 98.9, 99.5, 100.0, 100.0, 100.5, 101.1, 102.0])
constant = st.sampled_from([99.0, 100.0])


@settings(max_examples=60, deadline=None)
@given(st.lists(prices, min_size=40, max_size=80), constant, st.integers(0, 20))
def test_events_against_loops(price: Values, height: float, known_from: int) -> None:
    level: Values = [None if t < known_from else height for t in range(len(price))]
    line: Values = [height] * len(price)
    assert events(price, level, line) == expected(price, level)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(prices, prices), min_size=40, max_size=60))
def test_events_at_a_moving_level_against_loops(rows: list[tuple[float | None, ...]]) -> None:
    price, level = ([row[i] for row in rows] for i in (0, 1))
    found, wanted = events(price, level), expected(price, level)
    for name in set(EVENT_COLUMNS) - {"break"}:
        assert found[name] == wanted[name]


def test_levels_do_not_meet_in_the_stack() -> None:
    path = [98.0 + (t * 7 % 11) * 0.4 for t in range(MINUTES)]
    one = Level("a", series(path), series([100.0] * MINUTES), series([100.0] * MINUTES), BAND)
    other = Level("b", series(path[::-1]), one.level, one.line, BAND)
    twice = pl.concat([one.price, other.price])
    both = Level("c", twice, pl.concat([one.level] * 2), pl.concat([one.line] * 2), BAND)
    found = level_events([one, other, both], ENGINE)
    for mine, theirs, joint in zip(found["a"], found["b"], found["c"], strict=True):
        assert joint.to_list() == [*mine.to_list(), *theirs.to_list()]
        cut = level_events([Level("a", series(path[:90]), one.level, one.line, BAND)], ENGINE)["a"]
    assert [c.to_list()[:90] for c in cut] == [c.to_list()[:90] for c in found["a"]]
