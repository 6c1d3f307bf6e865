"""Work on many strategies in a process of its own, so that its peak of memory is its own.

``python -m mr_platform_tests.benchmarks.measured_work pairs 100000`` takes the statistics of all
pairs, ``load FILE HOME`` is ``mr portfolio load FILE``. The last line told is a JSON document.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mr_platform_tests.benchmarks.stopwatch import (
    environment_of,
    peak_memory_bytes,
    resident_bytes,
)

BOOK = "made"


def pairs(strategies: str) -> dict[str, Any]:
    """Statistics of all pairs of so many made strategies, as a book's settings ask for them."""
    from mr_platform.config.settings import CorrelationSettings
    from mr_platform.portfolio.correlation_tiles import PairSettings, pair_statistics
    from mr_platform_tests.benchmarks.made_strategies import made_returns

    chosen = CorrelationSettings()
    asked = PairSettings(chosen.threshold, chosen.neighbours, most_pairs=chosen.most_pairs)
    pnl = made_returns(int(strategies))
    before = resident_bytes()
    started = time.perf_counter()
    found = pair_statistics(pnl, asked)
    return {
        "before": before,
        "seconds": time.perf_counter() - started,
        "pairs": found.pairs,
        "counted": int(found.histogram.sum()),
        "above": found.above,
        "listed": int(found.rho.size),
        "neighbours": int((found.neighbour >= 0).sum()),
        "mean": found.mean,
        "mean_abs": found.mean_abs,
    }


def load(path: str, home: str) -> dict[str, Any]:
    """Load a file into a book, as the command does: figures, inversions and correlations too."""
    from click.testing import CliRunner

    from mr_platform.cli.application import root

    before = resident_bytes()
    started = time.perf_counter()
    words = ["portfolio", "load", path, "--book", BOOK, "--home", home, "--json"]
    done = CliRunner().invoke(root, words)
    assert done.exit_code == 0, done.output
    return {
        "before": before,
        "seconds": time.perf_counter() - started,
        "told": json.loads(done.stdout),
    }


WORK: dict[str, Callable[..., dict[str, Any]]] = {"pairs": pairs, "load": load}


def measured(work: str, *words: str | int | Path, seconds: float) -> dict[str, Any]:
    """What some work found, ``peak`` and ``before`` with it: bytes in all and before the work.

    Raises:
        AssertionError: The work failed; what it said is in the message.
        TimeoutExpired: It took longer than the seconds.
    """
    command = [sys.executable, "-m", __spec__.name if __spec__ else "", work, *map(str, words)]
    # the command's own variables are not those of whoever measures
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MR_")}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, env=environment_of(plain)
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    result = WORK[sys.argv[1]](*sys.argv[2:])
    print(json.dumps(result | {"peak": peak_memory_bytes()}))
