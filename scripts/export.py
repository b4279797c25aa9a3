"""Take curves to another tool: into its own format, at its frame rate, one file a recording.

They come in every layout that data_process.prepare reads, and as a folder of such files.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from config.command import parser, run
from config.errors import UserError
from dataset.recordings.timing import USUAL_FPS
from postprocess.export.exporter import Export, export_files
from postprocess.export.expressions import NAMES
from postprocess.export.formats import FORMATS

EXAMPLES = """
python scripts/export.py a.csv --to livelink --out_fps 60 --out a_livelink.csv
python scripts/export.py a.csv --to glb --out a.glb
python scripts/export.py csvs --to glb --head my_avatar.vrm --out glbs
python scripts/export.py a.csv --to unity --path Face Teeth Tongue --bone Hips/Spine/Neck/Head
python scripts/export.py a.csv --to vrma
python scripts/export.py a.csv --to vmd --names vowels
python scripts/export.py take_cal.csv --to arkit --out_fps 25 --out take.csv
"""
HIGHEST_FPS = 1000.0


def main() -> None:
    given = parse()
    export = Export(given.to, given.fps, given.out_fps, options_of(given))
    print(export_files(export, given.source, given.out, given.strict))


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
        "--bone",
        help="for unity: the object to turn by the head's angles, as seen from the Animator's; at rest unturned, x to "
        "its right, y up, z ahead (default: none turns)",
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
    for option in ("head", "path", "bone", "names"):
        users = [name for name, form in FORMATS.items() if option in form.options]
        if getattr(given, option) is not None and given.to not in users:
            raise UserError(f"--{option}: has no meaning for {given.to}, only for {' and '.join(users)}")


def options_of(given: argparse.Namespace) -> dict[str, Any]:
    """What the format's writer is told besides; what was not given it knows itself."""
    told = {option: getattr(given, option) for option in FORMATS[given.to].options}
    return {option: value for option, value in told.items() if value is not None}


if __name__ == "__main__":
    run(main)
