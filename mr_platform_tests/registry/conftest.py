"""A small declared folder that loads, for tests that change one thing in it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mr_platform.registry.loader import DECLARED

Edit = tuple[str, str, str]


@pytest.fixture
def declared_copy(tmp_path: Path) -> Callable[..., Path]:
    """Copies the declared folder and applies ``(file stem, old text, new text)`` edits."""

    def make(*edits: Edit) -> Path:
        folder = tmp_path / "declared"
        if not folder.exists():
            shutil.copytree(DECLARED, folder)
        for stem, old, new in edits:
            path = folder / f"{stem}.yaml"
            text = path.read_text(encoding="utf-8")
            assert re.search(re.escape(old), text), f"{old!r} is not in {stem}.yaml"
            path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return folder

    return make
