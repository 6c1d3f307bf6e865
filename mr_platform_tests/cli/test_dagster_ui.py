from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from mr_platform_tests.cli.conftest import Run


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_port_in_use_is_told_with_the_next_one(run: Run, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run("ui", "--port", port, "--home", tmp_path)
    assert result.exit_code == 1
    assert f"127.0.0.1:{port}: another program listens there already" in result.stderr
    assert f"mr ui --port {port + 1}" in result.stderr


@pytest.mark.e2e
def test_webserver_and_daemon_start_on_the_home_and_stop_together(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "mr_platform.cli", "ui", "--port", str(port), "--json"]
    environment = {**os.environ, "MR_HOME": str(tmp_path)}
    with (tmp_path / "ui.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
        assert process.stdout is not None
        lines = []
        while not lines or lines[-1] != "}\n":
            line = process.stdout.readline()
            assert line, (tmp_path / "ui.log").read_text()
            lines.append(line)
        told = json.loads("".join(lines))
        with urllib.request.urlopen(f"{told['url']}/server_info", timeout=10) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        process.stdout.close()
    for pid in told["processes"].values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert (tmp_path / "dagster" / "dagster.yaml").is_file()
