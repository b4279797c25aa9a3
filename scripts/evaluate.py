"""Score predicted curves against recorded ones: clip by clip, their mean, by group of channels, and by channel."""

import argparse
import sys
from pathlib import Path
from textwrap import fill

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from config.command import parser, renamed, run
from config.errors import UserError
from config.files import files_in, keep_apart, write_json
from config.study import add_pieces, check_pieces
from config.tables import table
from dataset.audio import SOUND_SUFFIXES
from dataset.recordings.layouts import SUFFIXES
from dataset.recordings.timing import USUAL_FPS
from postprocess.score.evaluation import TRANSCRIPT_SUFFIXES, Scoring, evaluate
from postprocess.score.matching import read_ids
from postprocess.score.score_tables import remarks, tables

EXAMPLES = """
python scripts/evaluate.py --predictions csvs/ --targets data/facegood/bs
python scripts/evaluate.py --predictions csvs/ --targets bs/ --stats result/mine/best.safetensors --unseen --json a.json
python scripts/evaluate.py --predictions csvs/ --targets bs/ --ids val.txt --pieces 10 --fps 25
python scripts/evaluate.py --predictions csvs/ --targets bs/ --transcript_path tsv/ --wavs wav/ --report report.html
python scripts/evaluate.py --predictions csvs/ --targets captures/ --plots plots/
"""
WIDTH = 110


def parse() -> argparse.Namespace:
    options = parser(__doc__, EXAMPLES)
    add = options.add_argument
    add("--predictions", type=Path, required=True, metavar="PATH", help="curves (csv, json, npy), or a folder of them")
    add("--targets", type=Path, required=True, metavar="PATH", help="likewise, matched by file name")
    add("--json", type=Path, metavar="PATH", help="also write every score here, unrounded")
    add("--fps", type=float, default=USUAL_FPS, help="frames a second of files that tell none")
    add("--ids", nargs="+", metavar="ID", help="only these clips: ids, or a file with an id a line")
    add_pieces(options)
    add("--stats", type=Path, metavar="PATH", help="stats.json or checkpoint: score its mean face too")
    add("--transcript_path", type=Path, metavar="PATH", help="tsv or TextGrid files: score closures of the lips")
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
    if given.unseen and given.stats is None:
        raise UserError("--unseen needs --stats: a stats.json or checkpoint, which names its training clips")
    keep_apart(read_by(given), [("--json", given.json), ("--report", given.report)])
    return given


def read_by(given: argparse.Namespace) -> list[Path | None]:
    """The files that are scored, and those that help."""
    curves = [file for path in (given.predictions, given.targets, *given.repeats) for file in files_in(path, SUFFIXES)]
    words, sounds = files_in(given.transcript_path, TRANSCRIPT_SUFFIXES), files_in(given.wavs, SOUND_SUFFIXES)
    ids = map(Path, given.ids or ())  # or a file of them
    return [*curves, *words, *sounds, given.stats, *ids]


def main() -> None:
    given = parse()
    scoring = Scoring(
        given.predictions,
        given.targets,
        ids=read_ids(given.ids),
        fps=given.fps,
        pieces_s=given.pieces,
        stats=given.stats,
        unseen=given.unseen,
        transcripts=given.transcript_path,
        wavs=given.wavs,
        repeats=given.repeats,
    )
    scored = evaluate(scoring)
    shown = [f"{table(head, rows)}\n" for head, *rows in tables(scored)]
    print(*shown, *(fill(remark, WIDTH) for remark in remarks(scored)), sep="\n")
    if given.json:
        write_json(given.json, scored.to_json(scoring))
    written = [given.json] if given.json else []
    if given.report or given.plots:
        from postprocess.score.score_page import write_plots, write_report

        written += [write_report(given.report, scored)] if given.report else []
        written += [write_plots(given.plots, scored)] if given.plots else []
    where = f": {', '.join(map(str, written))}" if written else ""
    print(f"scored {len(scored.clips)} clip{'s' * (len(scored.clips) > 1)}, {scored.frames:,} frames{where}")


if __name__ == "__main__":
    run(main)
