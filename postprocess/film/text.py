"""Words on a picture, in a font that has all their characters."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.ImageFont import FreeTypeFont

from config.look import font_for

INK = 235  # of 255: the letters' brightness
OUTLINE, SHADE = 2, 0.5  # pixels around the letters that are darkened, and by how much, so that they stand out on skin


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
    letters, outline = (_cover(text, font, stroke) for stroke in (0, OUTLINE))
    height, width = letters.shape
    top, left = bottom - height, centre - width // 2
    rows, columns = slice(max(top, 0), bottom), slice(max(left, 0), left + width)
    under = picture[rows, columns].astype(np.float32)
    for cover, ink, strength in ((outline, 0, SHADE), (letters, INK, 1.0)):
        cover = cover[max(-top, 0) :, max(-left, 0) :][: under.shape[0], : under.shape[1], None]
        under += (ink - under) * cover * strength
    picture[rows, columns] = np.round(under)


def _cover(text: str, font: FreeTypeFont, stroke: int) -> np.ndarray:
    """(height, width) float32: how much of each pixel the letters cover, or an outline of `stroke` pixels and they."""
    ascent, descent = font.getmetrics()
    image = Image.new("L", (int(np.ceil(font.getlength(text))) + 2 * OUTLINE, ascent + descent))
    ImageDraw.Draw(image).text((OUTLINE, 0), text, fill=255, font=font, stroke_width=stroke, anchor="la")
    return np.asarray(image, np.float32) / 255


@lru_cache
def _font(text: str, pixels: int) -> FreeTypeFont | None:
    found = font_for(text)
    return None if found is None else ImageFont.truetype(str(found.get_file()), pixels)
