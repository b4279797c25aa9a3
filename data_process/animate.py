"""Animate a corpus by rule: phones/, the sounds of speech with their times, become curves in bs/."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from config.command import parser, run
from data_process.stages import check_out_fps, stage_arguments
from dataset.corpus import Corpus
from dataset.recordings.timing import USUAL_FPS

EXAMPLES = """
python -m data_process.animate --corpus data/voices
python -m data_process.animate --corpus data/voices --out_fps 60
"""


def parse() -> Namespace:
    options = parser(__doc__, EXAMPLES)
    options.add_argument("--corpus", type=Path, required=True, help="folder with wav/ and phones/; bs/ is written")
    options.add_argument("--out_fps", type=float, default=USUAL_FPS, help="frames a second of bs/*.csv")
    stage_arguments(options)
    arguments = options.parse_args()
    check_out_fps(arguments.out_fps)
    return arguments


def main() -> None:
    from data_process.rule_curves import animate_corpus

    arguments = parse()
    report = animate_corpus(Corpus(arguments.corpus), arguments.out_fps, arguments.jobs, arguments.strict)
    for line in report.failed.values():
        print(line, file=sys.stderr)
    frames = sum(report.results.values())
    print(
        f"animated {len(report.results)} clips, {frames:,} frames ({frames / arguments.out_fps / 60:.1f} min), "
        f"{len(report.up_to_date)} of them up to date, {len(report.failed)} failed"
    )
    if report.failed:
        sys.exit(1)


if __name__ == "__main__":
    run(main)
