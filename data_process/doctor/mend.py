"""The safe cures into a new corpus: shift by the lag, cut to the common length, leave out what cannot be mended."""

import csv
import json
import math
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile

from config.errors import UserError
from config.files import write_json, written_whole
from config.locks import alone
from data_process.doctor.judgement import Finding
from data_process.doctor.measure import Measured
from data_process.doctor.report import Diagnosis
from data_process.stages import Item, run_stage
from dataset.blendshapes import read_csv
from dataset.corpus import Corpus, Prepared
from dataset.transcript import Word, read_tsv, write_tsv

STAGE = "mend"
VERSION = 1  # higher whenever the code writes other files of the same ones
LEFT_OUT = "left_out.txt"


@dataclass(frozen=True)
class Cut:
    """What a clip loses: curves and sound at their start, and what is past the common length."""

    frames: int
    sound_s: float
    length_s: float

    def rows(self, fps: float) -> slice:
        """The frames that stay."""
        return slice(self.frames, self.frames + round(self.length_s * fps))


@dataclass(frozen=True)
class _MendItem(Item):
    """A clip's files, what it loses, and the folders between which they go."""

    clip: Measured
    how: Cut | None
    corpus: Path
    out: Path

    @property
    def settings(self) -> str:
        return repr(self.how)


def mend(diagnosis: Diagnosis, out: Path) -> str:
    """Write the mended corpus to a new folder, or bring the one that it was written to up to date; a line of totals.

    A clip with an error that has no cure is left out, and is named in left_out.txt. What needs no cure is copied bit
    for bit. `out` is there when all of it is; what was killed before goes on where it stopped.
    Raises UserError when `out` is another folder than this corpus was mended to, or lies in the corpus, or no clip
    would be left.
    """
    if diagnosis.corpus.resolve() in out.resolve().parents:
        raise UserError(f"{out}: lies in the corpus; name a folder outside of it")
    by_clip: dict[str, list[Finding]] = {clip.id: [] for clip in diagnosis.clips}
    for finding in diagnosis.findings:
        by_clip.setdefault(finding.clip, []).append(finding)
    left_out = {clip: reason for clip, findings in by_clip.items() if clip and (reason := why_left_out(findings))}
    kept = [clip for clip in diagnosis.clips if clip.id not in left_out]
    if not kept:
        raise UserError(f"{diagnosis.corpus}: no clip is left; the first goes because {next(iter(left_out.values()))}")
    cuts = {clip.id: cut_for(clip, {finding.mend for finding in by_clip[clip.id]}) for clip in kept}
    with _folder_to_fill(diagnosis.corpus, out) as folder:
        items = [_item(clip, cuts[clip.id], diagnosis.corpus, folder) for clip in kept]
        old = _note_files(diagnosis.corpus, folder, items)
        records = Corpus(folder).records(STAGE)
        run_stage(STAGE, items, _write_clip, records=records, settings={"version": VERSION}, strict=True, is_share=True)
        lines = [f"{clip}: {reason}\n" for clip, reason in left_out.items()]
        _write_about(Corpus(diagnosis.corpus), Corpus(folder), {clip.id for clip in kept}, "".join(lines))
        for name in old - _names(folder, items):
            (folder / name).unlink(missing_ok=True)
    names = f": see {out / LEFT_OUT}" if left_out else ""
    cut = sum(how is not None for how in cuts.values())
    return f"mended {cut} clips, copied {len(kept) - cut}, left out {len(left_out)}{names}\n{out}"


@contextmanager
def _folder_to_fill(corpus: Path, out: Path) -> Iterator[Path]:
    """`out` if this corpus was mended to it, else a folder beside it, perhaps half full, renamed into place at the end.

    Raises UserError for an `out` of anything else, and one that cannot be written to.
    """
    half = out.with_name(f".{out.name}.{STAGE}.partial")
    with alone(out, "another process is writing it at this moment; wait for it, or name another folder"):
        if out.exists() and not _is_mended_from(corpus, out):
            raise UserError(f"{out}: exists already; name a new folder")
        try:
            if not out.exists() and half.exists() and not _is_mended_from(corpus, half):
                shutil.rmtree(half)
            folder = out if out.exists() else half
            folder.mkdir(parents=True, exist_ok=True)
            os.utime(folder)  # it is not abandoned
            for left in folder.rglob(".*.partial"):  # by a process that was killed: only one writes here
                left.unlink()
            yield folder
            if folder == half:
                half.replace(out)
        except OSError as error:
            raise UserError(f"{out}: cannot be written: {error.strerror or error}") from None


def _is_mended_from(corpus: Path, folder: Path) -> bool:
    return _noted(folder).get("corpus") == str(corpus.resolve())


def _noted(folder: Path) -> dict[str, Any]:
    """What _note_files wrote; {} in a folder of another kind."""
    with suppress(OSError, ValueError):
        noted = json.loads(_note(folder).read_text(encoding="utf-8"))
        return noted if isinstance(noted, dict) else {}
    return {}


def _note(folder: Path) -> Path:
    return Corpus(folder).records(f"{STAGE}.json")


def _note_files(corpus: Path, folder: Path, items: Sequence[_MendItem]) -> set[str]:
    """Note from where the folder is filled and, before they are written, with which files; those noted by now."""
    names = _names(folder, items)
    old = set(_noted(folder).get("files", []))
    write_json(_note(folder), {"corpus": str(corpus.resolve()), "files": sorted(names | old)})
    return old


def _names(folder: Path, items: Sequence[_MendItem]) -> set[str]:
    return {output.relative_to(folder).as_posix() for item in items for output in item.outputs}


def _item(clip: Measured, how: Cut | None, corpus: Path, out: Path) -> _MendItem:
    files = clip.files.present
    return _MendItem(clip.id, files, tuple(out / file.relative_to(corpus) for file in files), clip, how, corpus, out)


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


def _write_clip(item: Item) -> None:
    assert isinstance(item, _MendItem)
    files, how = item.clip.files, item.how
    for file, target in zip(item.inputs, item.outputs, strict=True):
        if how is not None and file == files.bs:
            assert item.clip.curves is not None
            read_csv(file).cut(how.rows(item.clip.curves.fps)).write(target)
        elif how is not None and file in (files.tsv, files.phones):
            write_tsv(target, cut_words(read_tsv(file), how), _comments(file))
        else:
            with written_whole(target) as partial:
                if how is not None and file == files.wav:
                    _cut_sound(file, partial, how)
                else:
                    shutil.copyfile(file, partial)


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


def _write_about(corpus: Corpus, out: Corpus, kept: set[str], left_out: str) -> None:
    """left_out.txt; prepare.json and manifest.csv of what is kept: what prepare said of the raw files stays true."""
    with written_whole(out.folder / LEFT_OUT) as partial:
        partial.write_text(left_out, encoding="utf-8")
    if corpus.prepared.is_file():
        prepared = corpus.read_prepared()
        clips = {clip: found for clip, found in prepared.clips.items() if clip in kept}
        out.write_prepared(Prepared(prepared.fps, clips))
    if corpus.manifest.is_file():
        with corpus.manifest.open(encoding="utf-8-sig", newline="") as file:
            header, *rows = list(csv.reader(file))
        place = header.index("id")
        with written_whole(out.manifest) as partial, partial.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([header, *(row for row in rows if row and row[place] in kept)])
