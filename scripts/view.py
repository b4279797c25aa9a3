"""One offline page to look at curves: heads side by side that speak, the sound, its words, curves and errors in time.

The page needs no network and no other file: send it by mail, open it by a double click, on a phone too. Drag a head to
turn it; space plays; ? on the page lists the keys. Curves come in every layout that data_process.prepare reads.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from config.command import parser, run
from config.errors import UserError
from config.files import keep_apart
from dataset.recordings.timing import USUAL_FPS
from postprocess.face.heads import DEFAULT_HEAD, read_head
from postprocess.viewer.showing import read_showing

EXAMPLES = """
python scripts/view.py --csv a.csv --wav a.wav --out a.html
python scripts/view.py --csv bs/a.csv csvs/a.csv --wav a.wav --transcript_path a.tsv --out a.html
python scripts/view.py --csv a.csv b.csv c.csv --label target plain smoothed --wav a.wav --channels jaw MouthPucker
python scripts/view.py --csv take.csv --head my_head.glb --out a.html
"""


def parse() -> argparse.Namespace:
    options = parser(__doc__, EXAMPLES)
    add = options.add_argument
    add("--csv", type=Path, required=True, nargs="+", metavar="PATH", help="curves, of any layout, a head each")
    add("--wav", type=Path, metavar="PATH", help="the sound; without it the heads move in silence")
    add("--out", type=Path, metavar="HTML", help="the page (default: beside the last csv)")
    add(
        "--label",
        nargs="+",
        metavar="NAME",
        help="a name each; one that is called target is what the others are compared with "
        "(default: the first of several is the target)",
    )
    add("--transcript_path", type=Path, metavar="TSV", help="tokens to write along the waveform")
    add("--head", type=Path, default=DEFAULT_HEAD, metavar="PATH", help="glb, gltf, vrm, or a folder of OBJ shapes")
    add(
        "--channels",
        nargs="+",
        metavar="NAME",
        help="groups or blendshapes whose curves are drawn at first (default: the six liveliest)",
    )
    add("--fps", type=float, default=USUAL_FPS, help="frames a second of curves that tell no times")
    given = options.parse_args()
    given.out = given.out or given.csv[-1].with_suffix(".html")
    if given.out.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--out {given.out}: pages are .html files")
    if not 0 < given.fps <= 240:
        raise UserError(f"--fps {given.fps:g}: must be above 0 and at most 240")
    keep_apart([*given.csv, given.wav, given.transcript_path, given.head], [("--out", given.out)])
    return given


def main() -> None:
    given = parse()
    from postprocess.viewer.viewer_page import write_viewer  # loads soundfile

    showing = read_showing(given.csv, given.label, given.wav, given.transcript_path, given.fps)
    channels = showing.chosen(given.channels)
    head = read_head(given.head)
    for note in showing.notes():
        print(note)
    if head.missing:
        print(f"{given.head}: does not move for {', '.join(head.missing)}")
    write_viewer(given.out, showing, head, channels)
    heads = f"{len(showing.takes)} head{'s' * (len(showing.takes) > 1)}"
    megabytes = given.out.stat().st_size / 1e6
    print(f"{heads}, {showing.frames / showing.fps:.1f} s at {showing.fps:g} fps, {megabytes:.2f} MB: {given.out}")


if __name__ == "__main__":
    run(main)
