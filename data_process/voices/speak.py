"""Speak a plan into a corpus folder: sound, phones, words, sentences, and who spoke."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tqdm import tqdm

from config.errors import UserError
from config.files import written_whole
from data_process.stages import Item, StageReport, run_stage
from data_process.voices.casting import VoiceClip
from data_process.voices.kokoro import MODEL_SHA256, RATE, load_engine
from data_process.voices.phone_times import timed
from dataset.audio import read_audio, resample_audio, to_int16, write_wav
from dataset.corpus import Corpus
from dataset.transcript import write_tsv

STAGE = "voices"
VERSION = 1  # to raise whenever another plan or another sound follows from the same seed
PEAK = 0.5  # of the sound, full scale being 1
ORIGIN = "synthetic, not captured: Kokoro-82M speech"


@dataclass(frozen=True)
class VoiceItem(Item):
    """A clip's work: what to say and how."""

    take: VoiceClip


def speak_takes(
    takes: Sequence[VoiceClip], corpus: Corpus, engine: Path, seed: int, jobs: int = 1, strict: bool = False
) -> StageReport:
    """Write wav/ of every take, then what is known of those that were spoken; the stage reports the units of each.

    Raises UserError where the corpus holds clips of another plan.
    """
    planned = {take.id for take in takes}
    strange = sorted(corpus.files("wav").keys() - planned)
    if strange:
        raise UserError(
            f"{corpus.folder}: holds clips that this would not make, such as {strange[0]}; choose another --out"
        )
    report = run_stage(
        STAGE,
        [VoiceItem(take.id, (), (corpus.place("wav", take.id),), take) for take in takes],
        partial(_speak, engine=engine),
        records=corpus.records(STAGE),
        settings={"version": VERSION, "seed": seed, "model": MODEL_SHA256},
        jobs=jobs,
        strict=strict,
    )
    spoken = [take for take in takes if take.id in report.results]
    for take in tqdm(spoken, desc="phones", unit="clip"):
        _write_times(take, report.results[take.id], corpus)
    _write_manifest(spoken, corpus)
    return report


def _speak(item: VoiceItem, engine: Path) -> list[int]:
    """Write the sound, as loud as every other; returns the units of each symbol."""
    take = item.take
    samples, units = load_engine(engine).speak(take.line.symbols, take.voices, take.speed)
    audio = resample_audio(samples, RATE)
    write_wav(item.outputs[0], to_int16(audio * (PEAK / abs(audio).max())))
    return [int(count) for count in units]


def _write_times(take: VoiceClip, units: list[int], corpus: Corpus) -> None:
    """phones/, tsv/ and text/, which follow from the units and the sound."""
    phones, tokens = timed(take.line, units, read_audio(corpus.place("wav", take.id)))
    write_tsv(corpus.place("phones", take.id), phones, (f"{ORIGIN}, its phones",))
    write_tsv(corpus.place("tsv", take.id), tokens, (f"{ORIGIN}, its words",))
    with written_whole(corpus.place("text", take.id)) as partial_file:
        partial_file.write_text(f"{take.line.text}\n", encoding="utf-8", newline="\n")


def _write_manifest(takes: Sequence[VoiceClip], corpus: Corpus) -> None:
    sides = {take.id: "val" if take.is_held_out else "train" for take in takes}
    corpus.write_manifest({take.id: {"speaker": take.speaker, "split": sides[take.id]} for take in takes})
