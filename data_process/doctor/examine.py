"""The whole examination: a corpus's clips are measured, those that changed since the last time, and judged."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from config.errors import UserError
from config.processes import Meeting
from data_process.doctor.findings import judge
from data_process.doctor.judgement import Sides
from data_process.doctor.measure import Measured
from data_process.doctor.record import VERSION, MeasureItem, decode, measure_clip
from data_process.doctor.report import Diagnosis
from data_process.stages import gather_report, run_stage
from dataset.corpus import ClipFiles, Corpus
from dataset.recordings.timing import USUAL_FPS
from dataset.split import matches

STAGE = "inspect"


def examine(
    folder: Path, fps: float | None = None, val: Sequence[str] = (), jobs: int = 1, strict: bool = False
) -> Diagnosis | None:
    """Measure and judge every clip of a corpus: wav/ and bs/, and where they are there tsv/, neutral/ and manifest.csv.

    fps: of the csvs that don't tell their rate; by default what prepare wrote them at, else USUAL_FPS. val: ids or
    patterns of the clips that validate; without any, the manifest's split column or the folders wav/train and wav/val
    say it. Clips that have not changed since the last time are not measured again. Under torchrun each process measures
    its share; the first one gets the diagnosis, the others None.
    Raises UserError where there is no clip, and, when strict, for the first file that cannot be read.
    """
    corpus = Corpus(folder)
    clips, prepared = corpus.clips(), corpus.read_prepared()
    fps = fps or prepared.fps or USUAL_FPS
    sides = read_sides(corpus, clips, val)
    items = [MeasureItem(clip.id, (*clip.present, corpus.prepared), (), clip, prepared.clips.get(clip.id, {}))
             for clip in clips]  # fmt: skip
    meeting = Meeting(corpus.records(f"{STAGE}.ranks"))
    done = run_stage(
        STAGE, items, partial(measure_clip, fps=fps),
        records=corpus.records(STAGE), settings={"version": VERSION, "fps": fps}, jobs=jobs, strict=strict,
    )  # fmt: skip
    whole = gather_report(meeting, done)
    if whole is None:
        return None
    measured = [
        replace(decode(Measured, whole.results[clip.id]), files=clip)
        if clip.id in whole.results
        else Measured(clip, (whole.failed[clip.id],))
        for clip in clips
    ]
    unreadable = [line for clip in measured for line in clip.unreadable]
    if strict and unreadable:
        raise UserError(unreadable[0])
    return Diagnosis(folder, measured, sides, judge(measured, sides))


def read_sides(corpus: Corpus, clips: Sequence[ClipFiles], val: Sequence[str]) -> Sides:
    """Which clips validate and who speaks: by the patterns, by manifest.csv, or by folder.

    Raises UserError where the patterns name no clip.
    """
    rows = corpus.read_manifest()
    speakers = {clip: row["speaker"] for clip, row in rows.items() if row.get("speaker")}
    if val:
        held_out = {clip.id for clip in clips if matches(clip.id, val)}
        if not held_out:
            raise UserError(f"{corpus.folder}: no clip matches --val {' '.join(val)}")
    elif any(row.get("split") for row in rows.values()):
        held_out = {clip for clip, row in rows.items() if row.get("split", "").lower().startswith("val")}
    else:
        held_out = {clip.id for clip in clips if clip.side == "val"}
    return Sides(frozenset(held_out), speakers)
