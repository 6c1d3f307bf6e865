from __future__ import annotations

from pathlib import Path

from mr_platform.registry.render import main, rendered_files, stale_files, write_files

REPOSITORY = Path(__file__).resolve().parents[2]


def test_rendered_files_in_the_repository_are_fresh():
    assert stale_files(REPOSITORY) == [], "run `python -m mr_platform.registry.render`"


def test_every_file_says_what_renders_it():
    for name, text in rendered_files().items():
        assert "python -m mr_platform.registry.render" in text.splitlines()[0], name


def test_check_finds_stale_missing_and_left_files_and_render_mends_them(tmp_path, capsys):
    assert main(["--root", str(tmp_path)]) == 0
    assert main(["--check", "--root", str(tmp_path)]) == 0
    (tmp_path / "ddl" / "c2_features.sql").write_text("-- edited", encoding="utf-8")
    (tmp_path / "ddl" / "c9_features.sql").write_text("-- left", encoding="utf-8")
    (tmp_path / "docs" / "features.md").unlink()
    capsys.readouterr()
    assert main(["--check", "--root", str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        "stale: ddl/c2_features.sql",
        "stale: docs/features.md",
        "stale: ddl/c9_features.sql",
    ]
    assert "python -m mr_platform.registry.render" in told.err
    assert set(write_files(tmp_path)) == {
        "ddl/c2_features.sql",
        "docs/features.md",
        "ddl/c9_features.sql",
    }
    assert stale_files(tmp_path) == []
    assert not (tmp_path / "ddl" / "c9_features.sql").exists()
