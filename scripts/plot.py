"""Draw curves under the sound that they move to: the waveform over the six liveliest channels, on one time axis."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from config.command import parser, run
from config.errors import UserError
from config.files import keep_apart
from config.units import SAMPLE_RATE
from dataset.audio import read_audio
from dataset.recordings.layouts import read_recording
from dataset.recordings.timing import USUAL_FPS
from dataset.transcript import read_tsv
from postprocess.score.curve_plot import length_note, liveliest, write_plot
from postprocess.steps import resolve_channels

EXAMPLES = """
python scripts/plot.py --csv a.csv --wav a.wav --transcript_path a.tsv
python scripts/plot.py --csv a.csv --wav a.wav --target bs/a.csv --channels mouth --out_path a.pdf
"""
SUFFIXES = (".png", ".pdf", ".svg")


def parse() -> argparse.Namespace:
    options = parser(__doc__, EXAMPLES)
    options.add_argument("--csv", type=Path, required=True, metavar="PATH", help="the curves (csv, json, npy)")
    options.add_argument("--wav", type=Path, required=True, metavar="PATH", help="the sound")
    options.add_argument("--transcript_path", type=Path, metavar="TSV", help="tokens to write along the waveform")
    options.add_argument("--target", type=Path, metavar="PATH", help="recorded curves, drawn dashed")
    options.add_argument("--out_path", type=Path, metavar="PATH", help="png, pdf or svg (default: beside the csv)")
    options.add_argument("--fps", type=float, default=USUAL_FPS, help="frames a second of curves that tell none")
    options.add_argument(
        "--channels", nargs="+", metavar="NAME", help="groups or blendshapes to choose the six from (default: all)"
    )
    given = options.parse_args()
    given.out_path = given.out_path or given.csv.with_suffix(".png")
    if given.out_path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{given.out_path}: plots are {', '.join(SUFFIXES)} files")
    if not 0 < given.fps < float("inf"):
        raise UserError(f"--fps {given.fps:g}: must be more than 0")
    keep_apart([given.csv, given.wav, given.transcript_path, given.target], [("--out_path", given.out_path)])
    return given


def main() -> None:
    given = parse()
    curves, audio = read_recording(given.csv, required=()).with_rate(given.fps), read_audio(given.wav)
    channels = liveliest(curves.values, curves.names, resolve_channels(given.channels or ["all"]))
    if not channels:
        raise UserError(f"{given.csv}: has none of the channels {', '.join(given.channels)}")
    target = read_recording(given.target, channels).with_rate(given.fps) if given.target else None
    words = read_tsv(given.transcript_path) if given.transcript_path else []
    sound_s = len(audio) / SAMPLE_RATE
    if lengths := length_note(given.csv, curves, given.wav, sound_s):
        print(lengths)
    if note := write_plot(given.out_path, audio, curves, channels, target, words):
        print(f"{given.transcript_path}: {note}")
    print(f"plotted {len(channels)} channels over {sound_s:.1f} s: {given.out_path}")


if __name__ == "__main__":
    run(main)
