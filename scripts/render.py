"""Draw a head that speaks: curves and their sound as an mp4, a contact sheet, a gif; or each blendshape by itself."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from config.command import parser, run
from config.errors import UserError
from config.files import keep_apart
from dataset.recordings.timing import USUAL_FPS
from postprocess.face.heads import DEFAULT_HEAD

EXAMPLES = """
python scripts/render.py --csv a.csv --wav a.wav --out a.mp4
python scripts/render.py --csv bs/a.csv a.csv --label recorded predicted --wav a.wav --out a.mp4 --size 512
python scripts/render.py --csv a.csv --sheet a.png --transcript_path a.tsv --times 0.4 1.1 1.5
python scripts/render.py --targets shapes.png --head mine.glb
"""
SUFFIXES = {"out": ".mp4", "sheet": ".png", "gif": ".gif", "targets": ".png"}
SIZES = {"out": 720, "sheet": 320, "gif": 360, "targets": 240}  # pixels of a head's side, unless told
SMALLEST, LARGEST = 64, 2160


def parse() -> argparse.Namespace:
    options = parser(__doc__, EXAMPLES)
    add = options.add_argument
    add("--csv", type=Path, nargs="+", action="extend", metavar="PATH", help="curves, of any layout")
    add("--label", nargs="+", action="extend", metavar="WORD", help="a name to write below each head")
    add("--wav", type=Path, metavar="PATH", help="the sound")
    add("--transcript_path", type=Path, metavar="TSV", help="tokens to write on the sheet")
    add("--out", type=Path, metavar="MP4", help="the movie to write")
    add("--sheet", type=Path, metavar="PNG", help="moments of it side by side")
    add("--times", type=float, nargs="+", metavar="S", help="the sheet's moments (default: evenly spread)")
    add("--gif", type=Path, metavar="GIF", help="a small silent loop, for a page")
    add("--targets", type=Path, metavar="PNG", help="a sheet of the blendshapes one by one; needs no csv")
    add("--head", type=Path, default=DEFAULT_HEAD, metavar="PATH", help="glb, gltf, vrm, or a folder of OBJ shapes")
    add("--size", type=int, help="pixels of a head's side (default: 720 in a movie, less in the others)")
    add("--fps", type=float, default=USUAL_FPS, help="frames a second of curves that tell no times")
    add("--out_fps", type=float, help="frames a second of the movie (default: those of the first curves)")
    given = options.parse_args()
    given.csv, given.label, given.times = given.csv or [], given.label or [], given.times or []
    check(given)
    return given


def check(given: argparse.Namespace) -> None:
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
    read = [*given.csv, given.wav, given.transcript_path, given.head]
    keep_apart(read, [(f"--{name}", path) for name, path in wanted.items()])


def main() -> None:
    given = parse()
    from postprocess.film import releases  # loads numba
    from postprocess.film.footage import read_footage

    footage = read_footage(
        given.csv, given.label, given.wav, given.transcript_path, given.head, given.fps, given.out_fps
    )
    footage.check_moments(given.times)
    for note in footage.notes():
        print(note)
    sizes = dict.fromkeys(SIZES, given.size) if given.size else SIZES
    if given.out:
        print(releases.write_movie(given.out, footage, sizes["out"]))
    if given.sheet:
        print(releases.write_sheet(given.sheet, footage, sizes["sheet"], given.times))
    if given.gif:
        print(releases.write_loop(given.gif, footage, sizes["gif"]))
    if given.targets:
        print(releases.write_targets(given.targets, footage.head, sizes["targets"]))


if __name__ == "__main__":
    run(main)
