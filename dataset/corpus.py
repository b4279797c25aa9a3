"""The corpus folder: where things lie in it, which clips it holds, and what is told about them beside their files.

wav/<clip>.wav      sound; in wav/train/ and wav/val/ where folders say which clips validate
bs/<clip>.csv       curves
tsv/<clip>.tsv      words with their times
phones/<clip>.tsv   the sounds of speech with their times, in the form of tsv/: a token is a phone in IPA, a gap silence
text/<clip>.txt     the sentence, as it was written
neutral/<clip>.csv  the speaker's resting face
manifest.csv        a row a clip: id, speaker and, if one likes, split, and uncaptured: channels, with spaces between,
                    that the capture does not read, whatever bs/ holds there; training and scores leave them out
prepare.json        what data_process.prepare found in the raw files
.stages/<stage>/    what a stage did for each clip, so that it need not be done again
"""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from config.errors import UserError
from config.files import by_stem, regular, write_json, written_whole
from dataset.audio import AUDIO_SUFFIXES
from dataset.blendshapes import ARKIT, canonical, shown

Kind: TypeAlias = Literal["wav", "bs", "tsv", "phones", "text", "neutral"]
SUFFIXES: Mapping[Kind, tuple[str, ...]] = {
    "wav": AUDIO_SUFFIXES, "bs": (".csv",), "tsv": (".tsv",), "phones": (".tsv",), "text": (".txt",),
    "neutral": (".csv",),
}  # fmt: skip
SIDES = ("train", "val")
UNCAPTURED = "uncaptured"  # a column of manifest.csv
ALWAYS_CAPTURED = "JawOpen"  # of a face that is to speak
_LAYOUT = "a corpus has wav/, bs/ and, with transcripts, tsv/"
_HOW_TO_FILL: Mapping[Kind, str] = {
    "text": "; data_process.prepare writes it, or write what is said in a clip to text/<clip>.txt"
}


@dataclass(frozen=True)
class ClipFiles:
    """The files of one clip of a corpus; any of them may be missing."""

    id: str
    side: str = ""  # of SIDES where wav/ has them as folders, else ""
    wav: Path | None = None
    bs: Path | None = None
    tsv: Path | None = None
    phones: Path | None = None
    text: Path | None = None
    neutral: Path | None = None
    uncaptured: tuple[str, ...] = ()  # channels, by manifest.csv

    @property
    def present(self) -> tuple[Path, ...]:
        """Those that are there."""
        files = (self.wav, self.bs, self.tsv, self.phones, self.text, self.neutral)
        return tuple(path for path in files if path)


@dataclass(frozen=True)
class Prepared:
    """What data_process.prepare wrote about a corpus."""

    fps: float | None = None  # of bs/
    clips: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # clip → what was in its raw files


@dataclass(frozen=True)
class Corpus:
    """A corpus folder, which need not be there yet."""

    folder: Path

    def place(self, kind: Kind, clip: str) -> Path:
        """Where a stage writes a clip's file."""
        return self.folder / kind / f"{clip}{SUFFIXES[kind][0]}"

    def records(self, stage: str) -> Path:
        """The folder of what a stage did for each clip."""
        return self.folder / ".stages" / stage

    @property
    def manifest(self) -> Path:
        """The csv that says who speaks."""
        return self.folder / "manifest.csv"

    @property
    def prepared(self) -> Path:
        """The json that prepare writes."""
        return self.folder / "prepare.json"

    def files(self, kind: Kind) -> dict[str, Path]:
        """Clip → its file of a kind, sorted by clip; {} where there is none.

        Raises UserError where two files claim one clip.
        """
        folder = self.folder / kind
        sides = [folder / side for side in SIDES if (folder / side).is_dir()] if kind == "wav" else []
        found = [file for place in sides or [folder] if place.is_dir() for file in sorted(place.iterdir())]
        named = by_stem([file for file in found if file.suffix.lower() in SUFFIXES[kind] and file.is_file()])
        return dict(sorted(named.items()))

    def needed(self, kind: Kind) -> dict[str, Path]:
        """The same. Raises UserError, with how to mend it, where there is none too."""
        found = self.files(kind)
        if not found:
            is_there = (self.folder / kind).is_dir()
            lack = f"no {' or '.join(SUFFIXES[kind])} file in this folder" if is_there else f"no such folder; {_LAYOUT}"
            raise UserError(f"{self.folder / kind}: {lack}{_HOW_TO_FILL.get(kind, '')}")
        return found

    def clips(self) -> list[ClipFiles]:
        """Every clip of which wav/ or bs/ has a file, sorted by id.

        Raises UserError where neither folder holds any, where two files of a folder claim one clip, and for a
        manifest.csv that cannot be read.
        """
        found: dict[Kind, dict[str, Path]] = {kind: self.files(kind) for kind in SUFFIXES}
        ids = sorted(found["wav"].keys() | found["bs"].keys())
        if not ids:
            raise UserError(f"{self.folder}: no clip here; a corpus has sound in wav/ and curves in bs/")
        sides = {clip: path.parent.name for clip, path in found["wav"].items() if path.parent.name in SIDES}
        marks = self.uncaptured()
        return [
            ClipFiles(
                clip,
                sides.get(clip, ""),
                uncaptured=marks.get(clip, ()),
                **{kind: files.get(clip) for kind, files in found.items()},
            )
            for clip in ids
        ]

    def uncaptured(self) -> dict[str, tuple[str, ...]]:
        """Clip → the channels, in ARKit's order, that its capture does not read, where manifest.csv names any.

        Raises UserError as read_manifest does, for a name that is no channel, and where JawOpen is among them.
        """
        marked = {clip: row[UNCAPTURED].split() for clip, row in self.read_manifest().items() if row.get(UNCAPTURED)}
        return {clip: self._channels(clip, words) for clip, words in marked.items()}

    def _channels(self, clip: str, words: list[str]) -> tuple[str, ...]:
        names = {word: canonical(word) for word in words}
        if unknown := [word for word, name in names.items() if name is None]:
            raise UserError(f'{self.manifest}: {clip}: {UNCAPTURED}: "{shown(unknown[0])}" is no ARKit blendshape')
        if ALWAYS_CAPTURED in names.values():
            lack = f"without {ALWAYS_CAPTURED} no speech is seen"
            raise UserError(f"{self.manifest}: {clip}: {UNCAPTURED}: {lack}; leave the clip out")
        return tuple(name for name in ARKIT if name in names.values())

    def read_manifest(self) -> dict[str, dict[str, str]]:
        """Clip → its row of manifest.csv; {} where there is no such file. Raises UserError as read_manifest does."""
        return read_manifest(self.manifest)

    def write_manifest(self, rows: Mapping[str, Mapping[str, str]]) -> None:
        """Clip → what else its row of manifest.csv says, by column; written whole or not at all."""
        columns = ["id", *dict.fromkeys(name for row in rows.values() for name in row if name != "id")]
        with written_whole(self.manifest) as partial, partial.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows({**row, "id": clip} for clip, row in rows.items())

    def read_prepared(self) -> Prepared:
        """What prepare wrote; nothing where it did not. Raises UserError for a file that is no JSON object."""
        if not self.prepared.is_file():
            return Prepared()
        try:
            document = json.loads(regular(self.prepared).read_text(encoding="utf-8"))
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise UserError(f"{self.prepared}: not what prepare wrote; remove it or prepare again")
        return Prepared(document.get("fps"), document.get("clips", {}))

    def write_prepared(self, prepared: Prepared) -> None:
        """Write prepare.json, whole or not at all."""
        write_json(self.prepared, {"fps": prepared.fps, "clips": prepared.clips})


def sound_beside(curves: Path) -> Path:
    """The sound of a recording: of its name, in its folder or, in a corpus, in wav/. Raises UserError without one."""
    folders = (curves.parent, curves.parent.parent / "wav")
    found = [
        path for folder in folders for suffix in AUDIO_SUFFIXES if (path := folder / (curves.stem + suffix)).is_file()
    ]
    if not found:
        raise UserError(
            f"{curves}: no sound of this name beside it, such as {curves.with_suffix('.wav').name}; say where"
        )
    return found[0]


def corpus_of(curves: Path) -> Corpus | None:
    """The corpus in whose bs/ a file of curves lies; None where it lies in no folder of that name."""
    folder = curves.absolute().parent
    return Corpus(folder.parent) if folder.name == "bs" else None


def uncaptured_beside(curves: Path) -> tuple[str, ...]:
    """The channels that a file's corpus says its capture does not read. Raises as Corpus.uncaptured does."""
    corpus = corpus_of(curves)
    return corpus.uncaptured().get(curves.stem, ()) if corpus else ()


def read_manifest(path: Path) -> dict[str, dict[str, str]]:
    """Clip → its row of a csv with the columns id, speaker and what more it likes; {} where there is no such file.

    Raises UserError for a file that is not UTF-8 or lacks a column.
    """
    if not path.is_file():
        return {}
    try:
        with regular(path).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows = [{key: (value or "").strip() for key, value in row.items() if key} for row in reader]
            missing = [name for name in ("id", "speaker") if name not in (reader.fieldnames or ())]
    except (UnicodeDecodeError, csv.Error):
        raise UserError(f"{path}: not a csv text file in UTF-8") from None
    if missing:
        raise UserError(f"{path}, line 1: no column {missing[0]}; expected id, speaker and, if you like, split")
    return {row["id"]: row for row in rows}
