"""Pack a corpus (wav/ + bs/ + tsv/ + phones/), or several, into an LMDB of clips."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import numpy as np

from config.command import config_arguments, run
from config.errors import UserError, in_one_line
from config.files import keep_apart, written_whole
from config.load import load_config
from config.processes import POLL_S, Meeting, share
from config.schema import Data
from config.units import SAMPLE_RATE, frame_count
from data_process.stages import parallel, positive_number, stage_arguments
from dataset.audio import read_int16
from dataset.blendshapes import ARKIT, read_curves
from dataset.corpus import ClipFiles, Corpus
from dataset.recordings.resample import resample_curves
from dataset.shards import discard, finish_replacing, is_being_replaced, partials, replace_set, shard_paths, writing
from dataset.split import check_named, domain_of, matches
from dataset.transcript import check_within, read_tsv

if TYPE_CHECKING:
    from dataset.clip import Clip
    from dataset.store import Record

CLIPS_A_PROCESS = 128  # fewer are packed sooner than a process has started


class UnusableError(UserError):
    """Why a clip is dropped that has nothing wrong with its files."""


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
    from dataset.store import write_shards

    clips, files = find_clips(data.corpus), shard_paths(data.lmdb, shards)
    keep_apart([path for clip in clips for path in clip.present], [("data.lmdb", file) for file in files])
    check_named(data, "exclude", data.exclude, [clip.id for clip in clips])
    meeting = Meeting(data.lmdb.with_name(f".{data.lmdb.name}.ranks"))
    if shards % meeting.processes:
        raise UserError(
            f"{shards} shard(s) cannot be shared by {meeting.processes} processes; "
            f"say --shards {meeting.processes} or a multiple of it"
        )
    with writing(data.lmdb) if meeting.rank == 0 else nullcontext():
        wait_for_the_old_set(data.lmdb, meeting)
        dropped: list[str] = []
        records = (
            (number % shards, record)
            for number, record in pack_clips(share(list(enumerate(clips))), data, dropped, jobs, strict)
        )
        written = partials(files)
        infos = write_shards(
            {number: written[file] for number, file in share(list(enumerate(files)))}, records, data.fps
        )
        own = [(file.name, written[file].name) for file in share(files)]
        parts = meeting.gather([[asdict(info) for info in infos], dropped, own])
        if parts is not None:
            close(data, files, parts)


def wait_for_the_old_set(lmdb: Path, meeting: Meeting) -> None:
    """Finish what a process killed in its last step left, in the first process while the others wait."""
    if meeting.rank == 0:
        finish_replacing(lmdb)
    while is_being_replaced(lmdb):
        time.sleep(POLL_S)


def close(data: Data, files: list[Path], parts: list[Any]) -> None:
    """Put the new database in place and say what it holds. Raises UserError when it holds nothing."""
    from dataset.store import ClipInfo

    clips = sorted((ClipInfo(**info) for infos, _, _ in parts for info in infos), key=lambda clip: clip.id)
    dropped = sorted(line for _, lines, _ in parts for line in lines)
    written = {data.lmdb.with_name(final): data.lmdb.with_name(name) for _, _, own in parts for final, name in own}
    if not clips:
        discard(written.values())
        raise UserError(f"{data.corpora}: no usable clip; the first was dropped because {dropped[0]}")
    replace_set(data.lmdb, written)
    log = data.lmdb.with_name("pack.log")
    with written_whole(log) as partial_file:
        partial_file.write_text("".join(f"{line}\n" for line in dropped), encoding="utf-8")
    frames = sum(clip.frames for clip in clips)
    print(
        f"packed {len(clips)} clips, {frames:,} frames ({frames / data.fps / 60:.1f} min), "
        f"{len(dropped)} dropped{f': see {log}' if dropped else ''}\n"
        f"{data.lmdb}{f' in {len(files)} shards' if len(files) > 1 else ''}"
    )


def find_clips(corpora: Sequence[Path]) -> list[ClipFiles]:
    """Every clip of the corpora that has sound, sorted by id.

    Raises UserError where one has no sound or no curves at all, and when two files claim one clip.
    """
    found: dict[str, ClipFiles] = {}
    for corpus in map(Corpus, corpora):
        corpus.needed("bs")
        corpus.needed("wav")
        for clip in corpus.clips():
            if clip.wav and clip.id in found:
                raise UserError(f"{clip.wav}: the clip {clip.id} is {found[clip.id].wav} too; rename one of them")
            if clip.wav:
                found[clip.id] = clip
    return [found[clip] for clip in sorted(found)]


def pack_clips(
    clips: Sequence[tuple[int, ClipFiles]], data: Data, dropped: list[str], jobs: int = 1, strict: bool = False
) -> Iterator[tuple[int, "Record"]]:
    """(number, record) of every usable one of numbered clips, in order; adds `id: reason` to `dropped` for others.

    Raises UserError at the first file that cannot be read when strict.
    """
    jobs = min(jobs, len(clips) // CLIPS_A_PROCESS)
    for (number, clip), outcome in parallel("pack", clips, partial(read_record, data=data), jobs):
        if not isinstance(outcome, UserError):
            yield number, outcome
        elif strict and not isinstance(outcome, UnusableError):
            raise outcome
        else:
            dropped.append(f"{clip.id}: {str(outcome).removeprefix(f'{clip.id}: ')}")


def read_record(numbered: tuple[int, ClipFiles], data: Data) -> "Record":
    """What the database holds of a clip. Raises UserError with the reason to drop it."""
    from dataset.store import to_record

    _, files = numbered
    with in_one_line(files.id):
        return to_record(read_clip(files, data), files.side)


def read_clip(files: ClipFiles, data: Data) -> "Clip":
    """The clip in files of which wav is there: 16 kHz audio, curves at data.fps, both cut to the same length.

    Raises UserError, and of its kind UnusableError, with the reason to drop it.
    """
    from dataset.clip import Clip

    if files.wav is None:
        raise UnusableError("no sound of this name in wav/")
    if matches(files.id, data.exclude):
        raise UnusableError("excluded by data.exclude")
    if files.bs is None:
        raise UnusableError("no csv of this name in bs/")
    if files.tsv is None and data.require_transcripts:
        raise UnusableError("no tsv of this name in tsv/, and data.require_transcripts is true")
    domain = domain_of(files.id, data.domains)
    words, phones = (read_tsv(file) if file else [] for file in (files.tsv, files.phones))
    if data.require_transcripts and not words:
        raise UnusableError("its tsv holds no words, and data.require_transcripts is true")
    audio = read_int16(files.wav)
    source_fps = data.source_fps or data.fps
    raw = read_curves(files.bs)

    for file, timed in ((files.tsv, words), (files.phones, phones)):
        if file:
            check_within(file, timed, len(audio) / SAMPLE_RATE)
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
    corpus = next(folder for folder in data.corpus if files.wav.is_relative_to(folder))
    source = files.wav.relative_to(corpus).as_posix()
    channels = tuple(name for name in ARKIT if name not in files.uncaptured)
    return Clip(files.id, domain, data.fps, audio, curves[:frames], tuple(words), source, tuple(phones), channels)


if __name__ == "__main__":
    run(main)
