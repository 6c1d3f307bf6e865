"""What the landing sensor decides: which input is new, which fault was told already.

Here: the sensor's memory (its cursor) and pure decisions over it.
Not here: listing, settling and reading files (``gateways/landing``), run requests
(``automation.py``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from mr_platform.trading_calendar import PartitionKey

MAX_REQUESTS_PER_TICK = 100
"""Runs asked for in one tick; the rest follow in the next ones, so that no tick runs long."""

_SHORT = 12
"""Hex digits kept of a fingerprint: 6,500 partitions make a cursor of 200 kB, not 600."""


@dataclass(frozen=True)
class WatchMemory:
    """What the sensor remembers between ticks.

    Attributes:
        requested: By partition, the fingerprint that a run was last asked for and how many were
            asked for so far, as ``fingerprint.number``.
        moving: Size and time of change of files that were still being written, by relative path.
        told: Digests of the faults that were told.
    """

    requested: Mapping[str, str] = field(default_factory=dict)
    moving: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    told: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, cursor: str | None) -> WatchMemory:
        """Read a cursor; without one nothing is remembered, nor with one that cannot be read.

        A person can write any text into a sensor's cursor, and an unreadable one would fail
        every tick from then on.
        """
        if not cursor:
            return cls()
        try:
            document = json.loads(cursor)
            return cls(
                requested={key: str(last) for key, last in document["requested"].items()},
                moving={
                    name: (size, changed) for name, (size, changed) in document["moving"].items()
                },
                told=frozenset(document["told"]),
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            return cls()  # what runs stored and their run keys keep old input from running again

    def text(self) -> str:
        """The cursor to store."""
        return json.dumps(
            {
                "requested": dict(sorted(self.requested.items())),
                "moving": dict(sorted(self.moving.items())),
                "told": sorted(self.told),
            },
            separators=(",", ":"),
        )


def new_inputs(inputs: Mapping[PartitionKey, str], memory: WatchMemory) -> dict[PartitionKey, str]:
    """Partitions whose input no run was asked for yet, ascending."""
    return {
        key: fingerprint
        for key, fingerprint in sorted(inputs.items())
        if _last(memory, key)[0] != fingerprint[:_SHORT]
    }


def remember_requested(memory: WatchMemory, inputs: Mapping[PartitionKey, str]) -> WatchMemory:
    """The memory once runs for these inputs were asked for, or found unneeded."""
    asked = {
        str(key): f"{fingerprint[:_SHORT]}.{_last(memory, key)[1] + 1}"
        for key, fingerprint in inputs.items()
    }
    return replace(memory, requested={**memory.requested, **asked})


def run_key(memory: WatchMemory, key: PartitionKey, fingerprint: str) -> str:
    """Names the run of an input: Dagster starts no second run of the same name.

    The number is part of it: a file that is changed and changed back needs a run each time.
    """
    return f"{key}:{fingerprint[:_SHORT]}.{_last(memory, key)[1] + 1}"


def _last(memory: WatchMemory, key: PartitionKey) -> tuple[str, int]:
    fingerprint, _, number = memory.requested.get(str(key), ".0").partition(".")
    return fingerprint, int(number)


def fault_digest(relative: str, fault: str) -> str:
    """Names a fault of a file; a file that lands again with another fault is told again."""
    return hashlib.sha256(f"{relative}\n{fault}".encode()).hexdigest()[:_SHORT]


def remember_told(memory: WatchMemory, present: Collection[str]) -> WatchMemory:
    """The memory once every present fault was told; faults that are gone are forgotten."""
    return replace(memory, told=frozenset(present))
