"""Pack a corpus (wav/ + bs/ + tsv/) into an LMDB of clips."""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import numpy as np

from config.command import UserError, config_arguments, run
from config.files import by_stem, find
from config.load import load_config
from config.processes import POLL_S, Meeting, share
from config.schema import Data
from config.units import SAMPLE_RATE, frame_count
from data_process.stages import parallel, positive_number, stage_arguments
from dataset.audio import AUDIO_SUFFIXES, read_audio, to_int16
from dataset.blendshapes import read_curves
from dataset.recordings.resample import resample_curves
from dataset.split import check_named, domain_of, matches
from dataset.transcript import check_within, read_tsv

if TYPE_CHECKING:
    from dataset.clip import Clip
    from dataset.store import Record

CLIPS_A_PROCESS = 128  # fewer are packed sooner than a process has started
FOLDERS = ("train", "val")  # below wav/, for data.split.by: folder


@dataclass(frozen=True)
class Recording:
    """One sound file of the corpus and what belongs to it, by stem."""

    id: str
    folder: str  # of FOLDERS where wav/ has them, else ""
    wav: Path
    curves: Path | None
    transcript: Path | None


class UnusableError(UserError):
    """Why a recording is dropped that has nothing wrong with its files."""


def main() -> None:
    arguments = config_arguments(
        __doc__,
        """python -m data_process.pack --config config/facegood.yml
        python -m data_process.pack --config config/aiwin.yml data.corpus=~/contest
        python -m data_process.pack --config config/mine.yml --shards 8
        torchrun --nproc_per_node 4 -m data_process.pack --config config/mine.yml --shards 8""",
    )
    arguments.add_argument("--shards", type=positive_number, default=1, help="files to spread the clips over")
    stage_arguments(arguments)
    options = arguments.parse_args()
    pack(load_config(options.config, options.overrides).data, options.shards, options.jobs, options.strict)


def pack(data: Data, shards: int = 1, jobs: int = 1, strict: bool = False) -> None:
    """Write the database in so many shards and pack.log, and print a line of totals.

    The old database stays whole until the new one is complete. Under torchrun each process packs every n-th clip into
    shards of its own; the first one does the rest.
    """
    from dataset.shards import shard_paths
    from dataset.store import write_shards

    recordings, files = find_recordings(data.corpus), shard_paths(data.lmdb, shards)
    check_named(data, "exclude", data.exclude, [recording.id for recording in recordings])
    meeting = Meeting(data.lmdb.with_name(f".{data.lmdb.name}.ranks"))
    if shards % meeting.processes:
        raise UserError(
            f"{shards} shard(s) cannot be shared by {meeting.processes} processes; "
            f"say --shards {meeting.processes} or a multiple of it"
        )
    wait_for_the_old_set(data.lmdb, meeting)
    dropped: list[str] = []
    records = (
        (number % shards, record)
        for number, record in pack_recordings(share(list(enumerate(recordings))), data, dropped, jobs, strict)
    )
    infos = write_shards(dict(share(list(enumerate(files)))), records, data.fps)
    parts = meeting.gather([[asdict(info) for info in infos], dropped])
    if parts is not None:
        close(data, files, parts)


def wait_for_the_old_set(lmdb: Path, meeting: Meeting) -> None:
    """Finish what a process killed in its last step left, in the first process while the others wait."""
    from dataset.shards import finish_replacing, is_being_replaced

    if meeting.rank == 0:
        finish_replacing(lmdb)
    while is_being_replaced(lmdb):
        time.sleep(POLL_S)


def close(data: Data, files: list[Path], parts: list[Any]) -> None:
    """Put the new database in place and say what it holds. Raises UserError when it holds nothing."""
    from dataset.shards import discard, replace_set
    from dataset.store import ClipInfo

    clips = sorted((ClipInfo(**info) for infos, _ in parts for info in infos), key=lambda clip: clip.id)
    dropped = sorted(line for _, lines in parts for line in lines)
    if not clips:
        discard(files)
        raise UserError(f"{data.corpus}: no usable clip; the first was dropped because {dropped[0]}")
    replace_set(data.lmdb, files)
    log = data.lmdb.with_name("pack.log")
    log.write_text("".join(f"{line}\n" for line in dropped), encoding="utf-8")
    frames = sum(clip.frames for clip in clips)
    print(
        f"packed {len(clips)} clips, {frames:,} frames ({frames / data.fps / 60:.1f} min), "
        f"{len(dropped)} dropped{f': see {log}' if dropped else ''}\n"
        f"{data.lmdb}{f' in {len(files)} shards' if len(files) > 1 else ''}"
    )


def find_recordings(corpus: Path) -> list[Recording]:
    """Every sound file in the corpus, sorted by id, with its csv and tsv where there are any.

    Raises UserError when there is no wav/ or bs/ folder, or two files claim one id.
    """
    if not (corpus / "bs").is_dir():
        raise UserError(f"{corpus}: no bs/ folder; a corpus has wav/, bs/ and, with transcripts, tsv/")
    folders = [folder for folder in FOLDERS if (corpus / "wav" / folder).is_dir()] or [""]
    sounds = by_stem([file for folder in folders for file in find(corpus / "wav" / folder, AUDIO_SUFFIXES)])
    curves = by_stem(find(corpus / "bs", (".csv",)))
    transcripts = by_stem(sorted((corpus / "tsv").glob("*.tsv")))  # none, perhaps
    return [
        Recording(stem, wav.parent.name if folders != [""] else "", wav, curves.get(stem), transcripts.get(stem))
        for stem, wav in sorted(sounds.items())
    ]


def pack_recordings(
    recordings: Sequence[tuple[int, Recording]], data: Data, dropped: list[str], jobs: int = 1, strict: bool = False
) -> Iterator[tuple[int, "Record"]]:
    """(number, record) of every usable one of numbered recordings, in order; adds `id: reason` to `dropped` for others.

    Raises UserError at the first file that cannot be read when strict.
    """
    jobs = min(jobs, len(recordings) // CLIPS_A_PROCESS)
    for (number, recording), outcome in parallel("pack", recordings, partial(read_record, data=data), jobs):
        if not isinstance(outcome, UserError):
            yield number, outcome
        elif strict and not isinstance(outcome, UnusableError):
            raise outcome
        else:
            dropped.append(f"{recording.id}: {str(outcome).removeprefix(f'{recording.id}: ')}")


def read_record(numbered: tuple[int, Recording], data: Data) -> "Record":
    """What the database holds of a recording. Raises UserError with the reason to drop it."""
    from dataset.store import to_record

    _, recording = numbered
    return to_record(read_clip(recording, data), recording.folder)


def read_clip(recording: Recording, data: Data) -> "Clip":
    """The clip of a recording: 16 kHz audio, curves at data.fps, both cut to the same length.

    Raises UserError, and of its kind UnusableError, with the reason to drop it.
    """
    from dataset.clip import Clip

    if matches(recording.id, data.exclude):
        raise UnusableError("excluded by data.exclude")
    if recording.curves is None:
        raise UnusableError("no csv of this name in bs/")
    if recording.transcript is None and data.require_transcripts:
        raise UnusableError("no tsv of this name in tsv/, and data.require_transcripts is true")
    domain = domain_of(recording.id, data.domains)
    words = read_tsv(recording.transcript) if recording.transcript else []
    if data.require_transcripts and not words:
        raise UnusableError("its tsv holds no words, and data.require_transcripts is true")
    audio = to_int16(read_audio(recording.wav))
    source_fps = data.source_fps or data.fps
    raw = read_curves(recording.curves)

    if recording.transcript:
        check_within(recording.transcript, words, len(audio) / SAMPLE_RATE)
    audio_s, curves_s = len(audio) / SAMPLE_RATE, len(raw) / source_fps
    if abs(audio_s - curves_s) > data.max_gap_s:
        raise UnusableError(
            f"audio lasts {audio_s:.2f} s and curves {curves_s:.2f} s ({len(raw)} frames at {source_fps:g} fps); "
            f"data.max_gap_s allows {data.max_gap_s:g} s"
        )
    curves = resample_curves(raw, source_fps, data.fps)
    frames = min(len(curves), frame_count(len(audio), data.fps))
    if not frames:
        raise UnusableError(f"audio lasts {audio_s:.3f} s, less than a frame")
    samples = round(frames * SAMPLE_RATE / data.fps)
    audio = np.pad(audio[:samples], (0, max(0, samples - len(audio))))
    source = str(recording.wav.relative_to(data.corpus))
    return Clip(recording.id, domain, data.fps, audio, curves[:frames], tuple(words), source)


if __name__ == "__main__":
    run(main)
