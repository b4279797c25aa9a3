"""The safe cures into a new corpus: shift by the lag, cut to the common length, leave out what cannot be mended."""

import csv
import math
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import soundfile
from tqdm import tqdm

from config.errors import UserError
from config.files import partial_path, remove_abandoned
from data_process.doctor.judgement import Finding
from data_process.doctor.measure import Measured
from data_process.doctor.report import Diagnosis
from dataset.blendshapes import read_csv
from dataset.corpus import Corpus, Prepared
from dataset.transcript import Word, read_tsv, write_tsv


@dataclass(frozen=True)
class Cut:
    """What a clip loses: curves and sound at their start, and what is past the common length."""

    frames: int
    sound_s: float
    length_s: float

    def rows(self, fps: float) -> slice:
        """The frames that stay."""
        return slice(self.frames, self.frames + round(self.length_s * fps))


def mend(diagnosis: Diagnosis, out: Path) -> str:
    """Write the mended corpus to a new folder; returns a line of totals.

    A clip with an error that has no cure is left out, and is named in left_out.txt. What needs no cure is copied bit
    for bit. Raises UserError when `out` is there already, or lies in the corpus, or no clip would be left.
    """
    if out.exists():
        raise UserError(f"{out}: exists already; name a new folder")
    if diagnosis.corpus.resolve() in out.resolve().parents:
        raise UserError(f"{out}: lies in the corpus; name a folder outside of it")
    by_clip: dict[str, list[Finding]] = {clip.id: [] for clip in diagnosis.clips}
    for finding in diagnosis.findings:
        by_clip.setdefault(finding.clip, []).append(finding)
    left_out = {clip: reason for clip, findings in by_clip.items() if clip and (reason := why_left_out(findings))}
    kept = [clip for clip in diagnosis.clips if clip.id not in left_out]
    if not kept:
        raise UserError(f"{diagnosis.corpus}: no clip is left; the first goes because {next(iter(left_out.values()))}")
    cut = 0
    with _folder_written_whole(out) as partial:
        for clip in tqdm(kept, "mend", unit="clip"):
            how = cut_for(clip, {finding.mend for finding in by_clip[clip.id]})
            cut += how is not None
            _write_clip(clip, how, diagnosis.corpus, partial)
        _write_about(Corpus(diagnosis.corpus), Corpus(partial), {clip.id for clip in kept})
        lines = [f"{clip}: {reason}\n" for clip, reason in left_out.items()]
        (partial / "left_out.txt").write_text("".join(lines), encoding="utf-8")
    names = f": see {out / 'left_out.txt'}" if left_out else ""
    return f"mended {cut} clips, copied {len(kept) - cut}, left out {len(left_out)}{names}\n{out}"


@contextmanager
def _folder_written_whole(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` to write to; renamed into place at the end, removed when anything fails.

    Raises UserError when the place cannot be written to.
    """
    partial = partial_path(folder)
    try:
        partial.mkdir(parents=True)
        remove_abandoned(folder.parent)
        yield partial
        partial.replace(folder)
    except BaseException as error:
        with suppress(OSError):
            shutil.rmtree(partial)
        if isinstance(error, OSError):
            raise UserError(f"{folder}: cannot be written: {error.strerror or error}") from None
        raise


def why_left_out(findings: Sequence[Finding]) -> str | None:
    """The first finding that takes the clip out: one to be dropped, or an error without a cure."""
    for finding in findings:
        if finding.mend == "drop" or (finding.level == "error" and not finding.mend):
            return f"{finding.kind}: {finding.message}"
    return None


def cut_for(clip: Measured, cures: set[str]) -> Cut | None:
    """What to cut so that sound and curves start together and end together; None when nothing is to be cured."""
    if not cures & {"shift", "trim"} or clip.sound is None or clip.curves is None:
        return None
    late_s = clip.lag.ms / 1000 if "shift" in cures and clip.lag is not None else 0.0
    frames = max(0, math.ceil(late_s * clip.curves.fps))
    frames_s = frames / clip.curves.fps
    sound_s = frames_s - late_s
    length_s = min(clip.sound.duration_s - sound_s, clip.curves.duration_s - frames_s)
    return Cut(frames, sound_s, math.floor(length_s * clip.curves.fps + 1e-6) / clip.curves.fps)


def _write_clip(clip: Measured, how: Cut | None, corpus: Path, out: Path) -> None:
    files = clip.files
    for file in files.present:
        target = out / file.relative_to(corpus)
        target.parent.mkdir(parents=True, exist_ok=True)
        if how is not None and file == files.wav:
            _cut_sound(file, target, how)
        elif how is not None and file == files.bs:
            assert clip.curves is not None
            read_csv(file).cut(how.rows(clip.curves.fps)).write(target)
        elif how is not None and file in (files.tsv, files.phones):
            write_tsv(target, cut_words(read_tsv(file), how), _comments(file))
        else:
            shutil.copyfile(file, target)


def _cut_sound(source: Path, target: Path, how: Cut) -> None:
    """At its own rate, width and channels, so that nothing else changes."""
    with soundfile.SoundFile(source) as file:
        rate, subtype, kind = file.samplerate, file.subtype, file.format
        file.seek(round(how.sound_s * rate))
        samples = file.read(round(how.length_s * rate), always_2d=True)
    soundfile.write(target, samples, rate, subtype=subtype, format=kind)


def cut_words(words: Sequence[Word], how: Cut) -> list[Word]:
    """The words that lie in what stays, at their new times; one that is cut through keeps its rest."""
    moved = [Word(word.text, word.start_s - how.sound_s, word.end_s - how.sound_s) for word in words]
    return [
        Word(word.text, max(0.0, word.start_s), min(word.end_s, how.length_s))
        for word in moved
        if word.end_s > 0 and word.start_s < how.length_s
    ]


def _comments(tsv: Path) -> tuple[str, ...]:
    lines = tsv.read_text(encoding="utf-8-sig").splitlines()
    return tuple(line.removeprefix("#").strip() for line in lines if line.startswith("#"))


def _write_about(corpus: Corpus, out: Corpus, kept: set[str]) -> None:
    """prepare.json and manifest.csv, of what is kept: what prepare said of the raw files stays true of it."""
    if corpus.prepared.is_file():
        prepared = corpus.read_prepared()
        clips = {clip: found for clip, found in prepared.clips.items() if clip in kept}
        out.write_prepared(Prepared(prepared.fps, clips))
    if corpus.manifest.is_file():
        with corpus.manifest.open(encoding="utf-8-sig", newline="") as file:
            header, *rows = list(csv.reader(file))
        place = header.index("id")
        with out.manifest.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([header, *(row for row in rows if row and row[place] in kept)])
