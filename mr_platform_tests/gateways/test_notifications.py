from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mr_platform.config.settings import load_settings
from mr_platform.errors import SettingsError
from mr_platform.gateways.notifications import (
    CompositeNotifier,
    Delivery,
    LogNotifier,
    Notification,
    WebhookNotifier,
    build_notifier,
)

OVERDUE = Notification(
    "warning",
    "option_chain is overdue",
    "No rows für 2025-08-29.",
    {"partition": "2025-08-29|NIFTY"},
)


class Hook:
    """A web server on this machine that answers as told and keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.received: list[dict[str, object]] = []
        self.delay = 0.0
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Content-Type"] == "application/json; charset=utf-8"
                hook.received.append(json.loads(body))
                time.sleep(hook.delay)
                answer = hook.answers.pop(0) if hook.answers else 200
                self.send_response(answer)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/secret"


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def test_the_log_gets_one_json_line_for_each_notification(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "home" / "notifications.jsonl"
    notifier = LogNotifier(path)

    with caplog.at_level(logging.INFO):
        delivered = notifier.notify(OVERDUE) + notifier.notify(Notification("info", "all well"))

    assert delivered == [Delivery(str(path), True)] * 2
    first, second = (json.loads(line) for line in path.read_text("utf-8").splitlines())
    assert first.pop("at").endswith("+00:00")
    assert first == {
        "severity": "warning",
        "title": "option_chain is overdue",
        "body": "No rows für 2025-08-29.",
        "context": {"partition": "2025-08-29|NIFTY"},
    }
    assert second["title"] == "all well"
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert caplog.messages[0] == "option_chain is overdue: No rows für 2025-08-29."


def test_a_log_that_cannot_be_written_fails_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")

    [delivery] = LogNotifier(tmp_path / "file" / "notifications.jsonl").notify(OVERDUE)

    assert not delivery.delivered
    assert "could not be written" in caplog.text


def test_the_webhook_gets_the_facts_and_a_text(hook: Hook) -> None:
    [delivery] = WebhookNotifier(hook.url).notify(OVERDUE)

    assert delivery == Delivery("webhook 127.0.0.1", True)
    [received] = hook.received
    assert received["title"] == "option_chain is overdue"
    assert received["context"] == {"partition": "2025-08-29|NIFTY"}
    assert received["text"] == "[warning] option_chain is overdue\nNo rows für 2025-08-29."


def test_a_passing_fault_of_the_service_is_tried_again(hook: Hook) -> None:
    hook.answers = [503, 429]

    [delivery] = WebhookNotifier(hook.url, pause_s=0).notify(OVERDUE)

    assert delivery.delivered
    assert len(hook.received) == 3


def test_a_refusal_is_not_tried_again_and_fails_nobody(
    hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    hook.answers = [404]

    [delivery] = WebhookNotifier(hook.url, pause_s=0).notify(OVERDUE)

    assert delivery == Delivery("webhook 127.0.0.1", False, "answer 404 (attempt 1)")
    assert len(hook.received) == 1
    assert "not delivered by webhook 127.0.0.1: answer 404" in caplog.text
    assert "secret" not in caplog.text


def test_a_service_that_stays_broken_is_given_up(hook: Hook) -> None:
    hook.answers = [500] * 9

    [delivery] = WebhookNotifier(hook.url, attempts=3, pause_s=0).notify(OVERDUE)

    assert delivery.detail == "answer 500 (attempt 3)"
    assert len(hook.received) == 3


def test_a_service_that_does_not_answer_in_time_is_given_up(hook: Hook) -> None:
    hook.delay = 0.5

    [delivery] = WebhookNotifier(hook.url, 0.05, attempts=1).notify(OVERDUE)

    assert not delivery.delivered
    assert "timed out" in str(delivery.detail)


def test_a_service_that_is_not_there_fails_nobody(hook: Hook) -> None:
    port = hook.server.server_port
    hook.server.socket.close()

    [delivery] = WebhookNotifier(f"http://127.0.0.1:{port}/x", attempts=2, pause_s=0).notify(
        OVERDUE
    )

    assert not delivery.delivered
    assert "(attempt 2)" in str(delivery.detail)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x", "host/path", "https://"])
def test_an_address_that_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="no http or https address"):
        WebhookNotifier(url)


def test_a_composite_tells_everybody_even_when_one_fails(hook: Hook, tmp_path: Path) -> None:
    hook.answers = [404]
    log = tmp_path / "log.jsonl"

    deliveries = CompositeNotifier([WebhookNotifier(hook.url), LogNotifier(log)]).notify(OVERDUE)

    assert [delivery.delivered for delivery in deliveries] == [False, True]
    assert len(log.read_text().splitlines()) == 1


def test_the_settings_choose_the_notifiers(hook: Hook, tmp_path: Path) -> None:
    plain = load_settings(tmp_path, environment={})
    hooked = load_settings(tmp_path, environment={"MR_WEBHOOK_URL": hook.url})

    assert len(build_notifier(plain).notify(OVERDUE)) == 1
    assert [delivery.delivered for delivery in build_notifier(hooked).notify(OVERDUE)] == [True] * 2

    assert len(hook.received) == 1
    assert len((tmp_path / "notifications.jsonl").read_text().splitlines()) == 2


def test_a_file_name_in_another_encoding_is_told_and_raises_nothing(tmp_path: Path) -> None:
    log = tmp_path / "notifications.jsonl"
    name = b"caf\xe9.csv".decode("utf-8", "surrogateescape")

    [delivery] = LogNotifier(log).notify(Notification("error", "refused", context={"file": name}))

    assert delivery.delivered
    assert json.loads(log.read_text())["context"] == {"file": name}
