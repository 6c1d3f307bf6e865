from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from mr_platform.pictures import style
from mr_platform.pictures.member_plots import (
    MemberRows,
    cluster_order,
    draw_contributions,
    draw_correlation_scale,
    draw_correlations,
    draw_open_members,
    draw_stops,
    draw_windows,
    hours_shown,
    letters_of,
    member_label,
)
from mr_platform.portfolio.correlation import correlation_block, standardised
from mr_platform.portfolio.portfolio_facts import portfolio_facts
from mr_platform_tests.portfolio.found_portfolios import drawn, found, lone_report, report, weekly


@pytest.fixture(scope="module")
def rows() -> MemberRows:
    return MemberRows.of(report().best.members)


def test_members_stand_by_entry_and_those_without_hours_last(rows: MemberRows) -> None:
    assert rows.frame["number"].to_list() == [1, 2, 3, 4]
    assert rows.labels[0] == "1  SENSEX 930-1030 SL38%TP27%"
    np.testing.assert_array_equal(rows.minutes("entry"), [570, 600, 746, np.nan])
    np.testing.assert_array_equal(rows.minutes("exit"), [630, 660, 806, np.nan])


def test_windows_reach_from_entry_to_exit_and_inverted_ones_stand_out(rows: MemberRows) -> None:
    axes = Figure().add_subplot()
    draw_windows(axes, rows)
    bars = [bar for container in axes.containers for bar in container]
    found = [(bar.get_x(), bar.get_width()) for bar in bars]
    assert found == [(570, 60), (600, 60), (746, 60)]
    assert bars[-1].get_facecolor()[:3] == pytest.approx(
        tuple(int(style.MAX_PAIN[i : i + 2], 16) / 255 for i in (1, 3, 5))
    )
    assert [text.get_text() for text in axes.texts] == ["the name tells no hours"]
    assert axes.get_xlim() == (555, 930)
    assert [tick.get_text() for tick in axes.get_yticklabels()] == list(rows.labels)


def test_open_members_are_counted_by_minute(rows: MemberRows) -> None:
    axes = Figure().add_subplot()
    draw_open_members(axes, rows)
    minutes, counts = axes.lines[0].get_data()
    held = dict(zip(np.asarray(minutes), np.asarray(counts), strict=True))
    expected = {569: 0, 570: 1, 605: 2, 629: 2, 630: 1, 659: 1, 660: 0}
    assert {at: held[at] for at in expected} == expected
    assert axes.get_yticks().tolist() == [0, 2]


def test_members_outside_the_session_widen_the_axis() -> None:
    members = lone_report(drawn(strategies=1).pnl).best.members
    assert hours_shown(MemberRows.of(members)) == (555, 930)
    early = weekly(np.ones((2, 1)), ("SENSEX 100-2300 SL1%",))
    wide = MemberRows.of(portfolio_facts(early, found(0)).members)
    assert hours_shown(wide) == (60, 23 * 60)
    axes = Figure().add_subplot()
    draw_windows(axes, wide)
    assert [tick.get_text() for tick in axes.get_xticklabels()][:2] == ["02:00", "04:00"]


def test_stops_stand_at_their_percentages_with_their_multiple(rows: MemberRows) -> None:
    axes = Figure().add_subplot()
    draw_stops(axes, rows)
    stop, profit = axes.lines
    assert np.asarray(stop.get_xdata()).tolist() == [38, 7, 56]
    assert np.asarray(profit.get_xdata()).tolist() == [27, 56]
    assert [text.get_text() for text in axes.texts] == ["2×"]


def test_without_any_stop_the_panel_is_empty() -> None:
    axes = Figure().add_subplot()
    draw_stops(axes, MemberRows.of(lone_report(np.ones((2, 4)), 3).best.members))
    assert not axes.lines
    assert axes.get_xlim() == (0, 1)


def test_contributions_are_coloured_by_sign(rows: MemberRows) -> None:
    axes = Figure().add_subplot()
    draw_contributions(axes, rows, "rupees")
    widths = [bar.get_width() for bar in axes.patches if bar.get_width() < 1e6][: len(rows.labels)]
    assert widths == pytest.approx(rows.frame["contribution"].to_list())
    assert axes.get_title("left") == "part of ROI, rupees"
    nothing = Figure().add_subplot()
    draw_contributions(
        nothing, MemberRows.of(lone_report(np.zeros((2, 2))).best.members), "percent"
    )
    assert nothing.get_xlim() == (-1, 1)


def test_like_stands_beside_like() -> None:
    rng = np.random.default_rng(2)
    base = rng.normal(size=(60, 3))
    pnl = base[:, [0, 1, 2, 0, 1, 2]] + 0.1 * rng.normal(size=(60, 6))
    everybody = np.arange(6)
    order = cluster_order(correlation_block(standardised(pnl), everybody, everybody))
    assert sorted(order.tolist()) == list(range(6))
    assert all(abs(order[at] - order[at + 1]) == 3 for at in (0, 2, 4))


@pytest.mark.parametrize("size", [1, 2])
def test_one_or_two_members_stay_as_they_are(size: int) -> None:
    assert cluster_order(np.eye(size)).tolist() == list(range(size))


def test_members_without_variation_are_ordered_as_well() -> None:
    assert sorted(cluster_order(np.zeros((5, 5))).tolist()) == list(range(5))


def test_the_map_shows_the_correlations_in_its_order() -> None:
    best = report().best
    axes = Figure().add_subplot()
    order = draw_correlations(axes, best.correlation, best.members)
    shown = axes.images[0].get_array()
    np.testing.assert_array_equal(shown, best.correlation[np.ix_(order, order)])
    numbers = [tick.get_text() for tick in axes.get_xticklabels()]
    assert numbers == [str(place + 1) for place in order]
    labels = [tick.get_text() for tick in axes.get_yticklabels()]
    assert labels[0] == member_label(order[0] + 1, best.members["name"][int(order[0])])


def test_zero_lies_between_the_two_colours() -> None:
    axes = Figure().add_subplot()
    draw_correlation_scale(axes)
    shades = axes.images[0].to_rgba(np.array([[-1.0, -1e-9, 1e-9, 1.0]]))[0]
    assert shades[0][0] > shades[0][2]
    assert shades[3][2] > shades[3][0]
    assert min(shades[1][:3]) > 0.9
    assert min(shades[2][:3]) > 0.9


def test_letters_shrink_with_the_number_of_rows() -> None:
    axes = Figure(figsize=(4, 4)).add_axes((0, 0, 1, 1))
    assert letters_of(axes, 5) == 8
    assert letters_of(axes, 100) == pytest.approx(0.85 * 2.88)


def test_a_long_name_loses_its_middle() -> None:
    label = member_label(3, "a" * 40 + "z" * 40)
    assert len(label) <= 50
    assert label.startswith("3  aaa")
    assert label.endswith("zzz")
    assert "…" in label
