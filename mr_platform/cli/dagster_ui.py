"""``mr ui``: Dagster's webserver and daemon on one home, stopped together.

Here: starting, watching and stopping the two processes.
Not here: what they show (``definitions.py``), the home's dagster.yaml (``home_instance.py``).
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

import click

from mr_platform.cli.terminal import Terminal, example, with_terminal

DEFINITIONS = "mr_platform.definitions"
_START_SECONDS = 120.0
_STOP_SECONDS = 15.0


@dataclass
class _Service:
    name: str
    process: subprocess.Popen[bytes]


@click.command(epilog=example("mr ui", "mr ui --port 3100 --home /data/regime"))
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@with_terminal
def ui(terminal: Terminal, port: int, host: str) -> None:
    """Start the Dagster webserver and daemon on this home; Ctrl-C stops both."""
    from mr_platform.errors import PlatformError
    from mr_platform.orchestration.home_instance import open_instance

    if not _is_free(host, port):
        raise PlatformError(
            "another program listens there already",
            place=f"{host}:{port}",
            next_step=f"Choose another port: mr ui --port {port + 1}",
        )
    settings = terminal.settings
    # opened once before the two start: both would make the tables of a new home at a time
    with open_instance(settings):
        folder = settings.dagster_home
    settings.landing_dir.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "MR_HOME": str(settings.home), "DAGSTER_HOME": str(folder)}
    workspace = ["-m", DEFINITIONS]
    commands = {
        "webserver": ["dagster_webserver", "-h", host, "-p", str(port), *workspace],
        "daemon": ["dagster._daemon", "run", *workspace],
    }
    services: list[_Service] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupted)
    try:
        for name, command in commands.items():
            services.append(_Service(name, _started(command, environment, str(folder))))
        url = f"http://{host}:{port}"
        _wait_until_up(services, url)
        terminal.result(
            {"url": url, "processes": {s.name: s.process.pid for s in services}},
            f"Dagster is up: {url}\nhome {settings.home}; drop files into "
            f"{settings.landing_dir}\nCtrl-C stops webserver and daemon",
        )
        sys.stdout.flush()
        _watch(services)
    finally:
        _stop(services)


def _interrupted(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _started(
    command: Sequence[str], environment: dict[str, str], folder: str
) -> subprocess.Popen[bytes]:
    # a session of its own, so that the code servers it starts can be stopped with it
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        env=environment,
        cwd=folder,
        stdout=sys.stderr.fileno(),
        stderr=sys.stderr.fileno(),
        start_new_session=True,
    )


def _wait_until_up(services: Sequence[_Service], url: str) -> None:
    from mr_platform.errors import PlatformError

    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        _require_alive(services)
        try:
            with urllib.request.urlopen(f"{url}/server_info", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise PlatformError(
        f"the webserver did not answer within {_START_SECONDS:.0f} s",
        place=url,
        next_step="Read its messages above",
    )


def _watch(services: Sequence[_Service]) -> None:
    while True:
        _require_alive(services)
        time.sleep(0.5)


def _require_alive(services: Sequence[_Service]) -> None:
    from mr_platform.errors import PlatformError

    for service in services:
        code = service.process.poll()
        if code is not None:
            raise PlatformError(
                f"stopped by itself with exit code {code}",
                place=f"Dagster {service.name}",
                next_step="Read its messages above; both processes are stopped",
            )


def _stop(services: Sequence[_Service]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        alive = [service for service in services if service.process.poll() is None]
        for service in alive:
            os.killpg(service.process.pid, number)
        deadline = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < deadline and any(s.process.poll() is None for s in alive):
            time.sleep(0.1)
