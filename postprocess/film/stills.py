"""Pictures that stand still, or nearly: contact sheets as png, short loops as gif."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from postprocess.film.text import write

SHEET_ASPECT = 16 / 9
PAPER = (24, 27, 32)  # sRGB
GAP, CAPTION = 4, 26  # pixels: between tiles, and below one for its caption
CAPTION_PIXELS = 16
GIF_COLOURS, PALETTE_ROUNDS = 256, 3


def contact_sheet(tiles: Sequence[np.ndarray], captions: Sequence[str]) -> np.ndarray:
    """Pictures of one size (H, W, 3) uint8 in rows, each above its caption → (height, width, 3) uint8."""
    height, width = tiles[0].shape[0] + CAPTION + GAP, tiles[0].shape[1] + GAP
    columns = _columns(len(tiles), height, width)
    rows = -(-len(tiles) // columns)
    sheet = np.full((rows * height + GAP, columns * width + GAP, 3), PAPER, np.uint8)
    for number, (tile, caption) in enumerate(zip(tiles, captions, strict=True)):
        top, left = GAP + number // columns * height, GAP + number % columns * width
        cell = sheet[top : top + height - GAP, left : left + width - GAP]
        cell[: len(tile)] = tile
        write(cell, caption, cell.shape[1] // 2, len(cell) - 3, CAPTION_PIXELS)
    return sheet


def _columns(count: int, height: int, width: int) -> int:
    """That make the sheet most like a screen, full rows first."""

    def misfit(columns: int) -> tuple[float, int]:
        rows = -(-count // columns)
        aspect = columns * width / (rows * height)
        return abs(np.log(aspect / SHEET_ASPECT)) + (rows * columns - count) / count, columns

    return min(range(1, count + 1), key=misfit)


def write_png(path: Path, picture: np.ndarray) -> None:
    """picture: (height, width, 3) uint8, sRGB."""
    Image.fromarray(picture).save(path, format="png", optimize=True)


def write_gif(path: Path, pictures: Iterable[np.ndarray], fps: float, sample: Sequence[np.ndarray]) -> None:
    """A loop of pictures (height, width, 3) uint8, in the colours that a sample of them needs.

    fps: such that a frame lasts whole hundredths of a second. Without dithering, which would flicker and grow the file
    fourfold. Pillow holds all pictures until they are written, a byte a pixel.
    """
    palette = Image.fromarray(np.hstack(sample)).quantize(GIF_COLOURS, Image.Quantize.MEDIANCUT, PALETTE_ROUNDS)
    indexed = (Image.fromarray(p).quantize(palette=palette, dither=Image.Dither.NONE) for p in pictures)
    next(indexed).save(
        path, format="gif", save_all=True, append_images=indexed, duration=round(1000 / fps), loop=0, optimize=True
    )
