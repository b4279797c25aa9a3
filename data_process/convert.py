"""Convert face recordings of any layout (dataset/layouts.py lists them) to one of four, by channel name."""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from dataset.command import UserError, parser, run
from dataset.layout_writers import WRITERS
from dataset.layouts import find_recordings, read_recording

ANGLED = ("livelink", "json")  # layouts with a place for head and eye angles; the same have one for times

EXAMPLES = """
python -m data_process.convert take_cal.csv take.csv --to arkit --fps 25
python -m data_process.convert captures/ json/ --to json
"""


@dataclass
class Totals:
    """What the closing line tells."""

    files: int = 0
    frames: int = 0
    dropped: int = 0  # frames missing in the sources
    doubled: int = 0
    angles_lost: int = 0  # files
    times_lost: int = 0
    refused: int = 0


def main() -> None:
    options = arguments()
    files = find_recordings(options.source)
    targets = [target_path(file, options) for file in files]
    refuse_clashes(files, targets)
    totals = Totals()
    for file, target in zip(files, targets, strict=True):
        try:
            convert(file, target, options.to, options.fps, totals)
        except UserError as error:
            if options.strict or options.source.is_file():
                raise
            totals.refused += 1
            print(f"refused: {error}", file=sys.stderr)
    if not totals.files:
        raise UserError(f"{options.source}: none of the {totals.refused} files could be converted")
    print(closing_line(totals, options))


def arguments() -> argparse.Namespace:
    commands = parser(__doc__, EXAMPLES)
    commands.add_argument("source", type=Path, metavar="IN", help="a recording (csv, json, npy) or a folder of them")
    commands.add_argument("output", type=Path, metavar="OUT", help="where the result goes, likewise")
    commands.add_argument("--to", required=True, choices=tuple(WRITERS), help="the layout to write")
    commands.add_argument(
        "--fps", type=float, help="resample to this rate; for a source that tells no times, the rate it is at"
    )
    commands.add_argument("--strict", action="store_true", help="stop at a file that cannot be read, not pass it over")
    options = commands.parse_args()
    if options.fps is not None and not 0 < options.fps <= 1000:
        raise UserError(f"--fps {options.fps:g}: must be above 0 and at most 1000 frames a second")
    return options


def target_path(file: Path, options: argparse.Namespace) -> Path:
    """Where a file's result goes. Raises UserError for an OUT that is named for another kind of file."""
    suffix = ".json" if options.to == "json" else ".csv"
    if options.source.is_dir() or options.output.is_dir():
        return options.output / f"{file.stem}{suffix}"
    if options.output.suffix.lower() != suffix:
        raise UserError(f"{options.output}: --to {options.to} writes {suffix}; name it {file.stem}{suffix} or the like")
    return options.output


def refuse_clashes(files: list[Path], targets: list[Path]) -> None:
    """Raises UserError when a result would overwrite a source or another result."""
    sources = {file.resolve() for file in files}
    written: dict[Path, Path] = {}
    for file, target in zip(files, targets, strict=True):
        if target.resolve() in sources:
            raise UserError(f"{target}: is a source too; write to another place")
        if target in written:
            raise UserError(f"{file}: has the same stem as {written[target]}; keep one of them")
        written[target] = file


def convert(source: Path, target: Path, layout: str, fps: float | None, totals: Totals) -> None:
    """Write one recording in a layout, at fps where that is given; adds to the totals."""
    recording = read_recording(source)
    totals.dropped += int(recording.dropped_before.sum())
    totals.doubled += len(recording.doubled_rows)
    if fps is not None:
        recording = recording.at_rate(fps)
    WRITERS[layout](target, recording)
    totals.files += 1
    totals.frames += recording.frames
    if layout not in ANGLED:
        totals.angles_lost += bool(recording.angles)
        totals.times_lost += recording.times_s is not None


def closing_line(totals: Totals, options: argparse.Namespace) -> str:
    files = f"{totals.files} file{'s' * (totals.files > 1)}"
    words = [f"converted {files} to {options.to}, {totals.frames:,} frames, in {options.output}"]
    if totals.dropped or totals.doubled:
        mended = " in the sources, bridged by time" if options.fps else " in the sources"
        words.append(f"{totals.dropped} dropped and {totals.doubled} doubled frames{mended}")
    if totals.angles_lost:
        words.append(f"head and eye angles left out of {totals.angles_lost}, for {options.to} has no place for them")
    if totals.times_lost:
        words.append(f"times left out of {totals.times_lost}, so use --fps to keep them even")
    if totals.refused:
        words.append(f"{totals.refused} refused")
    return "; ".join(words)


if __name__ == "__main__":
    run(main)
