"""Take curves to another tool: into its own format, at its frame rate, one file a recording.

They come in every layout that data_process.prepare reads, and as a folder of such files.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from config.command import UserError, parser, run
from dataset.recordings.layouts import find_recordings, read_recording
from dataset.recordings.timing import USUAL_FPS
from postprocess.export.expressions import NAMES
from postprocess.export.formats import FORMATS, Format

EXAMPLES = """
python scripts/export.py a.csv --to livelink --out_fps 60 --out a_livelink.csv
python scripts/export.py a.csv --to glb --out a.glb
python scripts/export.py csvs --to glb --head my_avatar.vrm --out glbs
python scripts/export.py a.csv --to unity --path Face Teeth Tongue
python scripts/export.py a.csv --to vrma
python scripts/export.py a.csv --to vmd --names vowels
python scripts/export.py take_cal.csv --to arkit --out_fps 25 --out take.csv
"""
HIGHEST_FPS = 1000.0


@dataclass
class Totals:
    """What the closing line tells."""

    files: int = 0
    frames: int = 0
    seconds: float = 0.0
    assumed: int = 0  # files that tell no rate, with no --fps given
    dropped: int = 0  # frames missing in the sources
    doubled: int = 0
    angles_lost: int = 0  # files
    times_lost: int = 0
    refused: int = 0


def main() -> None:
    from tqdm import tqdm

    given = parse()
    form, settings = FORMATS[given.to], settings_of(given)
    lacking = form.lacking(**settings) if form.lacking else ()
    files = list(dict.fromkeys(file for source in given.source for file in find_recordings(source)))
    targets = [target_path(file, given) for file in files]
    refuse_clashes(files, targets, given.head)
    totals = Totals()
    progress = tqdm(list(zip(files, targets, strict=True)), desc=given.to, unit="file", disable=None, leave=False)
    for file, target in progress:
        try:
            export(file, target, form, settings, given, totals)
        except UserError as error:
            if given.strict or len(files) == 1:
                raise
            totals.refused += 1
            progress.write(f"refused: {error}", file=sys.stderr)
    if not totals.files:
        raise UserError(f"{given.source[0]}: none of the {totals.refused} files could be exported")
    print(closing_line(totals, given, targets[0] if len(files) == 1 else targets[0].parent, lacking))


def parse() -> argparse.Namespace:
    width = max(map(len, FORMATS)) + 2
    formats = "\n".join(f"  {name:{width}}{form.reader}" for name, form in FORMATS.items())
    options = parser(f"{__doc__}\nformats:\n{formats}", EXAMPLES)
    add = options.add_argument
    add("source", type=Path, nargs="+", metavar="CSV", help="recordings (csv, json, npy), or folders of them")
    add("--to", required=True, choices=tuple(FORMATS), metavar="FORMAT", help=f"one of {', '.join(FORMATS)}")
    add("--out", type=Path, metavar="PATH", help="the file, or a folder for several (default: beside each source)")
    add("--fps", type=float, help=f"frames a second of sources that tell no times (default: {USUAL_FPS:g})")
    add("--out_fps", type=float, help="resample to this rate (default: frames as they are; vmd always has 30)")
    add(
        "--head", type=Path, metavar="PATH", help="for glb: a glb, gltf, vrm, or a folder of OBJ shapes (default: ours)"
    )
    add(
        "--path",
        nargs="+",
        help="for unity: the objects with a SkinnedMeshRenderer, as seen from the Animator's "
        "(default: that object itself)",
    )
    add(
        "--names",
        choices=NAMES,
        help="for vrma and vmd: JawOpen and jawOpen are ARKit's 52, one to one, for models that have them; vowels is "
        "lossy: five vowels, blinks and little more, which every model has (default: JawOpen in vrma, vowels in vmd)",
    )
    add("--strict", action="store_true", help="stop at a file that cannot be read, not pass it over")
    given = options.parse_args()
    check(given)
    return given


def check(given: argparse.Namespace) -> None:
    """Raises UserError for rates that make no sense and for options that the format does not have."""
    for option in ("fps", "out_fps"):
        rate = getattr(given, option)
        if rate is not None and not 0 < rate <= HIGHEST_FPS:
            raise UserError(f"--{option} {rate:g}: must be above 0 and at most {HIGHEST_FPS:g} frames a second")
    only = FORMATS[given.to].fps
    if only and given.out_fps not in (None, only):
        raise UserError(f"--out_fps {given.out_fps:g}: {given.to} has {only:g} frames a second, always; leave it away")
    for option in ("head", "path", "names"):
        users = [name for name, form in FORMATS.items() if option in form.options]
        if getattr(given, option) is not None and given.to not in users:
            raise UserError(f"--{option}: has no meaning for {given.to}, only for {' and '.join(users)}")


def settings_of(given: argparse.Namespace) -> dict[str, Any]:
    """What the format's writer is told besides; what was not given it knows itself."""
    told = {option: getattr(given, option) for option in FORMATS[given.to].options}
    return {option: value for option, value in told.items() if value is not None}


def target_path(file: Path, given: argparse.Namespace) -> Path:
    """Where a file's result goes. Raises UserError for an --out that is named for another kind of file."""
    suffix = FORMATS[given.to].suffix
    if given.out is None:
        return file.with_suffix(suffix)
    one = len(given.source) == 1 and given.source[0].is_file()
    if not one and given.out.suffix.lower() in {form.suffix for form in FORMATS.values()} and not given.out.is_dir():
        raise UserError(f"--out {given.out}: names a file, but there may be several; name a folder")
    if not one or given.out.is_dir():
        return given.out / f"{file.stem}{suffix}"
    if given.out.suffix.lower() != suffix:
        raise UserError(f"--out {given.out}: {given.to} is {suffix}; name it {file.stem}{suffix} or the like")
    return given.out


def refuse_clashes(files: list[Path], targets: list[Path], head: Path | None) -> None:
    """Raises UserError when a result would overwrite a source, the head or another result."""
    sources = {file.resolve() for file in (*files, *([head] if head else []))}
    written: dict[Path, Path] = {}
    for file, target in zip(files, targets, strict=True):
        if target.resolve() in sources:
            raise UserError(f"{target}: is a source too; write to another place with --out")
        if target in written:
            raise UserError(f"{file}: has the same stem as {written[target]}; keep one of them")
        written[target] = file


def export(
    file: Path, target: Path, form: Format, settings: dict[str, Any], given: argparse.Namespace, totals: Totals
) -> None:
    """Write one recording in a format; adds to the totals."""
    source = read_recording(file)
    recording = source.with_rate(given.fps or USUAL_FPS)
    fps = form.fps or given.out_fps
    if fps is not None:
        recording = recording.at_rate(fps)
    form.write(target, recording, **settings)
    totals.files += 1
    totals.frames += recording.frames
    totals.seconds += recording.duration_s or 0.0
    totals.assumed += source.fps is None and given.fps is None and (form.times or fps is not None)
    totals.dropped += int(source.dropped_before.sum())
    totals.doubled += len(source.doubled_rows)
    totals.angles_lost += bool(recording.angles) and not form.angles
    totals.times_lost += recording.times_s is not None and not form.times


def closing_line(totals: Totals, given: argparse.Namespace, out: Path, lacking: tuple[str, ...]) -> str:
    files = f"{totals.files} file{'s' * (totals.files > 1)}"
    words = [f"exported {files} as {given.to}, {totals.frames:,} frames, {totals.seconds:.1f} s: {out}"]
    if totals.assumed:
        words.append(f"{totals.assumed} told no rate, so it was taken to be {USUAL_FPS:g}; --fps says another")
    if totals.dropped or totals.doubled:
        mended = " in the sources, bridged by time" if given.out_fps else " in the sources"
        words.append(f"{totals.dropped} dropped and {totals.doubled} doubled frames{mended}")
    if totals.angles_lost:
        words.append(f"head and eye angles left out of {totals.angles_lost}, for {given.to} has no place for them")
    if totals.times_lost:
        words.append(f"times left out of {totals.times_lost}, so use --out_fps to keep them even")
    if lacking:
        words.append(f"the head does not move for {', '.join(lacking)}")
    if totals.refused:
        words.append(f"{totals.refused} refused")
    return "; ".join(words)


if __name__ == "__main__":
    run(main)
