"""``mr home``: where this home keeps its files, and the settings it runs with.

Here: resolved paths, settings as values.
Not here: changing settings (``config/settings.yaml``, environment).
"""

from __future__ import annotations

from typing import Any

import click

from mr_platform.cli.terminal import Terminal, example, table, with_terminal


@click.command(epilog=example("mr home", "mr home --home /data/regime --json"))
@with_terminal
def home(terminal: Terminal) -> None:
    """Print the resolved paths and settings of this home."""
    settings = terminal.settings
    places = {
        "home": settings.home,
        "landing": settings.landing_dir,
        "lakehouse": settings.lakehouse_root,
        "dagster": settings.dagster_home,
        "landing_catalogue": settings.landing_catalogue,
        "pictures": settings.pictures_dir,
        "portfolio_reports": settings.portfolio_reports_dir,
        "notifications": settings.notifications_log,
    }
    values = settings.model_dump(mode="json", exclude={"home", "profile"})
    rows = [(name, path, "yes" if path.exists() else "not yet") for name, path in places.items()]
    lines = [
        f"profile {settings.profile}",
        "",
        table(["what", "where", "exists"], rows),
        "",
        table(
            ["setting", "value"],
            [
                (f"{group}.{name}", _short(value))
                for group, entries in values.items()
                for name, value in _one_level(group, entries).items()
            ],
        ),
    ]
    terminal.result(
        {
            "profile": settings.profile,
            "paths": {name: str(path) for name, path in places.items()},
            "settings": values,
        },
        "\n".join(lines),
    )


def _one_level(group: str, entries: dict[str, Any]) -> dict[str, Any]:
    """Settings of a group; those of portfolios have groups of their own."""
    if group != "portfolio":
        return entries
    flat: dict[str, Any] = {}
    for name, value in entries.items():
        inner = value if isinstance(value, dict) else None
        flat |= {f"{name}.{key}": one for key, one in inner.items()} if inner else {name: value}
    return flat


def _short(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_short(entry)}" for key, entry in value.items()) or "none"
    if isinstance(value, list) and value and isinstance(value[-1], dict):
        # values that hold from a date: the latest
        return f"{value[-1]['value']:g} since {value[-1]['start']}"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
