"""Pack a corpus (wav/ + bs/ + tsv/) into an LMDB of clips, with the training clips' stats beside it."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import numpy as np

from config.load import load_config
from config.schema import Data
from config.units import SAMPLE_RATE, frame_count
from dataset.audio import AUDIO_SUFFIXES, read_audio, to_int16
from dataset.blendshapes import ARKIT, read_csv
from dataset.command import UserError, config_arguments, run
from dataset.files import by_stem, find
from dataset.resample import resample_curves
from dataset.split import domain_of, matches, split_clips
from dataset.transcript import check_within, read_tsv

if TYPE_CHECKING:
    from dataset.clip import Clip

FOLDERS = ("train", "val")  # below wav/, for data.split.by: folder


@dataclass(frozen=True)
class Recording:
    """One sound file of the corpus and what belongs to it, by stem."""

    id: str
    folder: str  # of FOLDERS where wav/ has them, else ""
    wav: Path
    curves: Path | None
    transcript: Path | None


class UnusableError(Exception):
    """Why a recording is dropped."""


def main() -> None:
    arguments = config_arguments(
        __doc__,
        """python -m data_process.pack --config config/facegood.yml
        python -m data_process.pack --config config/aiwin.yml data.corpus=~/contest data.split.fold=2""",
    ).parse_args()
    from dataset.stats import save_stats, stats_path, training_stats
    from dataset.store import ClipStore, write_store

    data = load_config(arguments.config, arguments.overrides).data
    recordings = find_recordings(data.corpus)
    dropped: list[str] = []

    def new_clips() -> Iterator[tuple["Clip", str]]:
        packed = set()
        for clip, folder in pack_recordings(recordings, data, dropped):
            packed.add(clip.id)
            yield clip, folder
        split_clips([recording for recording in recordings if recording.id in packed], data.split)  # or refuse in time
        stats_path(data.lmdb).unlink(missing_ok=True)  # whenever the run is killed: no old stats beside new clips

    clips = write_store(data.lmdb, new_clips(), data.fps)
    log = data.lmdb.with_name("pack.log")
    log.write_text("".join(f"{line}\n" for line in dropped), encoding="utf-8")

    train, val = split_clips(clips, data.split)
    save_stats(stats_path(data.lmdb), training_stats(ClipStore(data.lmdb), train))
    frames = sum(clip.frames for clip in clips)
    print(
        f"packed {len(clips)} clips ({len(train)} train, {len(val)} val), {frames:,} frames "
        f"({frames / data.fps / 60:.1f} min), {len(dropped)} dropped{f': see {log}' if dropped else ''}\n{data.lmdb}"
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


def pack_recordings(recordings: list[Recording], data: Data, dropped: list[str]) -> Iterator[tuple["Clip", str]]:
    """(clip, folder) of every usable recording; adds `id: reason` to `dropped` for each of the others."""
    from tqdm import tqdm

    kept = 0
    for recording in tqdm(recordings, "pack", unit="clip"):
        try:
            yield read_clip(recording, data), recording.folder
            kept += 1
        except (UnusableError, UserError) as reason:
            dropped.append(f"{recording.id}: {str(reason).removeprefix(f'{recording.id}: ')}")
    if not kept:
        raise UserError(f"{data.corpus}: no usable clip; the first was dropped because {dropped[0]}")


def read_clip(recording: Recording, data: Data) -> "Clip":
    """The clip of a recording: 16 kHz audio, curves at data.fps, both cut to the same length.

    Raises UnusableError or UserError with the reason to drop it.
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
    raw = read_csv(recording.curves, required=ARKIT).select(ARKIT)

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
