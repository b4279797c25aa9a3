"""Speech in, curves out: a wav or a folder of them → csv with the 52 ARKit channels, one model load."""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import numpy as np

from config.command import parser, renamed, run
from config.errors import UserError
from config.files import by_stem, csv_named, find, keep_apart, output_path
from config.places import SHIPPED
from config.units import frame_count
from dataset.audio import AUDIO_SUFFIXES, open_sound
from dataset.blendshapes import ARKIT, to_arkit, write_columns, write_curves
from dataset.recordings.resample import resample_curves
from dataset.transcript import check_within, read_tsv
from postprocess.life.enlivener import HEAD, Enlivener, enliven, living_face

if TYPE_CHECKING:
    from model.synthesis import Synthesizer

EXAMPLES = """
    python scripts/synthesize.py --wav_path a.wav
    python scripts/synthesize.py --ckpt_path result/mine/best.safetensors --wav_path a.wav --transcript_path a.tsv
    python scripts/synthesize.py --wav_path wavs/ --out_path csvs/ --out_fps 60
    python scripts/synthesize.py --wav_path a.wav --enliven
    python scripts/synthesize.py --ckpt_path result/facegood_kfold/base/ensemble/ --wav_path a.wav
    python scripts/synthesize.py --wav_path a.wav --style_from me.csv --style_wav me.mov
"""


@dataclass(frozen=True)
class SynthesisRequest:
    """A command line."""

    ckpt_path: Path
    wav_path: Path
    transcript_path: Path | None
    out_path: Path | None
    out_fps: float | None
    overlap: int | None
    lookahead_ms: float | None
    domain: str | None
    style_from: Path | None
    style_wav: Path | None
    style_out: Path | None
    enliven: bool
    seed: int | None
    no_clamp: bool
    encoder_path: str | None
    device: str | None


def parse_arguments() -> SynthesisRequest:
    commands = parser(__doc__, EXAMPLES)
    add = commands.add_argument
    add(
        "--ckpt_path",
        type=Path,
        default=SHIPPED,
        help="checkpoint, a run's or an ensemble's folder, or a hub id (user/repo); by default the shipped weights",
    )
    add("--wav_path", type=Path, required=True, help="sound file, or a folder of them")
    add("--transcript_path", type=Path, help="tsv of start, end and token, or a folder of them with the wavs' stems")
    add(
        "--out_path",
        type=Path,
        help="csv, or, where its name ends in no .csv, a folder for them; by default beside each wav",
    )
    add("--out_fps", type=float, help="frames a second of the csv; by default the model's")
    renamed(commands, "--fps", "--out_fps")
    add("--overlap", type=int, help="frames that windows share and cross-fade over; 0: none; by default half a window")
    add(
        "--lookahead_ms",
        type=float,
        help="of a checkpoint that streams: what it may hear after a frame; by default most",
    )
    add(
        "--domain",
        help="recording set to sound like; by default the one that a wav's name belongs to, or else the first",
    )
    add("--style_from", type=Path, help="curves of ten seconds or more (any layout), to move the face as they do")
    add("--style_wav", type=Path, help="the sound of these curves; by default the one beside them, by its name")
    lively = "eyes, brows and head by rule and by the sound; postprocess/enliven.py has more to choose from"
    add("--enliven", action="store_true", help=lively)
    add("--seed", type=int, help="with --enliven: another gives another face, as another file name does (default: 0)")
    add("--no_clamp", action="store_true", help="write values below 0 and above 1 as they come")
    add("--encoder_path", help="where the speech model's folder is, if not where it was in training")
    add("--device", help="such as cpu or cuda; by default a GPU where there is one")
    add("--style_out", type=Path, help="also keep the style as a checkpoint, such as me.safetensors")
    given = SynthesisRequest(**vars(commands.parse_args()))
    for option, value in (("--style_wav", given.style_wav), ("--style_out", given.style_out)):
        if value and not given.style_from:
            raise UserError(f"{option} needs --style_from: the curves of someone's take")
    if given.seed is not None and not given.enliven:
        raise UserError("--seed: is of the face that --enliven gives")
    if given.style_from and given.domain:
        raise UserError("--domain and --style_from each say whose style it is; leave one out")
    return given


def main() -> None:
    given = parse_arguments()
    if given.out_fps is not None and not 0 < given.out_fps <= 240:
        raise UserError(f"--out_fps {given.out_fps:g}: must be above 0 and at most 240")
    wavs = list(by_stem(find(given.wav_path, AUDIO_SUFFIXES)).values())
    transcripts = pair_transcripts(wavs, given)
    targets = [output_of(wav, given) for wav in wavs]
    read = [*wavs, *transcripts, given.ckpt_path, given.style_from, given.style_wav]
    keep_apart(read, [*(("--out_path", target) for target in targets), ("--style_out", given.style_out)])
    from model.synthesis import Synthesizer

    synthesizer = Synthesizer(given.ckpt_path, given.encoder_path, given.device)
    synthesizer.check(given.domain, given.overlap, given.lookahead_ms)
    if given.style_from:
        from model.style import save_style, style_of

        synthesizer = style_of(synthesizer, given.style_from, given.style_wav)
        if given.style_out:
            save_style(given.style_out, synthesizer)
    if synthesizer.reads_text and given.transcript_path is None:
        print(f"{given.ckpt_path}: hears the sound alone; with --transcript_path, a tsv for each wav, it does better")
    if not given.domain:
        say_domains(synthesizer, wavs)
    failed: list[str] = []
    for wav, transcript, target in zip(wavs, transcripts, targets, strict=True):
        try:
            print(synthesize_file(synthesizer, wav, transcript, target, given))
        except UserError as error:
            failed.append(str(error))
    if failed:
        more = "".join(f"\n       {line}" for line in failed[1:])
        raise UserError(f"{failed[0]}{more}" + (f"\n{len(failed)} of {len(wavs)} failed" if len(wavs) > 1 else ""))


def pair_transcripts(wavs: Sequence[Path], given: SynthesisRequest) -> list[Path | None]:
    """Each wav's tsv, or None. Raises UserError where one is asked for and there is none."""
    if given.transcript_path is None:
        return [None] * len(wavs)
    if given.wav_path.is_file() and given.transcript_path.is_file():
        return [given.transcript_path]
    transcripts = by_stem(find(given.transcript_path, (".tsv",)))
    missing = [wav for wav in wavs if wav.stem not in transcripts]
    if missing:
        raise UserError(f"{given.transcript_path}: no {missing[0].stem}.tsv for {missing[0]}")
    return [transcripts[wav.stem] for wav in wavs]


def output_of(wav: Path, given: SynthesisRequest) -> Path:
    """The csv to write; a name without a suffix is a folder's, there or not, of one wav as of many.

    Raises UserError where a folder of wavs would go into one file, and for the name of another kind of file.
    """
    if given.out_path is None:
        return wav.with_suffix(".csv")
    if given.wav_path.is_file() and not given.out_path.is_dir():
        named = csv_named(given.out_path, "--out_path")
        return named if named.suffix.lower() in (".csv", ".txt") else named / f"{wav.stem}.csv"
    return output_path(wav.with_suffix(".csv"), given.wav_path, given.out_path, "--out_path")


def say_domains(synthesizer: "Synthesizer", wavs: Sequence[Path]) -> None:
    """Which domains the wavs' names choose, if they do."""
    named = Counter(domain for wav in wavs if (domain := synthesizer.named_domain(wav.stem)))
    if named:
        domains = ", ".join(f"{domain} ({count})" for domain, count in sorted(named.items()))
        print(f"domain by the name of the clip: {domains}; --domain says otherwise")


def synthesize_file(
    synthesizer: "Synthesizer", wav: Path, transcript: Path | None, target: Path, given: SynthesisRequest
) -> str:
    """Write one csv; the line to print."""
    began = time.perf_counter()
    words = read_tsv(transcript) if transcript else []
    with open_sound(wav) as sound:
        if transcript:
            check_within(transcript, words, sound.seconds)
        curves = synthesizer.synthesize(sound, given.domain, given.overlap, words, given.lookahead_ms)
    fps = given.out_fps or synthesizer.fps
    curves = resample_curves(curves, synthesizer.fps, fps, frame_count(sound.samples, fps))
    curves = curves if given.no_clamp else curves.clip(0, 1)
    if given.enliven:
        enlivener = Enlivener(given.seed or 0, wav.stem, fps, words=words if transcript else None)
        write_living(target, to_arkit(curves, synthesizer.channels), wav, enlivener)
    else:
        write_curves(target, curves, synthesizer.channels)
    took = (time.perf_counter() - began) / sound.seconds
    return f"{target}: {len(curves)} frames at {fps:g} fps, {took:.4f} s of compute per second of audio"


def write_living(target: Path, curves: np.ndarray, wav: Path, enlivener: Enlivener) -> None:
    """Write curves (frames, 52) with a living upper face, and the head's angles besides."""
    living = living_face(wav, enlivener, len(curves))
    write_columns(target, dict(zip((*ARKIT, *HEAD), enliven(curves, ARKIT, living).T, strict=True)))


if __name__ == "__main__":
    run(main)
