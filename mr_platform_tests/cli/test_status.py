"""What `mr status` shows of failed and waiting partitions."""

from __future__ import annotations

from mr_platform.cli.status import _text
from mr_platform.orchestration.partition_status import AssetStatus, CheckCounts

REFUSED, WAITING = "2024-01-17|NIFTY", "2024-01-18|NIFTY"


def found(*missing: str) -> list[AssetStatus]:
    """Two assets of one computation: one partition refused, others missing."""
    sentence = f"nothing was stored: {REFUSED}: 42 of 84 rows were bad"
    checks = {"has_rows": CheckCounts(failed={REFUSED: sentence})}
    return [
        AssetStatus("option_chain", (), {}, (REFUSED,), (), missing, checks),
        AssetStatus("quarantined_rows", (), {}, (REFUSED,), (), missing, {}),
    ]


def test_a_refused_partition_is_told_once_with_its_reason() -> None:
    text = _text("/home", found(REFUSED), [])
    assert text.count(REFUSED) == 1
    assert "failed partitions of option_chain, quarantined_rows:" in text
    assert f"{REFUSED}  nothing was stored: 42 of 84 rows were bad" in text
    assert "the run failed" not in text


def test_a_refused_partition_is_not_waiting() -> None:
    assert _text("/home", found(REFUSED), []).endswith(
        "next: mend what failed, then mr materialize option_chain"
    )
    assert _text("/home", found(REFUSED, WAITING), []).endswith(
        "next: mr materialize option_chain   (1 are waiting)"
    )
