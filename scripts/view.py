"""One offline page to look at curves: heads side by side that speak, the sound, its words, curves and errors in time.

The page needs no network and no other file: send it by mail, open it by a double click, on a phone too. Drag a head to
turn it; space plays; ? on the page lists the keys. Curves come in every layout that data_process.prepare reads.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from config.command import UserError, parser, run
from config.files import written_whole
from dataset.audio import read_unresampled
from dataset.blendshapes import ARKIT, FACE
from dataset.recordings.timing import USUAL_FPS
from dataset.transcript import check_within, read_tsv
from postprocess.face.heads import DEFAULT_HEAD, read_head
from postprocess.score.curve_plot import LIVELIEST, TOLERATED_S
from postprocess.steps import resolve_channels
from postprocess.viewer.clip import Clip, labels_of, read_takes, target_of
from postprocess.viewer.page import page

EXAMPLES = """
python scripts/view.py --csv a.csv --wav a.wav --out a.html
python scripts/view.py --csv bs/a.csv csvs/a.csv --wav a.wav --transcript_path a.tsv --out a.html
python scripts/view.py --csv a.csv b.csv c.csv --label target plain smoothed --wav a.wav --channels jaw MouthPucker
python scripts/view.py --csv take.csv --head my_head.glb --out a.html
"""
SILENCE_HZ = 16_000


def parse() -> argparse.Namespace:
    options = parser(__doc__, EXAMPLES)
    add = options.add_argument
    add("--csv", type=Path, required=True, nargs="+", metavar="PATH", help="curves, a head each")
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
    add("--fps", type=float, help=f"frames a second of csvs that don't tell (default: {USUAL_FPS:g})")
    given = options.parse_args()
    given.out = given.out or given.csv[-1].with_suffix(".html")
    if given.out.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--out {given.out}: pages are .html files")
    if given.fps is not None and not 0 < given.fps <= 240:
        raise UserError(f"--fps {given.fps:g}: must be above 0 and at most 240")
    return given


def read_clip(given: argparse.Namespace) -> Clip:
    """Everything that the arguments name, but the head."""
    labels = labels_of(given.csv, given.label)
    takes, fps = read_takes(given.csv, labels, given.fps)
    audio, rate_hz = read_unresampled(given.wav) if given.wav else (np.zeros(0, np.float32), SILENCE_HZ)
    words = read_tsv(given.transcript_path) if given.transcript_path else []
    clip = Clip(given.csv[-1].stem, fps, takes, target_of(labels), audio, rate_hz, tuple(words))
    if words:
        check_within(given.transcript_path, words, clip.frames / fps)
    return clip


def chosen(clip: Clip, channels: list[str] | None) -> tuple[str, ...]:
    """The channels to draw at first. Raises UserError when no csv has any of those that were asked for."""
    if not channels:
        return clip.liveliest(FACE, LIVELIEST) or clip.liveliest(ARKIT, LIVELIEST)
    present = {name for take in clip.takes for name in take.channels}
    names = tuple(name for name in resolve_channels(channels) if name in present)
    if not names:
        raise UserError(f"--channels {' '.join(channels)}: no csv has any of them")
    return names


def notes(given: argparse.Namespace, clip: Clip) -> list[str]:
    """What a person should know about what they gave."""
    lines = []
    for file, take in zip(given.csv, clip.takes, strict=True):
        motion_s = len(take.values) / clip.fps
        if given.wav and abs(motion_s - clip.sound_s) > TOLERATED_S:
            lines.append(f"{file} lasts {motion_s:.2f} s, {given.wav} {clip.sound_s:.2f} s: is --fps right?")
    return lines


def main() -> None:
    given = parse()
    clip = read_clip(given)
    channels = chosen(clip, given.channels)
    head = read_head(given.head)
    text = page(clip, head, channels)
    for line in notes(given, clip):
        print(line)
    if head.missing:
        print(f"{given.head}: does not move for {', '.join(head.missing)}")
    with written_whole(given.out) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
    heads = f"{len(clip.takes)} head{'s' * (len(clip.takes) > 1)}"
    megabytes = given.out.stat().st_size / 1e6
    print(f"{heads}, {clip.frames / clip.fps:.1f} s at {clip.fps:g} fps, {megabytes:.2f} MB: {given.out}")


if __name__ == "__main__":
    run(main)
