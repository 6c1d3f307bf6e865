from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from mr_platform.pictures.null_map import NullRow
from mr_platform.pictures.null_map_plot import draw_null_map, draw_scale


def test_rows_stand_from_the_top_down_with_their_share_and_first_full_minute() -> None:
    late = np.zeros(375)
    late[:75] = 1.0
    rows = [
        NullRow("inputs", "spot", 1, np.zeros(375)),
        NullRow("c1", "net_flow", 4, late),
        NullRow("c1", "pin", 2, np.ones(375)),
        NullRow("c2", "gone", 3, np.full(375, np.nan)),
    ]
    axes = Figure().add_subplot()
    draw_null_map(axes, rows)
    labels = [tick.get_text() for tick in axes.get_yticklabels()]
    assert labels == ["panel · spot (1)", "c1 · net flow (4)", "c1 · pin (2)", "c2 · gone (3)"]
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["0 %", "20.0 %  first full at 10:30", "100.0 %  never full", "no rows"]
    drawn = axes.images[0].get_array()
    assert drawn is not None
    assert np.ma.getmaskarray(drawn).sum() == 375
    assert axes.get_ylim() == (4, 0)


def test_the_scale_names_both_ends_and_the_absent_row() -> None:
    axes = Figure().add_subplot()
    draw_scale(axes)
    labels = [tick.get_text() for tick in axes.get_xticklabels()]
    assert labels == ["no row", "0", "50", "100 % null"]
