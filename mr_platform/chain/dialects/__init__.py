"""How sources write option chains: one declaration a dialect, one place that lists them.

Here: headers, cell formats, facts told by a file's path.
Not here: reading bytes (``gateways/raw_files``), units, rules, derivations (``chain``).
"""

from __future__ import annotations

from mr_platform.chain.dialects.collected_quotes import NSE_COLLECTED, WIDE_QUOTES
from mr_platform.chain.dialects.dialect import Dialect
from mr_platform.chain.dialects.legacy_chain import LEGACY_CHAIN
from mr_platform.chain.dialects.long_quotes import LONG_QUOTES
from mr_platform.chain.dialects.nse_snapshot import NSE_SNAPSHOT, NSE_SNAPSHOT_DAY

DIALECTS: tuple[Dialect, ...] = (
    LEGACY_CHAIN,
    LONG_QUOTES,
    NSE_COLLECTED,
    WIDE_QUOTES,
    NSE_SNAPSHOT_DAY,
    NSE_SNAPSHOT,
)
"""Every dialect, in order of priority."""

__all__ = [
    "DIALECTS",
    "LEGACY_CHAIN",
    "LONG_QUOTES",
    "NSE_COLLECTED",
    "NSE_SNAPSHOT",
    "NSE_SNAPSHOT_DAY",
    "WIDE_QUOTES",
    "Dialect",
]
