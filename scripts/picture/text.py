"""Words on a picture, in a font that has all their characters."""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

from scripts.plot import font_for

INK = 235  # of 255: the letters' brightness


def can_write(text: str) -> bool:
    """Whether some installed font has all the characters."""
    return font_for(text) is not None


def write(picture: np.ndarray, text: str, centre: int, bottom: int, pixels: int) -> None:
    """Write a line onto picture (H, W, 3) uint8, in place, around column `centre` and down to row `bottom`.

    pixels: the font's size. What does not fit into the width is cut with an ellipsis, what lies outside is left out.
    Nothing is written that can_write says no to.
    """
    font = _font(text, pixels) if text else None
    if font is None:
        return
    while font.getlength(text) > picture.shape[1] and len(text) > 1:
        text = f"{text.rstrip('…')[:-1]}…"
    cover = _cover(text, font)
    height, width = cover.shape
    top, left = bottom - height, centre - width // 2
    rows, columns = slice(max(top, 0), bottom), slice(max(left, 0), left + width)
    under = picture[rows, columns]
    cover = cover[max(-top, 0) :, max(-left, 0) :][: under.shape[0], : under.shape[1], None]
    picture[rows, columns] = np.round(under + (INK - under.astype(np.float32)) * cover)


def _cover(text: str, font: "FreeTypeFont") -> np.ndarray:
    """(height, width) float32: how much of each pixel the letters cover; lines of one font are of one height."""
    from PIL import Image, ImageDraw

    ascent, descent = font.getmetrics()
    image = Image.new("L", (int(np.ceil(font.getlength(text))) + 2, ascent + descent))
    ImageDraw.Draw(image).text((1, 0), text, fill=255, font=font)
    return np.asarray(image, np.float32) / 255


@lru_cache
def _font(text: str, pixels: int) -> "FreeTypeFont | None":
    from PIL import ImageFont

    found = font_for(text)
    return None if found is None else ImageFont.truetype(str(found.get_file()), pixels)
