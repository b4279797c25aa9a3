"""A folder of videos as a corpus: found, tracked, and written down."""

from pathlib import Path

from config.errors import UserError
from config.files import keep_apart, written_whole
from config.processes import Meeting
from data_process.video.stage import CALIBRATED, VideoReport, VideoSettings, gather_videos, make_clips
from dataset.audio import VIDEO_SUFFIXES
from dataset.corpus import Corpus, Prepared

LOG = "video.log"


def make_corpus(source: Path, out: Path, settings: VideoSettings, jobs: int = 1, strict: bool = False) -> str | None:
    """Write the corpus, prepare.json, manifest.csv and video.log; returns the line of totals.

    Under torchrun each process tracks its share, and the first one returns the line, the others None. Raises
    UserError where there is no video, where no clip comes of any, where the tracker is missing, and, when strict, at
    the first video of no use.
    """
    videos = find_videos(source, out)
    corpus = Corpus(out)
    keep_apart(videos.values(), [("--out", out)])
    meeting = Meeting(corpus.records("video.ranks"))
    report = gather_videos(meeting, make_clips(videos, corpus, settings, jobs, strict))
    return None if report is None else close(source, corpus, settings, report)


def find_videos(source: Path, out: Path) -> dict[str, Path]:
    """Id → video, below source but not below out: by stem, after its folders where several have one stem."""
    if source.is_file():
        return {source.stem: source}
    if not source.is_dir():
        raise UserError(f"{source}: no such file or folder")
    if out.resolve() == source.resolve() or out.resolve() in source.resolve().parents:
        raise UserError(f"{out}: the videos are in there; give the corpus a folder of its own")
    files = [
        file for file in sorted(source.rglob("*"))
        if file.suffix.lower() in VIDEO_SUFFIXES and file.is_file() and out not in file.parents
        and not file.name.startswith(".")
    ]  # fmt: skip
    if not files:
        raise UserError(f"{source}: no video in it; they come as {', '.join(VIDEO_SUFFIXES)}")
    found: dict[str, Path] = {}
    stems = [file.stem.casefold() for file in files]
    for file in files:
        alone = stems.count(file.stem.casefold()) == 1
        name = file.stem if alone else "_".join(file.relative_to(source).with_suffix("").parts)
        if name in found:
            raise UserError(f"{file}: has the name of {found[name]}; rename one of them")
        found[name] = file
    return found


def close(source: Path, corpus: Corpus, settings: VideoSettings, report: VideoReport) -> str:
    """Write what is known of all clips; the totals. Raises UserError where there is none."""
    problems = [f"{video}: {line}" for video, line in sorted(report.failed.items())]
    lines = [*problems, *sorted(report.notes)]
    with written_whole(corpus.folder / LOG) as partial_file:
        partial_file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    corpus.write_prepared(Prepared(settings.out_fps, report.clips))
    if not report.clips:
        raise UserError(f"{source}: no video gave a clip; the first: {problems[0]}")
    write_rows(corpus, report)
    return totals_of(report) + (f": see {corpus.folder / LOG}" if lines else "")


def write_rows(corpus: Corpus, report: VideoReport) -> None:
    """Add the clips to manifest.csv; what somebody has written there of a clip stays, but for what was calibrated."""
    known = corpus.read_manifest()
    kept = {clip: {name: cell for name, cell in row.items() if name != CALIBRATED} for clip, row in known.items()}
    rows = {clip: {**row, **kept.get(clip, {})} for clip, row in report.rows.items()}
    corpus.write_manifest({**rows, **{clip: row for clip, row in known.items() if clip not in rows}})


def totals_of(report: VideoReport) -> str:
    """A line on what was made."""
    seconds = sum(found["bs"]["seconds"] for found in report.clips.values())
    pace = f" ({report.processor_s / report.tracked_s:.2g} s of a processor each)" if report.tracked_s else ""
    return (
        f"made {len(report.clips)} clips, {seconds / 60:.1f} min, of {report.seconds:.0f} s of video{pace}; "
        f"{len(report.failed)} failed"
    )
