"""Telling people: one small protocol, a log and a webhook behind it.

Here: delivery of a notification, and whether it arrived.
Not here: what is worth telling (``orchestration/automation.py``).

Telling must never fail what it tells about: a notifier returns what became of the delivery and
raises nothing for a network or a disk.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import urlsplit

from mr_platform.config.settings import Settings
from mr_platform.errors import SettingsError

_LOG = logging.getLogger(__name__)

Severity = Literal["info", "warning", "error"]
_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


@dataclass(frozen=True)
class Notification:
    """Something a person should know.

    Attributes:
        severity: ``info``, ``warning`` or ``error``.
        title: One line.
        body: The rest, in sentences; may be empty.
        context: Facts to find the place: run, partition, table.
    """

    severity: Severity
    title: str
    body: str = ""
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Delivery:
    """What became of a notification at one place.

    Attributes:
        channel: Where it was sent.
        delivered: Whether it arrived.
        detail: Why it did not, else None.
    """

    channel: str
    delivered: bool
    detail: str | None = None


class Notifier(Protocol):
    """Whoever can tell people."""

    def notify(self, notification: Notification) -> list[Delivery]:
        """Deliver; never raises for a fault of the channel."""
        ...


class LogNotifier:
    """Appends JSON lines to a file and writes to the program's log.

    Args:
        path: The file; its folder is created by the first notification.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    def notify(self, notification: Notification) -> list[Delivery]:
        """Append one line and log one record."""
        _LOG.log(
            _LEVELS[notification.severity],
            "%s%s",
            notification.title,
            f": {notification.body}" if notification.body else "",
        )
        line = json.dumps(_document(notification), ensure_ascii=False) + "\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # One write of one line in append mode: lines of several processes don't mix.
            with self.path.open("ab", buffering=0) as out:
                out.write(_bytes(line))
        except OSError as failed:
            _LOG.error("notification could not be written to %s: %s", self.path, failed)
            return [Delivery(str(self.path), False, str(failed))]
        return [Delivery(str(self.path), True)]


class WebhookNotifier:
    """Posts notifications as JSON to an address; chat services take the ``text`` field.

    Args:
        url: ``http`` or ``https`` address.
        timeout_s: Longest wait for one answer.
        attempts: How often delivery is tried when the service fails or is busy.
        pause_s: Pause before the second attempt; doubled before each further one.

    Raises:
        SettingsError: The address is no web address.
    """

    def __init__(
        self, url: str, timeout_s: float = 5.0, *, attempts: int = 3, pause_s: float = 0.5
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingsError(
                "the webhook address is no http or https address",
                place="notifications.webhook_url",
                next_step="Write it as https://host/path",
            )
        self.url = url
        self.timeout_s = timeout_s
        # The path of a webhook is its password: messages name the host only.
        self.channel = f"webhook {parts.hostname}"
        self._attempts = attempts
        self._pause = pause_s

    def notify(self, notification: Notification) -> list[Delivery]:
        """Post, trying again while the fault may pass."""
        document = _document(notification)
        document["text"] = f"[{notification.severity}] {notification.title}\n{notification.body}"
        body = _bytes(json.dumps(document, ensure_ascii=False))
        detail = ""
        for number in range(1, self._attempts + 1):
            fault, passing = self._post(body)
            if fault is None:
                return [Delivery(self.channel, True)]
            detail = f"{fault} (attempt {number})"
            if not passing:
                break
            if number < self._attempts:
                time.sleep(self._pause * 2 ** (number - 1))
        _LOG.error("notification not delivered by %s: %s", self.channel, detail)
        return [Delivery(self.channel, False, detail)]

    def _post(self, body: bytes) -> tuple[str | None, bool]:
        """Fault of one attempt, None when delivered, and whether the fault may pass."""
        request = urllib.request.Request(
            self.url,
            data=body,
            headers={"Content-Type": "application/json; charset=utf-8"},
            method="POST",
        )
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s):
                return None, False
        except urllib.error.HTTPError as refused:
            with refused:
                return f"answer {refused.code}", refused.code >= 500 or refused.code in (408, 429)
        except (OSError, HTTPException) as failed:
            reason = getattr(failed, "reason", None) or failed
            return f"{type(failed).__name__}: {reason}", True


class CompositeNotifier:
    """Hands each notification to several notifiers; none can keep it from the others."""

    def __init__(self, notifiers: Sequence[Notifier]) -> None:
        self.notifiers = tuple(notifiers)

    def notify(self, notification: Notification) -> list[Delivery]:
        """Deliver everywhere; the deliveries in order."""
        return [
            delivery for notifier in self.notifiers for delivery in notifier.notify(notification)
        ]


def build_notifier(settings: Settings) -> Notifier:
    """The notifiers that the settings name: always the log, the webhook where one is set.

    Raises:
        SettingsError: The webhook address is no web address.
    """
    notifiers: list[Notifier] = [LogNotifier(settings.notifications_log)]
    if settings.notifications.webhook_url:
        notifiers.append(
            WebhookNotifier(
                settings.notifications.webhook_url, settings.notifications.webhook_timeout_seconds
            )
        )
    return CompositeNotifier(notifiers)


def _document(notification: Notification) -> dict[str, object]:
    return {
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        **asdict(notification),
        "context": dict(notification.context),
    }


def _bytes(text: str) -> bytes:
    """UTF-8; what it cannot hold (half a file name in another encoding) as a JSON escape."""
    return text.encode("utf-8", "backslashreplace")
