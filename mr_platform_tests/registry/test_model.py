"""What declarations say about themselves: intervals, look-backs, names."""

from __future__ import annotations

import json

import pytest

from mr_platform.registry.loader import load_registry
from mr_platform.registry.model import Lookback, interval_text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(0, 1, "[0, 1]"), (None, 2.5, "[.., 2.5]"), (-1, None, "[-1, ..]"), (None, None, "any")],
)
def test_an_interval_shows_its_open_ends(low: object, high: object, text: str) -> None:
    assert interval_text(low, high) == text


def test_a_lookback_is_told_in_words() -> None:
    deep = Lookback(minutes=15, session=True, history=(("hist_day", 20), ("hist_minute", 1)))
    assert deep.text() == (
        "15 minutes, session, 20 trading days of hist_day, 1 trading day of hist_minute"
    )
    assert Lookback(minutes=1).text() == "1 minute"
    assert Lookback().text() == "none"


def test_a_lookback_reaches_as_far_as_its_deepest_table() -> None:
    deep = Lookback(history=(("hist_minute", 3), ("hist_day", 20)))
    assert deep.trading_days == 20
    assert deep.history_tables == ("hist_minute", "hist_day")
    assert Lookback(minutes=60).trading_days == 0


def test_a_feature_becomes_plain_json() -> None:
    column = next(c for c in load_registry().features if c.lookback.history and c.axes)
    plain = json.loads(json.dumps(column.to_dict()))
    assert plain["name"] == column.name
    assert plain["axes"] == dict(column.axes)
    assert plain["lookback"]["history"] == dict(column.lookback.history)


def test_a_raw_column_is_found_by_its_canonical_and_by_its_source_name() -> None:
    raw = load_registry().raw_chain
    assert raw.column("index_name") is raw.column("symbol")
    assert raw.rule("duplicate_key").name == "duplicate_key"
    assert raw.key == ("symbol", "ts_minute", "expiry_date", "strike")
    for find in (raw.column, raw.rule):
        with pytest.raises(KeyError, match="bid"):
            find("bid")


def test_components_name_their_table_and_the_labels_theirs() -> None:
    registry = load_registry()
    assert registry.components["c3"].table == "c3_features"
    assert registry.labels.table == "labels"
    families = registry.components["c3"].families
    assert registry.components["c3"].columns[: len(families[0].columns)] == families[0].columns
