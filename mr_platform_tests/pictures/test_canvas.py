from __future__ import annotations

import io

from matplotlib.figure import Figure
from PIL import Image

from mr_platform.pictures import style
from mr_platform.pictures.canvas import DPI, draw_png


def drawn(text: str) -> bytes:
    def draw(figure: Figure) -> None:
        figure.text(0.1, 0.5, text)

    return draw_png(3, 1, draw)


def test_a_png_has_the_size_asked_for_and_the_colours_of_the_house() -> None:
    image = Image.open(io.BytesIO(drawn("SENSEX")))
    assert image.size == (3 * DPI, DPI)
    assert image.mode == "P"
    assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert style.PAPER == "#ffffff"


def test_the_same_drawing_has_the_same_bytes() -> None:
    assert drawn("SL7%") == drawn("SL7%")
    assert drawn("SL7%") != drawn("SL8%")


def test_signs_of_a_formula_are_drawn_as_they_are() -> None:
    assert drawn("$x^{") != drawn("x")
