"""The data doctor: look a corpus over, say what is wrong with it, the worst first, and what to do about it."""

# This folder has no __init__.py: run as files, the commands beside it would import it for Python's own `inspect`.
import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from config.command import UserError, parser, run
from config.processes import Meeting
from data_process.doctor.findings import Split, judge
from data_process.doctor.measure import Measured, Source, find_sources, read_prepared
from data_process.doctor.record import VERSION, Clip, decode, measure_clip
from data_process.doctor.report import Report, terminal_lines, write_json
from data_process.stages import gather_report, run_stage, stage_arguments
from dataset.corpus import read_manifest
from dataset.split import matches

EXAMPLES = """
python -m data_process.doctor --corpus data/mine --html report.html
python -m data_process.doctor --corpus data/mine --fps 60 --val 'b*' --json report.json
python -m data_process.doctor --corpus data/mine --fix data/mine_clean
"""


FPS = 30.0


def inspect(
    corpus: Path, fps: float | None = None, val: Sequence[str] = (), jobs: int = 1, strict: bool = False
) -> Report:
    """Measure and judge every clip of a corpus: wav/ and bs/, and where they are there tsv/, neutral/ and manifest.csv.

    fps: of the csvs that don't tell their rate; by default what prepare wrote them at, else FPS. val: ids or patterns
    of the clips that validate; without any, the manifest's split column or the folders wav/train and wav/val say it.
    Clips that have not changed since the last time are not measured again. Under torchrun each process measures its
    share; the first one gets the report, the others end here.
    Raises UserError where there is no clip, and, when strict, for the first file that cannot be read.
    """
    sources = find_sources(corpus)
    fps = fps or read_prepared(corpus).get("fps", FPS)
    split = read_split(corpus, sources, val)
    stages, prepared = corpus / ".stages", corpus / "prepare.json"
    clips = [Clip(source.id, (*source.files, prepared), (), source) for source in sources]
    settings, meeting = {"version": VERSION, "fps": fps}, Meeting(stages / "inspect.ranks")
    done = run_stage(
        "inspect", clips, partial(measure_clip, fps=fps),
        records=stages / "inspect", settings=settings, jobs=jobs, strict=strict,
    )  # fmt: skip
    whole = gather_report(meeting, done)
    if whole is None:
        sys.exit()  # the first process goes on alone
    measured = [
        replace(decode(Measured, whole.results[source.id]), source=source)
        if source.id in whole.results
        else Measured(source, (whole.failed[source.id],))
        for source in sources
    ]
    unreadable = [line for clip in measured for line in clip.unreadable]
    if strict and unreadable:
        raise UserError(unreadable[0])
    return Report(corpus, measured, split, judge(measured, split))


def read_split(corpus: Path, sources: Sequence[Source], val: Sequence[str]) -> Split:
    """Which clips validate and who speaks: by the patterns, by manifest.csv, or by folder."""
    rows = read_manifest(corpus / "manifest.csv")
    speakers = {clip: row["speaker"] for clip, row in rows.items() if row.get("speaker")}
    if val:
        held_out = {source.id for source in sources if matches(source.id, val)}
        if not held_out:
            raise UserError(f"{corpus}: no clip matches --val {' '.join(val)}")
    elif any(row.get("split") for row in rows.values()):
        held_out = {clip for clip, row in rows.items() if row.get("split", "").lower().startswith("val")}
    else:
        held_out = {source.id for source in sources if source.folder == "val"}
    return Split(frozenset(held_out), speakers)


def parse() -> argparse.Namespace:
    options = parser(__doc__, EXAMPLES)
    options.prog = "python -m data_process.doctor"
    options.add_argument("--corpus", type=Path, required=True, help="folder with wav/ and bs/")
    options.add_argument("--fps", type=float, help="of csvs that don't tell it; default: what prepare wrote, else 30")
    options.add_argument("--val", nargs="+", default=[], metavar="ID", help="validation clips, or patterns: b*")
    options.add_argument("--html", type=Path, metavar="PATH", help="write the report as one page with pictures")
    options.add_argument("--json", type=Path, metavar="PATH", help="write findings and measures")
    options.add_argument("--fix", type=Path, metavar="FOLDER", help="write the mended corpus to a new folder")
    stage_arguments(options)
    return options.parse_args()


def main() -> None:
    arguments = parse()
    if arguments.fps is not None and not 1 <= arguments.fps <= 1000:
        raise UserError(f"--fps {arguments.fps:g}: expected frames a second, from 1 to 1000")
    report = inspect(arguments.corpus, arguments.fps, arguments.val, arguments.jobs, arguments.strict)
    print("\n".join(terminal_lines(report)))
    if arguments.json:
        write_json(arguments.json, report)
    if arguments.html:
        from data_process.doctor.page import write_page

        write_page(arguments.html, report)
        print(arguments.html)
    if arguments.fix:
        from data_process.doctor.mend import mend

        print(mend(report, arguments.fix))
    if report.count("error"):
        sys.exit(1)


if __name__ == "__main__":
    run(main)
