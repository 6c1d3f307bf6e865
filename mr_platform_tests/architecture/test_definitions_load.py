"""Loading the definitions touches nothing: no file, no socket, no variable.

A code location is loaded by every webserver, daemon and run process; I/O there makes each of them
slow and one unreachable service stops them all.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from mr_platform_tests.architecture.loading_witness import touches_of
from mr_platform_tests.architecture.source_tree import PACKAGE

# Libraries are imported before the watch begins: what they do on import is theirs (Dagster asks
# the operating system what it is by running `file`, NumPy clears a variable of its own).
LIBRARIES = "import dagster, numpy, polars, pydantic, yaml"


def test_definitions_load_in_an_empty_environment_without_touching_the_outside(
    tmp_path: Path,
) -> None:
    touched = touches_of(
        "from mr_platform.definitions import defs\n"
        "graph = defs.resolve_asset_graph()\n"
        "assert graph.get_all_asset_keys()\n"
        "assert not list(__import__('pathlib').Path().iterdir())\n",
        package=PACKAGE,
        folder=tmp_path,
        before=LIBRARIES,
    )
    assert not touched, "\n".join(f"{touch.event}: {touch.detail}" for touch in touched)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("source", "event"),
    [
        ("open('left_behind.txt', 'w').close()", "open to write"),
        ("import tempfile; open('/etc/hostname').close()", "open"),
        ("import pathlib; pathlib.Path('made').mkdir()", "os.mkdir"),
        ("import sqlite3; sqlite3.connect('made.sqlite').close()", "sqlite3.connect"),
        (
            "import socket\ns = socket.socket()\n"
            "try:\n    s.connect(('127.0.0.1', 9))\nexcept OSError:\n    s.close()",
            "socket.connect",
        ),
        ("import subprocess, sys; subprocess.run([sys.executable, '-c', ''])", "subprocess.Popen"),
        ("import os; os.environ.get('MR_HOME')", "environment"),
        ("import os; os.getenv('MR_HOME')", "environment"),
        ("import os; os.listdir('/var')", "os.listdir"),
    ],
)
def test_the_witness_sees_each_kind_of_touch(source: str, event: str, tmp_path: Path) -> None:
    seen = {touch.event for touch in touches_of(source, package=PACKAGE, folder=tmp_path)}
    assert event in seen
