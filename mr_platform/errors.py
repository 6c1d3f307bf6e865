"""Every error a user can meet, in one form: what is wrong, where, what to do next.

Here: the exception types and the flag that tells a permanent fault from a retryable one.
Not here: printing (``cli.py``), run retries (``orchestration/``).
"""

from __future__ import annotations

from collections.abc import Sequence


class PlatformError(Exception):
    """A fault told to a person: fact, place, next step.

    Attributes:
        fault: What is wrong, in one sentence without a trailing full stop.
        place: File, table, partition or line concerned, or None.
        next_step: What the reader can do about it, or None.
        permanent: True when trying again with the same input must fail again.
        misused: True when what was asked for cannot be in whatever home: a name that nothing has,
            a value outside what is allowed. A command then leaves with the code of wrong usage.
    """

    permanent: bool = True

    def __init__(
        self,
        fault: str,
        *,
        place: str | None = None,
        next_step: str | None = None,
        permanent: bool | None = None,
        misused: bool = False,
    ) -> None:
        self.fault = fault
        self.place = place
        self.next_step = next_step
        self.misused = misused
        if permanent is not None:
            self.permanent = permanent
        message = f"{place}: {fault}" if place else fault
        if next_step:
            message = f"{message}. {next_step}"
        super().__init__(message)


class SettingsError(PlatformError):
    """A setting or an environment variable that cannot be used."""


class RegistryError(PlatformError):
    """The declared registry is wrong; carries every fault of every file at once."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = list(faults)
        listing = "\n".join(f"  {fault}" for fault in self.faults)
        super().__init__(
            f"{len(self.faults)} faults in the declared registry:\n{listing}",
            next_step="Correct the lines named above",
        )


class InputFileError(PlatformError):
    """A landed file that cannot be used as a whole."""


class UnknownDialectError(InputFileError):
    """A landed file whose header no dialect declares."""


class MissingInputError(PlatformError):
    """A partition was asked for that no landed file feeds."""


class PartitionRejectedError(PlatformError):
    """The share of bad rows of a partition is above the limit; nothing of it was written."""


class CalendarError(PlatformError):
    """A date or minute outside what the trading calendar knows."""


class TableError(PlatformError):
    """A lakehouse table cannot serve the request (no such table, version or column)."""


class TableConflictError(TableError):
    """Another writer won the same partition; trying again is right."""

    permanent = False
