"""A real webserver and a real daemon over one home, spoken to through GraphQL."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

from mr_platform.config.settings import load_settings
from mr_platform.orchestration.home_instance import open_instance

REPOSITORY = Path(__file__).resolve().parents[2]
LOCATION = {"repositoryLocationName": "mr_platform", "repositoryName": "__repository__"}
SENSOR = """query ($selector: SensorSelector!) { sensorOrError(sensorSelector: $selector) {
    ... on Sensor { id sensorState { id status
        ticks(limit: 1000) { status timestamp runIds } } } } }"""

Found = TypeVar("Found")


@dataclass(frozen=True)
class RunningDagster:
    """Where the webserver answers, and the home it serves."""

    home: Path
    port: int

    def ask(self, query: str, **variables: Any) -> Any:
        """Data of one GraphQL request; its errors are raised."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            data=json.dumps({"query": query, "variables": variables}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            document = json.load(answer)
        if document.get("errors"):
            raise AssertionError(document["errors"])
        return document["data"]

    def wait_for(self, what: str, look: Callable[[], Found | None], seconds: float = 420) -> Found:
        """What ``look`` finds, asked until it finds something; says what was missed."""
        end = time.monotonic() + seconds
        while True:
            found = look()
            if found is not None:
                return found
            if time.monotonic() >= end:
                raise AssertionError(f"{what} did not happen\n{self.logs()}")
            time.sleep(1)

    def sensor_state(self, sensor: str) -> dict[str, Any]:
        """Identity, status and ticks of a sensor."""
        state: dict[str, Any] = self.ask(SENSOR, selector={**LOCATION, "sensorName": sensor})[
            "sensorOrError"
        ]["sensorState"]
        return state

    def switch_sensor(self, sensor: str, *, on: bool) -> None:
        """Start or stop a sensor as the switch in the UI does."""
        if on:
            self.ask(
                """mutation ($selector: SensorSelector!) {
                startSensor(sensorSelector: $selector) { __typename } }""",
                selector={**LOCATION, "sensorName": sensor},
            )
        else:
            self.ask(
                "mutation ($id: String!) { stopSensor(id: $id) { __typename } }",
                id=self.sensor_state(sensor)["id"],
            )
        assert self.sensor_state(sensor)["status"] == ("RUNNING" if on else "STOPPED")

    def logs(self) -> str:
        """Last lines that the processes wrote."""
        return "\n".join(
            f"--- {path.name}\n" + "\n".join(path.read_text().splitlines()[-40:])
            for path in sorted(self.home.glob("*.log"))
        )


@contextmanager
def running_dagster(home: Path, sensors_off: Sequence[str] = ()) -> Iterator[RunningDagster]:
    """Webserver and daemon as processes on a free loopback port; stopped at the end.

    ``sensors_off`` are switched off before the daemon starts: one that is switched off later
    may have a tick under way, which still asks for runs of what it meets.
    """
    (home / "landing").mkdir(parents=True, exist_ok=True)
    settings = load_settings(home, environment={})
    # as `mr ui` does: two processes that make the tables of a new home together break it
    with patch.dict(os.environ), open_instance(settings):
        pass
    port = _free_port()
    workspace = ["-w", str(REPOSITORY / "workspace.yaml")]
    webserver = ["dagster_webserver", "-h", "127.0.0.1", "-p", str(port), *workspace]
    with ExitStack() as stack:
        stack.enter_context(_process(home, "webserver", webserver))
        server = RunningDagster(home, port)
        server.wait_for("the webserver loading the definitions", lambda: _loaded(server))
        for sensor in sensors_off:
            server.switch_sensor(sensor, on=False)
        stack.enter_context(_process(home, "daemon", ["dagster._daemon", "run", *workspace]))
        yield server


def _loaded(server: RunningDagster) -> bool | None:
    query = """query { workspaceOrError { ... on Workspace { locationEntries {
        locationOrLoadError { __typename ... on PythonError { message } } } } } }"""
    try:
        entries = server.ask(query)["workspaceOrError"]["locationEntries"]
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None
    loaded = [entry["locationOrLoadError"] for entry in entries]
    failed = [entry for entry in loaded if entry and entry["__typename"] == "PythonError"]
    assert not failed, failed
    return True if loaded and all(loaded) else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _process(home: Path, name: str, module: Sequence[str]) -> Iterator[None]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MR_")},
        "MR_HOME": str(home),
        "DAGSTER_HOME": str(home / "dagster"),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
    }
    with (home / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *module],
            cwd=home,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
