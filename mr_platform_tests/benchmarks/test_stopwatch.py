"""What benchmarks say of their machine is so."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mr_platform_tests.benchmarks.stopwatch import environment_of, peak_memory_bytes, resident_bytes

_MULTIPLIES = """
from mr_platform_tests.benchmarks.stopwatch import with_threads
with_threads({threads})
import numpy, psutil
square = numpy.ones((600, 600))
square @ square
print(psutil.Process().num_threads())
"""


@pytest.mark.parametrize(
    ("threads", "told"), [(1, "1 thread"), (2, "2 threads")], ids=["one", "two"]
)
def test_linear_algebra_has_the_threads_that_are_told(threads: int, told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _MULTIPLIES.format(threads=threads)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment_of(os.environ, 3 - threads),
    )
    said, counted = done.stdout.splitlines()
    assert said == f"linear algebra: {told}, for all that follows"
    # a machine of one core takes no second thread
    assert int(counted) == min(threads, os.cpu_count() or 1)


def test_memory_now_is_no_more_than_its_peak() -> None:
    assert 1e6 < resident_bytes() <= peak_memory_bytes()
