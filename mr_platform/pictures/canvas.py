"""From a drawn figure to the bytes of a PNG, in the colours and type of the house.

Here: the settings under which a picture is drawn, the colours that a PNG holds.
Not here: what is drawn (the ``*_plots.py`` modules), colours and marks (``style.py``).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mr_platform.pictures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 110


def draw_png(
    width: float, height: float, draw: Callable[[Figure], None], *, dpi: int = DPI
) -> bytes:
    """PNG of a figure; the same drawing gives the same bytes.

    Args:
        width: In inches.
        height: In inches.
        draw: Draws into the empty figure.
        dpi: Dots an inch.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    # the defaults first: a reader's own matplotlibrc changes no picture
    parameters: Any = {**matplotlib.rcParamsDefault, **style.PARAMETERS}
    parameters.pop("backend")
    # a name of a strategy is no formula, whatever signs it holds
    parameters["text.parse_math"] = False
    with matplotlib.rc_context(parameters):
        figure = Figure(figsize=(width, height), dpi=dpi)
        canvas = FigureCanvasAgg(figure)
        draw(figure)
        canvas.draw()  # type: ignore[no-untyped-call]
        across, down = canvas.get_width_height()
        drawn = bytes(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    image = Image.frombytes("RGBA", (across, down), drawn).convert("RGB")
    wanted = Image.new("P", (1, 1))
    wanted.putpalette(style.palette())
    written = io.BytesIO()
    image.quantize(palette=wanted, dither=Image.Dither.NONE).save(written, "PNG", optimize=True)
    return written.getvalue()
