"""Fixtures shared by every room."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real data: ``$MR_TEST_DATA``, else ``shared/data`` beside the repository.

    Skips where neither exists; where the variable is set, a missing folder is a failure.
    """
    named = os.environ.get("MR_TEST_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if (folder / "options" / "chain").is_dir():
        return folder
    if named:
        pytest.fail(f"MR_TEST_DATA names {folder}, which holds no options/chain folder")
    pytest.skip("no real data: set MR_TEST_DATA to the folder that holds options/chain")
