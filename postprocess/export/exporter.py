"""Recordings into another tool's files: where each goes, and what could not be kept."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from config.errors import UserError
from config.files import keep_apart
from dataset.recordings.layouts import find_recordings, read_recording
from dataset.recordings.recording import Recording
from dataset.recordings.timing import USUAL_FPS
from postprocess.export.formats import FORMATS, Format

MOST_GAPS = 5  # that the closing line names


@dataclass(frozen=True)
class Export:
    """What recordings become."""

    to: str  # of FORMATS
    fps: float | None = None  # frames a second of recordings that tell no times; None: USUAL_FPS
    out_fps: float | None = None  # frames a second of what is written; None: the format's, or as they are
    options: dict[str, Any] = field(default_factory=dict)  # what the format's writer is told besides

    @property
    def format(self) -> Format:
        return FORMATS[self.to]

    @property
    def keeps_angles(self) -> bool:
        return self.format.angles is True or self.format.angles in self.options


@dataclass
class Totals:
    """What the closing line tells."""

    files: int = 0
    frames: int = 0
    seconds: float = 0.0
    assumed: int = 0  # files that tell no rate, with no fps given
    dropped: int = 0  # frames missing in the sources
    gaps: list[str] = field(default_factory=list)  # where they are missing, in words
    doubled: int = 0
    angles_lost: int = 0  # files
    times_lost: int = 0
    refused: int = 0


def export_files(export: Export, sources: Sequence[Path], out: Path | None, strict: bool = False) -> str:
    """Export files, and the recordings in folders, under a progress bar; returns the closing line.

    out: a file, or a folder for several; None: beside each source. strict: stop at a recording that cannot be read,
    which is else passed over and told on stderr. Raises UserError, before anything is written, when a result would
    overwrite a source, the head or another result.
    """
    lacking = export.format.lacking(**export.options) if export.format.lacking else ()
    files = list(dict.fromkeys(file for source in sources for file in find_recordings(source)))
    targets = target_paths(export, files, sources, out)
    refuse_clashes(files, targets, export.options.get("head"))
    totals = Totals()
    pairs = list(zip(files, targets, strict=True))
    progress = tqdm(pairs, desc=export.to, unit="file", disable=None, leave=False)
    for file, target in progress:
        try:
            export_file(export, file, target, totals)
        except UserError as error:
            if strict or len(files) == 1:
                raise
            totals.refused += 1
            progress.write(f"refused: {error}", file=sys.stderr)
    if not totals.files:
        raise UserError(f"{sources[0]}: none of the {totals.refused} files could be exported")
    return closing_line(export, totals, targets[0] if len(files) == 1 else targets[0].parent, lacking)


def export_file(export: Export, file: Path, target: Path, totals: Totals) -> None:
    """Write one recording; adds to the totals."""
    form, source = export.format, read_recording(file)
    recording = source.with_rate(export.fps or USUAL_FPS)
    fps = form.fps or export.out_fps
    if fps is not None:
        recording = recording.at_rate(fps)
    form.write(target, recording, **export.options)
    totals.files += 1
    totals.frames += recording.frames
    totals.seconds += recording.duration_s or 0.0
    totals.assumed += source.fps is None and export.fps is None and (form.times or fps is not None)
    totals.dropped += int(source.dropped_before.sum())
    totals.gaps += gaps(file, source)
    totals.doubled += len(source.doubled_rows)
    totals.angles_lost += bool(recording.angles) and not export.keeps_angles
    totals.times_lost += recording.times_s is not None and not form.times


def gaps(file: Path, recording: Recording) -> list[str]:
    """Where a recording's frames are missing, in words: the file, and the seconds of the frames around each gap."""
    missing = np.flatnonzero(recording.dropped_before)
    times = recording.clock_s() if len(missing) else np.zeros(0)
    return [f"{file.name} {times[frame - 1]:.3f}–{times[frame]:.3f} s" for frame in missing]


def target_paths(export: Export, files: Sequence[Path], sources: Sequence[Path], out: Path | None) -> list[Path]:
    """Where each file's result goes. Raises UserError for an `out` that is named for another kind of file."""
    suffix = export.format.suffix
    if out is None:
        return [file.with_suffix(suffix) for file in files]
    one = len(sources) == 1 and sources[0].is_file()
    if not one and out.suffix.lower() in {other.suffix for other in FORMATS.values()} and not out.is_dir():
        raise UserError(f"--out {out}: names a file, but there may be several; name a folder")
    if not one or out.is_dir():
        return [out / f"{file.stem}{suffix}" for file in files]
    if out.suffix.lower() != suffix:
        name = f"{sources[0].stem}{suffix}"
        raise UserError(f"--out {out}: {export.to} is {suffix}; name it {name} or the like")
    return [out]


def refuse_clashes(files: Sequence[Path], targets: Sequence[Path], head: Path | None) -> None:
    """Raises UserError when a result would overwrite a source, the head or another result."""
    written: dict[Path, Path] = {}
    for file, target in zip(files, targets, strict=True):
        if target in written:
            raise UserError(f"{file}: has the same stem as {written[target]}; keep one of them")
        written[target] = file
    keep_apart([*files, head], [("--out", target) for target in targets])


def closing_line(export: Export, totals: Totals, out: Path, lacking: Sequence[str]) -> str:
    """What was written where, and what a person may miss in it. lacking: blendshapes that do not move the head."""
    files = f"{totals.files} file{'s' * (totals.files > 1)}"
    words = [f"exported {files} as {export.to}, {totals.frames:,} frames, {totals.seconds:.1f} s: {out}"]
    if totals.assumed:
        words.append(f"{totals.assumed} told no rate, so it was taken to be {USUAL_FPS:g}; --fps says another")
    if totals.dropped or totals.doubled:
        mended = " in the sources, bridged by time" if export.out_fps else " in the sources"
        first = (
            f" ({', '.join(totals.gaps[:MOST_GAPS])}{', …' * (len(totals.gaps) > MOST_GAPS)})" if totals.gaps else ""
        )
        words.append(f"{totals.dropped} dropped{first} and {totals.doubled} doubled frames{mended}")
    if totals.angles_lost:
        needs = export.format.angles
        why = f"which --{needs} takes along" if needs else f"for {export.to} has no place for them"
        words.append(f"head and eye angles left out of {totals.angles_lost}, {why}")
    if totals.times_lost:
        words.append(f"times left out of {totals.times_lost}, so use --out_fps to keep them even")
    if lacking:
        words.append(f"the head does not move for {', '.join(lacking)}")
    if totals.refused:
        words.append(f"{totals.refused} refused")
    return "; ".join(words)
