"""Draw a head that speaks: curves and their sound as an mp4, a contact sheet, a gif; or each blendshape by itself."""

import math
import os
import sys
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from config.command import UserError, parser, run
from config.files import written_whole
from dataset.audio import read_unresampled
from dataset.blendshapes import ARKIT
from dataset.recordings.layouts import read_recording
from dataset.recordings.timing import USUAL_FPS
from dataset.transcript import Word, check_within, read_tsv
from postprocess.face.heads import DEFAULT_HEAD, read_head
from postprocess.film.video import SOUND_RATE, in_order
from postprocess.score.curve_plot import TOLERATED_S

if TYPE_CHECKING:
    from dataset.recordings.recording import Recording
    from postprocess.face.mesh import Head
    from postprocess.film.film import Film

EXAMPLES = """
python scripts/render.py --csv a.csv --wav a.wav --out a.mp4
python scripts/render.py --csv bs/a.csv a.csv --label recorded predicted --wav a.wav --out a.mp4 --size 512
python scripts/render.py --csv a.csv --sheet a.png --transcript_path a.tsv --times 0.4 1.1 1.5
python scripts/render.py --targets shapes.png --head mine.glb
"""
SUFFIXES = {"out": ".mp4", "sheet": ".png", "gif": ".gif", "targets": ".png"}
SIZES = {"out": 720, "sheet": 320, "gif": 360, "targets": 240}  # pixels of a head's side
WITH = {"MouthClose": ("JawOpen",)}  # Apple: closes the lips whatever the jaw does; on a closed jaw it shows nothing
PORTRAIT = 0.8  # of a head's square that stills keep from left to right
SMALLEST, LARGEST = 64, 2160
GIF_FPS = 12.5  # a gif's frames last whole hundredths of a second
STILLS = 12
MOVES = 0.1  # a coefficient that is seen


def parse() -> Namespace:
    options = parser(__doc__, EXAMPLES)
    add = options.add_argument
    add("--csv", type=Path, nargs="+", action="extend", metavar="PATH", help="curves, of any layout")
    add("--label", nargs="+", action="extend", metavar="WORD", help="a name to write below each head")
    add("--wav", type=Path, metavar="PATH", help="the sound")
    add("--transcript_path", type=Path, metavar="TSV", help="tokens to write on the sheet")
    add("--out", type=Path, metavar="MP4", help="the movie to write")
    add("--sheet", type=Path, metavar="PNG", help="moments of it side by side")
    add("--times", type=float, nargs="+", metavar="S", help=f"the sheet's moments (default: {STILLS} evenly spread)")
    add("--gif", type=Path, metavar="GIF", help="a small silent loop, for a page")
    add("--targets", type=Path, metavar="PNG", help="a sheet of the blendshapes one by one; needs no csv")
    add("--head", type=Path, default=DEFAULT_HEAD, metavar="PATH", help="glb, gltf, vrm, or a folder of OBJ shapes")
    add("--size", type=int, help="pixels of a head's side (default: 720 in a movie, less in the others)")
    add("--fps", type=float, default=USUAL_FPS, help="frames a second of curves that tell no times")
    add("--out_fps", type=float, help="frames a second of the movie (default: those of the first curves)")
    given = options.parse_args()
    given.csv, given.label = given.csv or [], given.label or []
    check(given)
    return given


def check(given: Namespace) -> None:
    """Raises UserError for options that don't fit together."""
    wanted = {name: path for name in SUFFIXES if (path := getattr(given, name)) is not None}
    if not wanted:
        raise UserError("nothing to draw: give --out, --sheet, --gif or --targets")
    for name, path in wanted.items():
        if path.suffix.lower() != SUFFIXES[name]:
            raise UserError(f"--{name} {path}: is a {SUFFIXES[name]} file; name it {path.stem}{SUFFIXES[name]}")
    if set(wanted) - {"targets"} and not given.csv:
        raise UserError(f"--{next(iter(wanted))} needs curves: give --csv")
    if given.label and len(given.label) != len(given.csv):
        raise UserError(f"{len(given.label)} --label for {len(given.csv)} --csv: give one for each")
    if given.size is not None and not SMALLEST <= given.size <= LARGEST:
        raise UserError(f"--size {given.size}: must be from {SMALLEST} to {LARGEST}")
    for name in ("fps", "out_fps"):
        rate = getattr(given, name)
        if rate is not None and not 1 <= rate <= 240:
            raise UserError(f"--{name} {rate:g}: must be from 1 to 240")


def main() -> None:
    given = parse()
    material = gather(given)
    for note in notes(material):
        print(note)
    if given.out:
        print(write_movie(given.out, material, given))
    if given.sheet:
        print(write_sheet(given.sheet, material, given))
    if given.gif:
        print(write_loop(given.gif, material, given))
    if given.targets:
        print(write_targets(given.targets, material.head, given.size or SIZES["targets"]))


@dataclass(frozen=True)
class Material:
    """Everything that is drawn and heard, read before anything is written."""

    files: tuple[Path, ...]
    recordings: tuple["Recording", ...]
    fps: float  # of the movie
    head: "Head"
    head_file: Path
    wav: Path | None
    sound: np.ndarray | None  # (samples,) float32 at SOUND_RATE
    sound_s: float
    words: tuple[Word, ...]

    @property
    def seconds(self) -> float:
        """Of the longest recording, or of the sound."""
        return max(self.sound_s, *(recording.duration_s or 0 for recording in self.recordings))

    def film(self, size: int, fps: float, labels: list[str], share: float = 1.0) -> "Film":
        """The recordings side by side at a constant rate."""
        from postprocess.film.film import Film
        from postprocess.film.performance import perform
        from postprocess.film.scene import Scene

        frames = max(1, math.floor(self.seconds * fps + 0.5))
        performances = [perform(recording, fps, frames) for recording in self.recordings]
        return Film(Scene(self.head, size), performances, labels, share)


def gather(given: Namespace) -> Material:
    """Read what is asked for. Raises UserError for what cannot be read, or written, or does not fit together."""
    from postprocess.film.text import can_write

    for label in given.label:
        if not can_write(label):
            raise UserError(f"--label {label}: no installed font has all its characters")
    recordings = tuple(read_recording(path).with_rate(given.fps) for path in given.csv)
    sound = read_sound(given.wav) if given.wav else None
    sound_s = 0.0 if sound is None else len(sound) / SOUND_RATE
    words = read_tsv(given.transcript_path) if given.transcript_path else []
    fps = given.out_fps or (recordings[0].fps if recordings else None) or given.fps
    head = read_head(given.head)
    material = Material(tuple(given.csv), recordings, fps, head, given.head, given.wav, sound, sound_s, tuple(words))
    if recordings:
        late = [time_s for time_s in given.times or () if not 0 <= time_s <= material.seconds]
        if late:
            raise UserError(f"--times {late[0]:g}: must be from 0 to {material.seconds:.2f} s, where the curves end")
        if words:
            check_within(given.transcript_path, words, material.seconds)
    return material


def read_sound(path: Path) -> np.ndarray:
    """(samples,) float32 at SOUND_RATE. Raises UserError as read_audio does."""
    import soxr

    samples, rate = read_unresampled(path)
    return np.asarray(soxr.resample(samples, rate, SOUND_RATE), np.float32)


def notes(material: Material) -> list[str]:
    """What a person may not have meant, a line each."""
    found = []
    for file, recording in zip(material.files, material.recordings, strict=True):
        motion_s = recording.duration_s or 0
        if material.sound is not None and abs(material.sound_s - motion_s) > TOLERATED_S:
            ask = "is --fps right?" if recording.times_s is None else "are they of one take?"
            lasts = f"{file} lasts {motion_s:.2f} s at {recording.fps:g} fps, {material.wav} {material.sound_s:.2f} s"
            found.append(f"{lasts}: {ask}")
    peaks = np.vstack([np.zeros(len(ARKIT)), *(recording.curves() for recording in material.recordings)]).max(axis=0)
    still = [name for name in material.head.missing if peaks[ARKIT.index(name)] > MOVES]
    if still:
        more = f" and {len(still) - 4} more" if len(still) > 4 else ""
        found.append(f"{material.head_file}: has no {', '.join(still[:4])}{more}, so what moves there is not seen")
    return found


def write_movie(path: Path, material: Material, given: Namespace) -> str:
    """The mp4; the line to print."""
    from postprocess.film.video import write_mp4

    size = given.size or SIZES["out"]
    fps = material.fps
    film = material.film(size + size % 2, fps, given.label)  # yuv420p has one colour for two pixels
    began = time.perf_counter()
    with written_whole(path) as partial:
        write_mp4(partial, drawn(film, range(len(film))), film.size, fps, material.sound)
    rate = len(film) / (time.perf_counter() - began)
    with_sound = "" if material.sound is None else f" with {material.wav}"
    height, width = film.size
    return (
        f"{path}: {len(film)} frames of {width}×{height} at {fps:g} fps, {len(film) / fps:.2f} s{with_sound}; "
        f"drawn and encoded at {rate:.0f} frames a second"
    )


def drawn(film: "Film", frames: Sequence[int]) -> Iterator[np.ndarray]:
    """The film's pictures, a thread a core, under a progress bar."""
    from tqdm import tqdm

    pictures = in_order(film.picture, frames, os.cpu_count() or 1)
    return iter(tqdm(pictures, total=len(frames), unit="frame", disable=None, leave=False))


def write_sheet(path: Path, material: Material, given: Namespace) -> str:
    """The contact sheet, each moment above its time and what is being said; the line to print."""
    from postprocess.film.stills import contact_sheet, write_png
    from postprocess.film.text import can_write

    fps = material.fps
    film = material.film(given.size or SIZES["sheet"], fps, given.label, PORTRAIT)
    times_s = given.times or [(i + 0.5) / STILLS * material.seconds for i in range(STILLS)]
    frames = [min(round(time_s * fps), len(film) - 1) for time_s in times_s]
    words = material.words if can_write("".join(word.text for word in material.words)) else ()
    captions = [f"{frame / fps:.2f} s  {spoken(words, frame / fps)}".rstrip() for frame in frames]
    with written_whole(path) as partial:
        write_png(partial, contact_sheet(list(drawn(film, frames)), captions))
    lacks = (
        "; without the tokens, for no installed font has all their characters" if material.words and not words else ""
    )
    return f"{path}: {len(frames)} moments of {material.seconds:.2f} s{lacks}"


def spoken(words: Sequence[Word], time_s: float) -> str:
    """The token at a time, or nothing."""
    return next((word.text for word in words if word.start_s <= time_s < word.end_s), "")


def write_loop(path: Path, material: Material, given: Namespace) -> str:
    """The gif; the line to print."""
    from postprocess.film.stills import write_gif

    film = material.film(given.size or SIZES["gif"], GIF_FPS, given.label, PORTRAIT)
    with written_whole(path) as partial:
        write_gif(partial, drawn(film, range(len(film))), GIF_FPS)
    return f"{path}: {len(film)} frames at {GIF_FPS:g} fps, {path.stat().st_size / 1e6:.2f} MB"


def write_targets(path: Path, head: "Head", size: int) -> str:
    """The sheet of the head at rest and each blendshape at 1, by name; the line to print."""
    from postprocess.film.film import Film
    from postprocess.film.performance import Pose
    from postprocess.film.scene import Scene
    from postprocess.film.stills import contact_sheet, write_png

    shapes = {name: (name, *WITH.get(name, ())) for name in head.channels}
    poses = [Pose({}), *(Pose(dict.fromkeys(names, 1.0)) for names in shapes.values())]
    captions = ["at rest", *(" + ".join(names) for names in shapes.values())]
    film = Film(Scene(head, size), [poses], share=PORTRAIT)
    with written_whole(path) as partial:
        write_png(partial, contact_sheet(list(drawn(film, range(len(film)))), captions))
    lacks = f"; the head has no {', '.join(head.missing)}" if head.missing else ""
    return f"{path}: {len(head.channels)} blendshapes{lacks}"


if __name__ == "__main__":
    run(main)
