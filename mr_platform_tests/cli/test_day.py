from __future__ import annotations

from pathlib import Path

import pytest

from mr_platform_tests.cli.conftest import Run, document
from mr_platform_tests.pictures import picture_days as days


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("home")
    days.store(found, "c1", "c8")
    return found


def test_a_day_becomes_a_page_and_a_picture(run: Run, home: Path) -> None:
    result = run("day", "nifty", "2025-09-03", "--home", home)
    assert result.exit_code == 0, result.stderr
    assert "NIFTY · Wednesday 3 September 2025" in result.stdout
    picture = home / "pictures" / "NIFTY_2025-09-03.png"
    assert str(picture) in result.stdout
    assert days.size_of(picture.read_bytes())[0] == 1540
    text = picture.with_suffix(".html").read_text("utf-8")
    assert "http://" not in text
    assert "https://" not in text
    assert "c2_features holds no rows of the day" in result.stderr
    assert "mr materialize +c2_features --dates 2025-09-03 --symbols NIFTY" in result.stderr


def test_another_expiry_stands_beside_it_and_json_tells_the_paths(
    run: Run, home: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "folder"
    told = document(
        run("day", "NIFTY", "2025-09-03", "--expiry", "2025-09-30", "--out", out, "--home", home,
            "--json")
    )  # fmt: skip
    assert told["expiry"] == "2025-09-30"
    assert told["page"] == str(out / "NIFTY_2025-09-03_expiry_2025-09-30.html")
    assert Path(told["picture"]).read_bytes().startswith(days.SIGNATURE)
    assert {each["table"] for each in told["missing"]} == {f"c{n}_features" for n in range(2, 8)}
    assert told["gaps"] == []


def test_what_the_source_lacks_is_told(
    run: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "mr_platform.pictures.source_gaps.source_gaps", lambda day: (f"{day.symbol} lacks futures",)
    )
    # what is drawn of them is tested with the picture
    paths = (tmp_path / "page.html", tmp_path / "picture.png")
    monkeypatch.setattr("mr_platform.cli.day.write_day", lambda read, folder: paths)
    asked = ["day", "NIFTY", "2025-09-03", "--out", tmp_path, "--home", home]
    assert "NIFTY lacks futures" in run(*asked).stderr
    assert document(run(*asked, "--json"))["gaps"] == ["NIFTY lacks futures"]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["SENSEX", "2025-09-03"], 2, "known: NIFTY, BANKNIFTY"),
        (["NIFTY", "3 September"], 2, "write 2025-09-03"),
        (["NIFTY", "2025-08-15"], 1, "error: 2025-08-15: no trading on this day: exchange holiday"),
        (["NIFTY", "2025-09-06"], 1, "no trading on this day: weekend"),
        (["NIFTY", "2025-09-04"], 1, "minute_panel holds no rows of this day"),
        (["NIFTY", "2025-09-03", "--expiry", "2025-09-16"], 1, "2025-09-09, 2025-09-30"),
        (["NIFTY", "2017-01-02"], 1, "lies outside the trading calendar"),
    ],
)
def test_what_cannot_be_drawn_is_told_in_one_line(
    run: Run, home: Path, arguments: list[str], code: int, text: str
) -> None:
    result = run("day", *arguments, "--home", home)
    assert result.exit_code == code
    assert text in result.stderr
    if code == 1:
        assert len(result.stderr.strip().splitlines()) == 1
