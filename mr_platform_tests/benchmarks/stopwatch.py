"""Timing and printing shared by the benchmarks; no benchmark asserts a time."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path


class Stopwatch:
    """Seconds of named steps over several repetitions."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    @contextmanager
    def lap(self, step: str) -> Iterator[None]:
        """Add the wall time of the block to a step."""
        start = time.perf_counter()
        yield
        self.add(step, time.perf_counter() - start)

    def add(self, step: str, seconds: float) -> None:
        """Add a duration measured elsewhere."""
        self.seconds.setdefault(step, []).append(seconds)

    def median(self, step: str) -> float:
        """Median seconds of a step."""
        return statistics.median(self.seconds[step])

    def spread(self, step: str) -> str:
        """Fastest and slowest repetition."""
        taken = self.seconds[step]
        return f"{min(taken):.3f}–{max(taken):.3f}"


def peak_memory_bytes() -> int:
    """Peak resident memory of this process.

    ``VmHWM`` where the system has it: ``ru_maxrss`` of a fresh process still holds the peak of
    the process that started it.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text("utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024


def resident_bytes() -> int:
    """Resident memory of this process now; its peak where the system does not tell it."""
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text("utf-8").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return peak_memory_bytes()


_THREADS = (
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def environment_of(environment: Mapping[str, str], threads: int = 1) -> dict[str, str]:
    """The environment of a process whose linear algebra takes so many threads."""
    return {**environment, **dict.fromkeys(_THREADS, str(threads))}


def with_threads(threads: int) -> None:
    """Give the linear algebra of this process so many threads and print it.

    Libraries read their variables when they are loaded: where those differ, the process begins
    anew, with the same arguments.
    """
    wanted = environment_of(os.environ, threads)
    if any(os.environ.get(name) != wanted[name] for name in _THREADS):
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], wanted)
    print(f"linear algebra: {threads} thread{'' if threads == 1 else 's'}, for all that follows")


def print_machine(*packages: str) -> None:
    """Print what the figures depend on."""
    pinned = ", ".join(f"{name} {version(name)}" for name in packages)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores; {pinned}")


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table, the first column to the left and the others to the right."""
    widths = [max(len(row[place]) for row in [header, *rows]) for place in range(len(header))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    for row in [header, rule, *rows]:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print(f"| {' | '.join(cells)} |")
    print()
