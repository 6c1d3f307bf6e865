"""Facts kept with a commit."""

from __future__ import annotations

import pytest

from mr_platform.errors import TableError
from mr_platform.gateways.commits import checked_info


def test_facts_are_copied_and_none_are_none() -> None:
    facts = {"run_id": "1"}
    kept = checked_info("t", facts)
    facts["run_id"] = "2"

    assert kept == {"run_id": "1"}
    assert checked_info("t", None) == {}


def test_names_that_the_log_writes_itself_are_refused() -> None:
    with pytest.raises(TableError, match="can't be named operation, timestamp") as refused:
        checked_info("t", {"timestamp": "1", "operation": "x", "run_id": "1"})
    assert refused.value.place == "t"
