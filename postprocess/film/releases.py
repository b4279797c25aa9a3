"""The files that show a head: a movie, a contact sheet, a loop, and a sheet of its blendshapes.

Each function draws and writes one of them, whole or not at all, and returns the line that tells of it. Sizes are the
pixels of a head's side.
"""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from config.errors import UserError
from config.files import written_whole
from dataset.transcript import Word
from postprocess.face.mesh import Head
from postprocess.film.film import Film
from postprocess.film.footage import Footage
from postprocess.film.performance import Performance
from postprocess.film.scene import Scene
from postprocess.film.stills import contact_sheet, write_gif, write_png
from postprocess.film.text import can_write
from postprocess.film.video import in_order, write_mp4

WITH = {"MouthClose": ("JawOpen",)}  # Apple: closes the lips whatever the jaw does; on a closed jaw it shows nothing
PORTRAIT = 0.8  # of a head's square that stills keep from left to right
GIF_FPS = 12.5  # a gif's frames last whole hundredths of a second
SAMPLED = 6  # of its frames, or a few more, for its colours
MOST_LOOP_PIXELS = 1_000_000_000  # of all its frames, each a byte of memory: 13 minutes at the usual size
STILLS = 12


def write_movie(path: Path, footage: Footage, size: int) -> str:
    """The mp4, with the sound where there is one."""
    film = footage.film(size + size % 2, footage.fps)  # yuv420p has one colour for two pixels
    began = time.perf_counter()
    with written_whole(path) as partial:
        write_mp4(partial, drawn(film, range(len(film))), film.size, footage.fps, footage.sound())
    rate = len(film) / (time.perf_counter() - began)
    with_sound = "" if footage.sound_file is None else f" with {footage.sound_file}"
    height, width = film.size
    return (
        f"{path}: {len(film)} frames of {width}×{height} at {footage.fps:g} fps, {len(film) / footage.fps:.2f} s"
        f"{with_sound}; drawn and encoded at {rate:.0f} frames a second"
    )


def write_sheet(path: Path, footage: Footage, size: int, times_s: Sequence[float] = ()) -> str:
    """The contact sheet, each moment above its time and what is being said.

    times_s: the moments, of the footage; none: STILLS of them, evenly spread.
    """
    fps, film = footage.fps, footage.film(size, footage.fps, PORTRAIT)
    times_s = times_s or [(i + 0.5) / STILLS * footage.seconds for i in range(STILLS)]
    frames = [min(round(time_s * fps), len(film) - 1) for time_s in times_s]
    words = footage.words if can_write("".join(word.text for word in footage.words)) else ()
    captions = [f"{frame / fps:.2f} s  {spoken(words, frame / fps)}".rstrip() for frame in frames]
    with written_whole(path) as partial:
        write_png(partial, contact_sheet(list(drawn(film, frames)), captions))
    unwritten = footage.words and not words
    lacks = "; without the tokens, for no installed font has all their characters" if unwritten else ""
    return f"{path}: {len(frames)} moments of {footage.seconds:.2f} s{lacks}"


def write_loop(path: Path, footage: Footage, size: int) -> str:
    """The gif, without sound, at GIF_FPS. Raises UserError for one of more than MOST_LOOP_PIXELS."""
    film = footage.film(size, GIF_FPS, PORTRAIT)
    height, width = film.size
    if len(film) * height * width > MOST_LOOP_PIXELS:
        longest = MOST_LOOP_PIXELS / (height * width) / GIF_FPS
        raise UserError(
            f"--gif {path}: {footage.seconds:.0f} s, but at this size a loop has at most {longest:.0f} s; "
            "write a movie with --out, or make it smaller by --size"
        )
    sample = [film.picture(number) for number in range(0, len(film), max(1, len(film) // SAMPLED))]
    with written_whole(path) as partial:
        write_gif(partial, drawn(film, range(len(film))), GIF_FPS, sample)
    return f"{path}: {len(film)} frames at {GIF_FPS:g} fps, {path.stat().st_size / 1e6:.2f} MB"


def write_targets(path: Path, head: Head, size: int) -> str:
    """The sheet of the head at rest and each blendshape at 1, by name."""
    channels = head.channels
    shown = [(), *((name, *WITH.get(name, ())) for name in channels)]
    coefficients = np.array([[name in names for name in channels] for names in shown], np.float32)
    performance = Performance(coefficients, np.zeros((len(shown), 3)))
    captions = ["at rest", *(" + ".join(names) for names in shown[1:])]
    film = Film(Scene(head, size), [performance], share=PORTRAIT)
    with written_whole(path) as partial:
        write_png(partial, contact_sheet(list(drawn(film, range(len(film)))), captions))
    lacks = f"; the head has no {', '.join(head.missing)}" if head.missing else ""
    return f"{path}: {len(channels)} blendshapes{lacks}"


def drawn(film: Film, frames: Sequence[int]) -> Iterator[np.ndarray]:
    """The film's pictures (height, width, 3) uint8, drawn by a thread a core, under a progress bar."""
    pictures = in_order(film.picture, frames, os.cpu_count() or 1)
    return iter(tqdm(pictures, total=len(frames), unit="frame", disable=None, leave=False))


def spoken(words: Sequence[Word], time_s: float) -> str:
    """The token at a time, or nothing."""
    return next((word.text for word in words if word.start_s <= time_s < word.end_s), "")
