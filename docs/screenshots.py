"""Takes the README's pictures from the running UI: ``make screenshots``.

Simulates a month of both symbols in a home of its own, runs the graph over them, starts
``mr ui``, and drives a headless Chromium over the DevTools protocol. Needs ``chromium``,
``chromium-browser`` or ``google-chrome`` on PATH; without one it says so and takes no picture.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from mr_platform.trading_calendar import PartitionKey, trading_days

IMAGES = Path(__file__).parent / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
WIDTH, HEIGHT = 1440, 860
MOST_BYTES = 400_000
# three runs of at most 20 partitions, two at a time: the picture shows done and running ones
FIRST, LAST = "2024-01-01", "2024-02-02"
SYMBOLS = ("NIFTY", "BANKNIFTY")
SHOWN_PARTITION = "2024-01-18%7CNIFTY"
ASSETS = ("landed_files", "option_chain", "quarantined_rows", "load_audit")
START_SECONDS = 300
PAGE_SECONDS = 60

LAUNCH_BACKFILL = """
mutation ($parameters: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $parameters) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
BACKFILL_STATUS = """
query ($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    ... on PartitionBackfill {
      status
      assetBackfillData {
        assetBackfillStatuses {
          ... on AssetPartitionsStatusCounts {
            numPartitionsMaterialized numPartitionsInProgress numPartitionsTargeted
          }
        }
      }
    }
  }
}
"""


class Browser:
    """One page of a headless Chromium."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a DevTools command and wait for its answer."""
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._connection.recv(timeout=PAGE_SECONDS))
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                answer: dict[str, Any] = message["result"]
                return answer

    def evaluate(self, script: str) -> Any:
        """Value of a JavaScript expression in the page."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"]
        return result.get("value")

    def open(self, address: str, *texts: str) -> None:
        """Open an address and wait until the page shows all the texts."""
        self.call("Page.navigate", url=address)
        self.wait_for(*texts)

    def wait_for(self, *texts: str) -> None:
        """Wait until the page shows all the texts."""
        deadline = time.monotonic() + PAGE_SECONDS
        while time.monotonic() < deadline:
            shown = self.evaluate("document.body ? document.body.innerText : ''") or ""
            if all(text.lower() in shown.lower() for text in texts):
                return
            time.sleep(0.3)
        raise SystemExit(f"the page never showed {texts}; it showed:\n{shown[:2000]}")

    def take(self, name: str, settle: float = 2.0) -> None:
        """Write the page as a picture, once it stands still."""
        time.sleep(settle)
        picture = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        if len(picture) > MOST_BYTES:
            raise SystemExit(f"{name}.png has {len(picture):,} bytes, more than {MOST_BYTES:,}")
        IMAGES.mkdir(parents=True, exist_ok=True)
        (IMAGES / f"{name}.png").write_bytes(picture)
        print(f"docs/images/{name}.png: {len(picture):,} bytes")


def main() -> None:
    """Take every picture."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print(f"no browser was found on PATH ({', '.join(BROWSERS)}): no picture was taken")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = folder / "home"
        make_data(home, folder / "files")
        with running_ui(home) as address, open_browser(browser, folder / "profile") as page:
            take_pictures(page, address)


def make_data(home: Path, files: Path) -> None:
    """Simulate days and run the graph over them."""
    dates = f"{FIRST}:{LAST}"
    symbols = ",".join(SYMBOLS)
    command("simulate", "--symbols", symbols, "--dates", dates, "--seed", "7", "--out", str(files))
    command("ingest", str(files), "--home", str(home))


def command(*arguments: str) -> None:
    """Run an ``mr`` command."""
    subprocess.run([sys.executable, "-m", "mr_platform.cli", *arguments], check=True)


def take_pictures(page: Browser, address: str) -> None:
    """The asset graph, an asset's partitions, its checks, a running backfill."""
    page.call(
        "Emulation.setDeviceMetricsOverride",
        width=WIDTH,
        height=HEIGHT,
        deviceScaleFactor=1,
        mobile=False,
    )
    page.open(f"{address}/asset-groups", *ASSETS)
    page.take("asset_graph", settle=4)
    page.open(
        f"{address}/assets/option_chain?view=partitions&partition={SHOWN_PARTITION}",
        "NIFTY",
        "BANKNIFTY",
        "partition_row_count",
    )
    page.take("partitions", settle=4)
    page.open(
        f"{address}/assets/option_chain?view=checks&checkDetail=rows_are_conserved",
        "rows_are_conserved",
    )
    page.take("checks", settle=4)
    backfill = launch_backfill(address)
    wait_until_half_done(address, backfill)
    page.open(f"{address}/runs/b/{backfill}", backfill, *ASSETS)
    page.take("backfill", settle=3)


def launch_backfill(address: str) -> str:
    """Start a backfill of all simulated days, as the UI's button does."""
    first, last = dt.date.fromisoformat(FIRST), dt.date.fromisoformat(LAST)
    keys = [PartitionKey(day, name) for day in trading_days(first, last) for name in SYMBOLS]
    answer = ask(
        address,
        LAUNCH_BACKFILL,
        {
            "parameters": {
                "assetSelection": [{"path": [name]} for name in ASSETS],
                "partitionNames": [str(key) for key in keys],
                "title": "January 2024 again",
            }
        },
    )["launchPartitionBackfill"]
    if answer["__typename"] != "LaunchBackfillSuccess":
        raise SystemExit(f"the backfill was refused: {answer}")
    return str(answer["backfillId"])


def wait_until_half_done(address: str, backfill: str) -> None:
    """Wait until the backfill tells some partitions as done and others as running."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        found = ask(address, BACKFILL_STATUS, {"id": backfill})["partitionBackfillOrError"]
        counts = (found["assetBackfillData"] or {}).get("assetBackfillStatuses", [])
        if any(
            0 < count["numPartitionsMaterialized"] < count["numPartitionsTargeted"]
            and count["numPartitionsInProgress"]
            for count in counts
        ):
            return
        if found["status"] != "REQUESTED":
            raise SystemExit(f"the backfill was {found['status']} before it was half done")
        time.sleep(0.5)
    raise SystemExit(f"backfill {backfill} was not half done within {START_SECONDS} s")


def ask(address: str, query: str, variables: dict[str, Any]) -> dict[str, Any]:
    """Ask the webserver's GraphQL."""
    request = urllib.request.Request(
        f"{address}/graphql",
        json.dumps({"query": query, "variables": variables}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=PAGE_SECONDS) as response:
        answer = json.load(response)
    if answer.get("errors"):
        raise SystemExit(f"GraphQL refused: {answer['errors'][0]['message']}")
    data: dict[str, Any] = answer["data"]
    return data


@contextlib.contextmanager
def running_ui(home: Path) -> Iterator[str]:
    """``mr ui`` on a free port, stopped afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    ui = subprocess.Popen(
        [sys.executable, "-m", "mr_platform.cli", "ui", "--home", str(home), "--port", str(port)],
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not answers(f"{address}/server_info"):
            if ui.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("the UI did not start; see `mr ui`")
            time.sleep(0.5)
        yield address
    finally:
        ui.send_signal(signal.SIGINT)
        ui.wait(timeout=60)


@contextlib.contextmanager
def open_browser(program: str, profile: Path) -> Iterator[Browser]:
    """A headless browser with a fresh profile, stopped afterwards."""
    process = subprocess.Popen(
        [program, *BROWSER_FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        port_file = profile / "DevToolsActivePort"
        deadline = time.monotonic() + PAGE_SECONDS
        while not (port_file.is_file() and port_file.read_text("utf-8").strip()):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{program} did not start")
            time.sleep(0.2)
        port = port_file.read_text("utf-8").splitlines()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as response:
            [target] = [found for found in json.load(response) if found["type"] == "page"]
        with connect(target["webSocketDebuggerUrl"], max_size=None) as connection:
            yield Browser(connection)
    finally:
        process.terminate()
        process.wait(timeout=20)


def answers(address: str) -> bool:
    """Whether something answers there."""
    try:
        with urllib.request.urlopen(address, timeout=2):
            return True
    except OSError:
        return False


if __name__ == "__main__":
    main()
