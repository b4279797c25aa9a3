"""Speech in, curves out: a wav or a folder of them → csv with the 52 ARKit channels, one model load."""

import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from config.command import UserError, parser, run
from config.files import by_stem, find
from dataset.audio import AUDIO_SUFFIXES, sample_count
from model.ensembles import SHIPPED

if TYPE_CHECKING:
    from model.synthesis import Ensemble, Synthesizer

EXAMPLES = """
    python scripts/synthesize.py --wav_path a.wav
    python scripts/synthesize.py --ckpt_path result/mine/best.safetensors --wav_path a.wav --transcript_path a.tsv
    python scripts/synthesize.py --wav_path wavs/ --out_path csvs/ --fps 60
    python scripts/synthesize.py --ckpt_path result/facegood_kfold/base/ensemble/ --wav_path a.wav
"""


def parse_arguments() -> Namespace:
    commands = parser(__doc__, EXAMPLES)
    add = commands.add_argument
    add(
        "--ckpt_path",
        type=Path,
        default=SHIPPED,
        help="checkpoint, or an ensemble's folder of them; by default the shipped weights",
    )
    add("--wav_path", type=Path, required=True, help="sound file, or a folder of them")
    add("--transcript_path", type=Path, help="tsv of start, end and token, or a folder of them with the wavs' stems")
    add("--out_path", type=Path, help="csv, or a folder for them; by default beside each wav")
    add("--fps", type=float, help="frames a second of the csv; by default the model's")
    add("--overlap", type=int, help="frames that windows share and cross-fade over; 0: none; by default half a window")
    add("--domain", help="recording set to sound like; by default the first one the model was trained on")
    add("--no_clamp", action="store_true", help="write values below 0 and above 1 as they come")
    add("--encoder_path", help="where the speech model's folder is, if not where it was in training")
    add("--device", help="such as cpu or cuda; by default a GPU where there is one")
    return commands.parse_args()


def main() -> None:
    arguments = parse_arguments()
    if arguments.fps is not None and not 0 < arguments.fps <= 240:
        raise UserError(f"--fps {arguments.fps:g}: must be above 0 and at most 240")
    wavs = list(by_stem(find(arguments.wav_path, AUDIO_SUFFIXES)).values())
    transcripts = pair_transcripts(wavs, arguments)
    targets = [output_of(wav, arguments) for wav in wavs]
    import torch

    from model.synthesis import open_synthesizer

    device = arguments.device or ("cuda" if torch.cuda.is_available() else "cpu")
    synthesizer = open_synthesizer(arguments.ckpt_path, arguments.encoder_path, device)
    synthesizer.check(arguments.domain, arguments.overlap)
    if synthesizer.reads_text and arguments.transcript_path is None:
        print(
            f"{arguments.ckpt_path}: hears the sound alone; with --transcript_path, a tsv for each wav, it does better"
        )
    failed: list[str] = []
    for wav, transcript, target in zip(wavs, transcripts, targets, strict=True):
        try:
            print(synthesize_file(synthesizer, wav, transcript, target, arguments))
        except UserError as error:
            failed.append(str(error))
    if failed:
        more = "".join(f"\n       {line}" for line in failed[1:])
        raise UserError(f"{failed[0]}{more}" + (f"\n{len(failed)} of {len(wavs)} failed" if len(wavs) > 1 else ""))


def pair_transcripts(wavs: list[Path], arguments: Namespace) -> list[Path | None]:
    """Each wav's tsv, or None. Raises UserError where one is asked for and there is none."""
    given: Path | None = arguments.transcript_path
    if given is None:
        return [None] * len(wavs)
    if arguments.wav_path.is_file() and given.is_file():
        return [given]
    transcripts = by_stem(find(given, (".tsv",)))
    missing = [wav for wav in wavs if wav.stem not in transcripts]
    if missing:
        raise UserError(f"{given}: no {missing[0].stem}.tsv for {missing[0]}")
    return [transcripts[wav.stem] for wav in wavs]


def output_of(wav: Path, arguments: Namespace) -> Path:
    """The csv to write. Raises UserError where a folder of wavs would go into one file."""
    out: Path | None = arguments.out_path
    if out is None:
        return wav.with_suffix(".csv")
    if arguments.wav_path.is_dir() and (out.is_file() or out.suffix == ".csv"):
        raise UserError(f"--out_path {out}: {arguments.wav_path} is a folder, so this must be one too")
    return out / f"{wav.stem}.csv" if arguments.wav_path.is_dir() or out.is_dir() else out


def synthesize_file(
    synthesizer: "Synthesizer | Ensemble", wav: Path, transcript: Path | None, target: Path, arguments: Namespace
) -> str:
    """Write one csv; the line to print."""
    from config.units import SAMPLE_RATE, frame_count
    from dataset.blendshapes import write_curves
    from dataset.recordings.resample import resample_curves
    from dataset.transcript import check_within, read_tsv

    began = time.perf_counter()
    samples = sample_count(wav)
    words = read_tsv(transcript) if transcript else []
    if transcript:
        check_within(transcript, words, samples / SAMPLE_RATE)
    curves = synthesizer.synthesize(wav, arguments.domain, arguments.overlap, words)
    fps = arguments.fps or synthesizer.header.fps
    curves = resample_curves(curves, synthesizer.header.fps, fps, frame_count(samples, fps))
    write_curves(target, curves if arguments.no_clamp else curves.clip(0, 1), synthesizer.header.channels)
    seconds, took = samples / SAMPLE_RATE, time.perf_counter() - began
    return f"{target}: {len(curves)} frames at {fps:g} fps, {took / seconds:.4f} s of compute per second of audio"


if __name__ == "__main__":
    run(main)
