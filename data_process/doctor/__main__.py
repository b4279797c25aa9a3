"""The data doctor: look a corpus over, say what is wrong with it, the worst first, and what to do about it."""

import argparse
import sys
from pathlib import Path
from typing import get_args

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from config.command import parser, run
from config.errors import UserError
from config.files import keep_apart
from data_process.stages import stage_arguments
from dataset.corpus import Corpus, Kind
from dataset.recordings.timing import USUAL_FPS

EXAMPLES = """
python -m data_process.doctor --corpus data/mine --html report.html
python -m data_process.doctor --corpus data/mine --fps 60 --val 'b*' --json report.json
python -m data_process.doctor --corpus data/mine --fix data/mine_clean
"""


def parse() -> argparse.Namespace:
    options = parser(__doc__, EXAMPLES)
    options.prog = "python -m data_process.doctor"
    options.add_argument("--corpus", type=Path, required=True, help="folder with wav/ and bs/")
    options.add_argument(
        "--fps", type=float, help=f"of csvs that tell none (default: as prepare wrote, else {USUAL_FPS:g})"
    )
    options.add_argument("--val", nargs="+", default=[], metavar="ID", help="validation clips, or patterns: b*")
    options.add_argument("--html", type=Path, metavar="PATH", help="write the report as one page with pictures")
    options.add_argument("--json", type=Path, metavar="PATH", help="write findings and measures")
    options.add_argument(
        "--fix",
        type=Path,
        metavar="FOLDER",
        help="write the mended corpus to a new folder, or what has changed of it to the one of before",
    )
    stage_arguments(options)
    given = options.parse_args()
    if given.fps is not None and not 1 <= given.fps <= 1000:
        raise UserError(f"--fps {given.fps:g}: expected frames a second, from 1 to 1000")
    keep_apart(corpus_files(given.corpus), [("--html", given.html), ("--json", given.json)])
    return given


def corpus_files(folder: Path) -> list[Path]:
    """Everything of the corpus, but what lies beside its folders: reports may."""
    return [Corpus(folder).manifest, *(file for kind in get_args(Kind) for file in (folder / kind).rglob("*"))]


def main() -> None:
    given = parse()
    from data_process.doctor.examine import examine
    from data_process.doctor.report import terminal_lines, write_findings

    diagnosis = examine(given.corpus, given.fps, given.val, given.jobs, given.strict)
    if diagnosis is None:
        return  # the first process goes on alone
    print("\n".join(terminal_lines(diagnosis)))
    if given.json:
        write_findings(given.json, diagnosis)
    if given.html:
        from data_process.doctor.diagnosis_page import write_diagnosis_page

        write_diagnosis_page(given.html, diagnosis)
        print(given.html)
    if given.fix:
        from data_process.doctor.mend import mend

        print(mend(diagnosis, given.fix))
    if diagnosis.count("error"):
        sys.exit(1)


if __name__ == "__main__":
    run(main)
