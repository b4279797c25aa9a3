"""Score predicted curves against recorded ones, and what their mouths do at the phones they say."""

import argparse
import sys
from pathlib import Path
from textwrap import fill
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from config.command import parser, renamed, run
from config.errors import UserError
from config.files import files_in, keep_apart, write_json
from config.study import add_pieces, check_pieces
from config.tables import table
from dataset.audio import SOUND_SUFFIXES
from dataset.recordings.layouts import SUFFIXES
from dataset.recordings.timing import USUAL_FPS
from postprocess.score.evaluation import TRANSCRIPT_SUFFIXES, Scored, Scoring, evaluate
from postprocess.score.matching import read_ids
from postprocess.score.phone_evaluation import PhoneScored, PhoneScoring, evaluate_phones
from postprocess.score.score_tables import phone_rows, remarks, tables

EXAMPLES = """
python scripts/evaluate.py --predictions csvs/ --targets data/facegood/bs
python scripts/evaluate.py --predictions csvs/ --targets bs/ --stats result/mine/best.safetensors --unseen --json a.json
python scripts/evaluate.py --predictions csvs/ --targets bs/ --ids val.txt --pieces 10 --fps 25
python scripts/evaluate.py --predictions csvs/ --targets bs/ --transcript_path tsv/ --wavs wav/ --report report.html
python scripts/evaluate.py --predictions csvs/ --targets captures/ --plots plots/
python scripts/evaluate.py --predictions csvs/ --phones data/mine/phones
"""
WIDTH = 110


def parse() -> argparse.Namespace:
    options = parser(__doc__, EXAMPLES)
    add = options.add_argument
    add("--predictions", type=Path, required=True, metavar="PATH", help="curves (csv, json, npy), or a folder of them")
    add("--targets", type=Path, metavar="PATH", help="likewise, matched by file name; --phones needs none")
    add("--json", type=Path, metavar="PATH", help="also write every score here, unrounded")
    add("--fps", type=float, default=USUAL_FPS, help="frames a second of files that tell none")
    add("--ids", nargs="+", metavar="ID", help="only these clips: ids, or a file with an id a line")
    add_pieces(options)
    add("--stats", type=Path, metavar="PATH", help="stats.json or checkpoint: score its mean face too")
    add("--transcript_path", type=Path, metavar="PATH", help="tsv or TextGrid files: score closures of the lips")
    add("--phones", type=Path, metavar="PATH", help="tsv or TextGrid files: score what mouths do at their phones")
    add("--wavs", type=Path, metavar="PATH", help="the sounds: score lag against them, and silences")
    seeds = "the same clips predicted by other seeds: score their diversity"
    add("--repeats", type=Path, nargs="+", default=[], metavar="PATH", help=seeds)
    add("--report", type=Path, metavar="FILE", help="also write tables and pictures as one HTML page")
    add("--plots", type=Path, metavar="DIR", help="also write a PNG a clip and of the channels, and a page of them")
    add("--unseen", action="store_true", help="leave out the clips that --stats were computed from")
    renamed(options, "--words", "--transcript_path")
    given = options.parse_args()
    if not 0 < given.fps < float("inf"):
        raise UserError(f"--fps {given.fps:g}: must be more than 0")
    check_pieces(given.pieces, given.fps)
    if given.targets is None:
        if given.phones is None:
            raise UserError("give --targets, --phones or both: what the predictions are scored by")
        needing = {"--plots": given.plots, "--transcript_path": given.transcript_path, "--wavs": given.wavs,
                   "--repeats": given.repeats}  # fmt: skip
        for option in (name for name, value in needing.items() if value):
            raise UserError(f"{option} needs --targets")
    if given.unseen and given.stats is None:
        raise UserError("--unseen needs --stats: a stats.json or checkpoint, which names its training clips")
    keep_apart(read_by(given), [("--json", given.json), ("--report", given.report)])
    return given


def read_by(given: argparse.Namespace) -> list[Path | None]:
    """The files that are scored, and those that help."""
    curves = [file for path in (given.predictions, given.targets, *given.repeats) for file in files_in(path, SUFFIXES)]
    words = [file for path in (given.transcript_path, given.phones) for file in files_in(path, TRANSCRIPT_SUFFIXES)]
    ids = map(Path, given.ids or ())  # or a file of them
    return [*curves, *words, *files_in(given.wavs, SOUND_SUFFIXES), given.stats, *ids]


def main() -> None:
    given = parse()
    ids = read_ids(given.ids)
    scored = phones = None
    measured: dict[str, Any] = {"fps": given.fps}
    if given.targets:
        scoring = Scoring(
            given.predictions,
            given.targets,
            ids=ids,
            fps=given.fps,
            pieces_s=given.pieces,
            stats=given.stats,
            unseen=given.unseen,
            transcripts=given.transcript_path,
            wavs=given.wavs,
            repeats=given.repeats,
        )
        scored = evaluate(scoring)
        measured = scored.to_json(scoring)
    if given.phones:
        phones = evaluate_phones(
            PhoneScoring(given.predictions, given.phones, given.targets, ids, given.fps, given.stats, given.unseen)
        )
        measured["phones"] = phones.to_json()
    show(scored, phones)
    if given.json:
        write_json(given.json, measured)
    written = [given.json] if given.json else []
    if given.report or given.plots:
        from postprocess.score.score_page import write_plots, write_report

        written += [write_report(given.report, scored, phones)] if given.report else []
        written += [write_plots(given.plots, scored)] if given.plots and scored else []
    where = f": {', '.join(map(str, written))}" if written else ""
    clips, frames = next((len(found.clips), found.frames) for found in (scored, phones) if found)
    print(f"scored {clips} clip{'s' * (clips > 1)}, {frames:,} frames{where}")


def show(scored: Scored | None, phones: PhoneScored | None) -> None:
    """Print the tables of either or both, and what to know of them."""
    rows = [*(tables(scored) if scored else []), *([phone_rows(phones)] if phones else [])]
    remarked = [*(remarks(scored) if scored else []), *(phones.remarks if phones else [])]
    shown = [f"{table(head, lines)}\n" for head, *lines in rows]
    print(*shown, *(fill(remark, WIDTH) for remark in remarked), sep="\n")


if __name__ == "__main__":
    run(main)
