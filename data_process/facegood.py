"""Turn the FACEGOOD-Audio2Face corpus into wav/ and bs/ (52-column csv): the FACEGOOD rig mapped to ARKit."""

import re
import shutil
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import numpy as np
from tqdm import tqdm

from config.command import parser, run
from config.errors import UserError
from config.files import check_unpacked, find, keep_apart, regular, written_whole
from config.units import SAMPLE_RATE
from dataset.audio import write_wav
from dataset.blendshapes import ARKIT, canonical, write_curves
from dataset.corpus import Corpus

# The curves' rate: every clip has floor(seconds of sound × 30) frames. Sound and curves are written as they are, for
# they keep time: jawOpen follows loudness by 0 to 20 ms in every clip, no later at its end than at its start.
FPS = 30
CURVES = "code/train/bs_value"
SOUND = "code/train/wav"
RIG_NAMES = "code/train/shirley_1015_bs_name.npy"  # the corpus holds other name lists, in orders that are wrong here
MAPPING = "doc/Voice2Face_blendshape2ARkit.xlsx"
PREFIX = "bs_value_"

# Rig channels that are large and have no row in the corpus's mapping: they join these rows' max.
ADDED = {"MouthFunnel": "mouth_oh_c", "MouthPucker": "mouth_oo_c"}
MISSPELT = {"eye_uplidraise_l": "eye_upperlidraise_l", "eye_uplidraise_r": "eye_upperlidraise_r"}  # in the mapping

CREDIT = """\
Speech and facial curves of FACEGOOD-Audio2Face, https://github.com/FACEGOOD/FACEGOOD-Audio2Face,
copyright the FACEGOOD Authors, MIT licence (LICENSE, beside this file).
The curves are the FACEGOOD rig mapped to ARKit by python -m data_process.facegood: the largest of the rig channels
that the corpus's own table names for a blendshape, with mouth_oh_c in MouthFunnel and mouth_oo_c in MouthPucker.
They are no ARKit capture, and eyes and brows do not move.
"""


def read_rig_names(path: Path) -> tuple[str, ...]:
    """The rig channel of each column of the curve arrays."""
    return tuple(str(name) for name in _load_array(path, dimensions=1))


def read_mapping(path: Path, rig_names: tuple[str, ...]) -> dict[str, list[int]]:
    """ARKit name → the rig columns whose maximum it is, from the corpus's xlsx (column A: ARKit, column C: rig).

    Raises UserError for a table that lacks a blendshape (TongueOut has no rig channel) or names no rig channel.
    """
    column = {name.lower(): index for index, name in enumerate(rig_names)}
    mapping: dict[str, list[int]] = {}
    for row, (arkit, rig) in enumerate(_read_rows(path), 1):
        name = canonical(arkit)
        if name is None or not rig:
            continue
        channels = [*re.sub(r"^max\((.*)\)$", r"\1", rig.strip()).split(","), *filter(None, [ADDED.get(name)])]
        keys = [MISSPELT.get(key, key) for key in (channel.strip().lower() for channel in channels)]
        unknown = [key for key in keys if key not in column]
        if unknown:
            raise UserError(f"{path}, row {row}: {name} comes from {unknown[0]}, which is not in {RIG_NAMES}")
        mapping[name] = [column[key] for key in keys]
    missing = [name for name in ARKIT if name not in mapping and name != "TongueOut"]
    if missing:
        raise UserError(f"{path}: no rig channel for {missing[0]}; expected {len(ARKIT) - 1} ARKit names in column A")
    return mapping


def to_arkit_curves(rig: np.ndarray, mapping: Mapping[str, list[int]]) -> np.ndarray:
    """Rig curves (frames, rig channels) → (frames, 52): each blendshape the largest of its rig channels, else 0."""
    curves = np.zeros((len(rig), len(ARKIT)))
    for index, name in enumerate(ARKIT):
        if name in mapping:
            curves[:, index] = rig[:, mapping[name]].max(axis=1)
    return curves


def read_rig_curves(path: Path, channels: int) -> np.ndarray:
    """(frames, channels) float64. Raises UserError for another shape, no frames, or a value that is not finite."""
    rig = _load_array(path, dimensions=2)
    if rig.shape[1] != channels:
        raise UserError(f"{path}: {rig.shape[1]} channels, but {RIG_NAMES} names {channels}")
    if not len(rig) or not np.isfinite(rig).all():
        raise UserError(f"{path}: {'values that are not finite' if len(rig) else 'no frames'}; fetch the file again")
    return rig


def read_sound(path: Path) -> np.ndarray:
    """(samples,) int16, 16 kHz. Raises UserError for a missing or unreadable file, another rate or several channels."""
    import soundfile

    if not path.is_file():
        raise UserError(f"{path}: no such file; every {CURVES}/{PREFIX}<id>.npy needs its {SOUND}/<id>.wav")
    try:
        sound, rate = soundfile.read(path, dtype="int16", always_2d=True)
    except soundfile.LibsndfileError:
        raise UserError(f"{path}: not a readable wav file; fetch the file again") from None
    if rate != SAMPLE_RATE or sound.shape[1] != 1:
        raise UserError(f"{path}: {rate} Hz with {sound.shape[1]} channels, expected {SAMPLE_RATE} Hz mono")
    return sound[:, 0]


def check_lengths(wav: Path, samples: int, frames: int) -> float:
    """Seconds of sound past the last frame. Raises UserError when sound and curves differ by more than a frame."""
    tail = samples / SAMPLE_RATE - frames / FPS
    if abs(tail) > 1 / FPS:
        sound, curves = samples / SAMPLE_RATE, frames / FPS
        raise UserError(f"{wav}: {sound:.2f} s of sound but {curves:.2f} s of curves at {FPS} fps; fetch both again")
    return tail


def convert(source: Path, out: Path) -> None:
    """Write every clip's wav/<id>.wav and bs/<id>.csv, the licence and the credit, and print a line of totals."""
    arrays, corpus = find_clips(source), Corpus(out)
    rig_names = read_rig_names(source / RIG_NAMES)
    mapping = read_mapping(source / MAPPING, rig_names)
    frames, outside, tails = 0, 0, []
    for path in tqdm(arrays, desc="clips", unit="clip"):
        clip = path.stem.removeprefix(PREFIX)
        wav = source / SOUND / f"{clip}.wav"
        curves = to_arkit_curves(read_rig_curves(path, len(rig_names)), mapping)
        sound = read_sound(wav)
        tails.append(check_lengths(wav, len(sound), len(curves)))
        write_wav(corpus.place("wav", clip), sound)
        write_curves(corpus.place("bs", clip), curves.clip(0, 1))
        frames += len(curves)
        outside += int(((curves < 0) | (curves > 1)).sum())
    write_credit(source, out)
    print(
        f"wrote {len(arrays)} clips, {frames:,} frames ({frames / FPS / 60:.1f} min) of FACEGOOD rig mapped to ARKit "
        f"to {out}: {outside} values clipped to [0, 1]; sound lasts up to {1000 * max(tails):.0f} ms past the curves"
    )


def find_clips(source: Path) -> list[Path]:
    """The curve arrays, sorted. Raises UserError when this is not the corpus's folder."""
    if not (source / CURVES).is_dir():
        raise UserError(f"{source}: not the FACEGOOD-Audio2Face folder (it has no {CURVES} in it)")
    arrays = [path for path in find(source / CURVES, (".npy",)) if path.stem.startswith(PREFIX)]
    if not arrays:
        raise UserError(f"{source / CURVES}: no {PREFIX}<id>.npy file in this folder")
    return arrays


def write_credit(source: Path, out: Path) -> None:
    """The corpus's licence and who made it, beside what was made of it. Raises UserError for a missing licence."""
    if not (source / "LICENSE").is_file():
        raise UserError(f"{source / 'LICENSE'}: no such file; the corpus may be passed on only with its licence")
    with written_whole(out / "LICENSE") as partial:
        shutil.copyfile(source / "LICENSE", partial)
    with written_whole(out / "CREDIT.txt") as partial:
        partial.write_text(CREDIT, encoding="utf-8")


def _load_array(path: Path, dimensions: int) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the corpus's files have headers written by Python 2
            array = np.load(regular(path), allow_pickle=False)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or 'not a readable npy file'}") from None
    except (ValueError, EOFError):
        raise UserError(f"{path}: not an npy array; fetch the file again") from None
    if array.ndim != dimensions:
        raise UserError(f"{path}: an array of shape {array.shape}, expected {dimensions} dimension(s)")
    return array


def _read_rows(path: Path) -> list[tuple[str, str]]:
    """The text of columns A and C, row by row."""
    import openpyxl

    check_unpacked(path)
    try:
        sheet = openpyxl.load_workbook(path, read_only=True, data_only=True).worksheets[0]
        return [(str(row[0] or ""), str(row[2] or "")) for row in sheet.iter_rows(max_col=3, values_only=True)]
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except Exception as error:  # openpyxl lets the errors of zipfile, of XML and its own through
        raise UserError(f"{path}: not a readable xlsx file ({error})") from None


def main() -> None:
    examples = "python -m data_process.facegood --source ../shared/data/FACEGOOD-Audio2Face --out data/facegood"
    arguments = parser(__doc__, examples)
    arguments.add_argument("--source", type=Path, required=True, help="the corpus, laid out as in its repository")
    arguments.add_argument("--out", type=Path, required=True, help="where wav/, bs/, LICENSE and CREDIT.txt go")
    options = arguments.parse_args()
    keep_apart([options.source], [("--out", options.out)])
    convert(options.source, options.out)


if __name__ == "__main__":
    run(main)
