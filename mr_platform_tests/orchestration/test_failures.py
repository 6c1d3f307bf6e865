"""Permanent and retryable faults, as Dagster runs them."""

from __future__ import annotations

import dagster as dg
import pytest

from mr_platform.errors import PartitionRejectedError, TableConflictError
from mr_platform.orchestration import failures
from mr_platform.orchestration.failures import retries_told_apart


def attempts(
    fault: Exception, heal_after: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[int, bool]:
    """Times a step ran that raises ``fault``, and whether the run succeeded."""
    monkeypatch.setattr(failures, "RETRY_WAIT_SECONDS", 0)
    calls = []

    @dg.op
    def step() -> None:
        with retries_told_apart():
            calls.append(1)
            if len(calls) <= heal_after:
                raise fault

    @dg.job
    def one_step() -> None:
        step()

    with dg.DagsterInstance.ephemeral() as instance:
        result = one_step.execute_in_process(instance=instance, raise_on_error=False)
    return len(calls), result.success


@pytest.mark.parametrize(
    ("fault", "heal_after", "expected"),
    [
        (PartitionRejectedError("too many bad rows"), 99, (1, False)),
        (TableConflictError("another writer won"), 2, (3, True)),
        (TableConflictError("another writer won"), 99, (4, False)),
        (OSError(28, "No space left on device"), 1, (2, True)),
        (KeyError("a bug"), 99, (1, False)),
    ],
)
def test_only_what_may_pass_is_tried_again(
    fault: Exception, heal_after: int, expected: tuple[int, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert attempts(fault, heal_after, monkeypatch) == expected


def test_a_permanent_fault_is_told_in_its_own_words() -> None:
    fault = PartitionRejectedError("12 % of rows were bad", place="2025-08-29|NIFTY")
    with pytest.raises(dg.Failure) as told, retries_told_apart():
        raise fault
    assert told.value.description == "2025-08-29|NIFTY: 12 % of rows were bad"
    assert told.value.allow_retries is False
