from __future__ import annotations

import base64
import re
from pathlib import Path

import dagster as dg
import pytest

import mr_platform.orchestration.day_pictures as module
from mr_platform.orchestration.day_pictures import picture_metadata
from mr_platform_tests.pictures import picture_days as days


def test_the_picture_travels_inside_the_event(tmp_path: Path) -> None:
    tables = days.store(tmp_path, "c1")
    told = picture_metadata(tables, days.KEY, {"c8_features": days.features("c8")})
    assert isinstance(told, dg.MarkdownMetadataValue)
    text = told.md_str or ""
    found = re.search(r"!\[[^\]]+\]\(data:image/png;base64,([^)]+)\)", text)
    assert found
    assert days.size_of(base64.b64decode(found[1]))[0] == 840
    assert len(text) < 121_000
    assert "c8_features" not in text
    assert "Missing: c2_features" in text
    assert "mr day NIFTY 2025-09-03" in text


def test_a_fault_becomes_a_text(tmp_path: Path) -> None:
    told = picture_metadata(days.lakehouse(tmp_path), days.KEY)
    assert told.md_str is not None
    assert told.md_str.startswith("No picture of 2025-09-03|NIFTY: MissingInputError")


def test_a_fault_of_drawing_becomes_a_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(day: object) -> bytes:
        raise RuntimeError("no\nfont")

    monkeypatch.setattr(module, "event_png", broken)
    told = picture_metadata(days.store(tmp_path), days.KEY)
    assert told.md_str == "No picture of 2025-09-03|NIFTY: RuntimeError: no font"


def test_a_picture_that_stays_too_large_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "event_png", lambda day: bytes(200_000))
    told = picture_metadata(days.store(tmp_path), days.KEY)
    assert told.md_str is not None
    assert "200,000 bytes is too large" in told.md_str
    assert len(told.md_str) < 2_000
