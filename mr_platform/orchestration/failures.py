"""Tells Dagster which faults are worth another try.

Here: platform errors → ``Failure`` without retries or ``RetryRequested``.
Not here: the fault itself (``errors.py``), restarting lost runs (``dagster.yaml``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from mr_platform.errors import PlatformError

MAX_RETRIES = 3
RETRY_WAIT_SECONDS = 2.0


@contextmanager
def retries_told_apart() -> Iterator[None]:
    """Permanent faults fail the step at once; what may pass is tried again.

    A step-wide ``RetryPolicy`` would repeat every exception, a rejected file as well as a bug.
    Here only a platform error that says so, and the operating system's refusals (disk full, a
    share gone for a moment), are repeated; a bug fails as it is, with its traceback.

    Raises:
        dagster.Failure: A permanent platform error; its text is the whole description.
        dagster.RetryRequested: A fault that may pass.
    """
    try:
        yield
    except PlatformError as fault:
        if fault.permanent:
            raise permanent_failure(str(fault)) from None
        raise dg.RetryRequested(MAX_RETRIES, RETRY_WAIT_SECONDS) from fault
    except OSError as refused:
        raise dg.RetryRequested(MAX_RETRIES, RETRY_WAIT_SECONDS) from refused


def permanent_failure(description: str) -> dg.Failure:
    """A failure that no retry can heal."""
    return dg.Failure(description=description, allow_retries=False)
