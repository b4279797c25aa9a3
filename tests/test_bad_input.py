"""What a person sees who gives a command something bad: one line with the file, the place and the mend."""

import importlib
import os
import pickle
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import soundfile
from safetensors.numpy import save_file

from config.command import run
from dataset.blendshapes import ANGLES, ARKIT, EYE, read_csv
from tests.helpers import ROOT, run_command

Make = Callable[[], None]  # makes something bad in the working directory

RATE = 16000
GOOD_CSV, GOOD_WAV = "corpus/bs/en_001.csv", "corpus/wav/en_001.flac"
CKPT = "result/demo/best.safetensors"
SYNTHESIZE = f"python scripts/synthesize.py --ckpt_path {CKPT} --out_path out.csv --wav_path"
SMOOTH = "python postprocess/smooth.py --output out.csv --input"
EVALUATE = f"python scripts/evaluate.py --json out.json --targets {GOOD_CSV} --predictions"
PLOT = f"python scripts/plot.py --out_path out.png --csv {GOOD_CSV} --wav {GOOD_WAV} --transcript_path"
PACK = "python -m data_process.pack --config demo.yml data.lmdb=new.lmdb data.corpus="
TRAIN = "python scripts/train.py --config demo.yml data.lmdb=clips.lmdb features.cache=new/features run.dir=new"


class Row(NamedTuple):
    wrong: str
    make: Make | None
    command: str
    line: str


def file(path: str, content: bytes | str) -> Make:
    """A file in place of what is there, which other tests share."""

    def make() -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).unlink(missing_ok=True)
        Path(path).write_bytes(content if isinstance(content, bytes) else content.encode())

    return make


def folder(path: str) -> Make:
    return lambda: Path(path).mkdir(parents=True)


def copy(source: str, path: str) -> Make:
    return lambda: file(path, Path(source).read_bytes())()


def both(*makes: Make) -> Make:
    def make() -> None:
        for each in makes:
            each()

    return make


def beginning(source: str, path: str, share: float) -> Make:
    """The first part of a good file, as a broken-off copy leaves it."""

    def make() -> None:
        content = Path(source).read_bytes()
        file(path, content[: int(len(content) * share)])()

    return make


def sound(path: str, seconds: float = 1.0, rate: int = RATE, channels: int = 1, subtype: str = "PCM_16") -> Make:
    """A wav of a voice-like buzz, the same in every channel."""

    def make() -> None:
        time_s = np.arange(round(seconds * rate)) / rate
        buzz = sum(np.sin(2 * np.pi * 120 * n * time_s) / n for n in range(1, 20)) * np.sin(8 * time_s) ** 2
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.tile(0.2 * buzz[:, None], channels), rate, subtype, format="WAV")

    return make


def beginning_of_wav(path: str, size: int) -> Make:
    return both(sound(path), lambda: file(path, Path(path).read_bytes()[:size])())


def with_nan(path: str) -> Make:
    return lambda: soundfile.write(path, np.full(RATE, np.nan), RATE, "FLOAT")


Table = list[list[str]]


def curves(edit: Callable[[Table], Any], path: str = "bad.csv") -> Make:
    """A csv of three frames, edited: a header and rows of cells."""

    def make() -> None:
        rows = [[f"0.{(7 * column + 3 * frame) % 10}" for column in range(len(ARKIT))] for frame in range(3)]
        table = [list(ARKIT), *rows]
        table = edit(table) or table
        file(path, "".join(",".join(row) + "\n" for row in table))()

    return make


def cell(text: str) -> Callable[[Table], None]:
    """Text in place of line 3's JawOpen."""
    return lambda table: table[2].__setitem__(ARKIT.index("JawOpen"), text)


def header(index: int, text: str) -> Callable[[Table], None]:
    return lambda table: table[0].__setitem__(index, text)


def words(*rows: str) -> Make:
    return file("bad.tsv", "".join(f"{row}\n" for row in rows))


def config(text: str) -> Make:
    return file("bad.yml", text)


class Malice:
    """Unpickling it would make a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("pwned"),)


SOUNDS = [
    Row("an empty wav", file("bad.wav", b""), f"{SYNTHESIZE} bad.wav",
        "bad.wav: empty file; export it again"),
    Row("a wav cut off in its header", beginning_of_wav("bad.wav", 30), f"{SYNTHESIZE} bad.wav",
        "bad.wav: truncated before any sound; export it again"),
    Row("a wav cut off in its sound", beginning_of_wav("bad.wav", 8044), f"{SYNTHESIZE} bad.wav",
        "bad.wav: truncated: 25% of the promised sound is there; export it again"),
    Row("a wav without a sample", sound("bad.wav", 0), f"{SYNTHESIZE} bad.wav",
        "bad.wav: holds no samples; export it again"),
    Row("a wav shorter than a frame", sound("bad.wav", 0.01), f"{SYNTHESIZE} bad.wav",
        "bad.wav: 0.010 s of sound is less than one frame"),
    Row("text named wav", file("bad.wav", "hello " * 99), f"{SYNTHESIZE} bad.wav",
        "bad.wav: cannot be read as sound: format not recognised; export it as WAV"),
    Row("a float wav of NaN", with_nan("bad.wav"), f"{SYNTHESIZE} bad.wav",
        "bad.wav: holds NaN or infinite samples; export it again"),
    Row("a flac cut off", beginning(GOOD_WAV, "bad.flac", 0.5), f"{SYNTHESIZE} bad.flac",
        "bad.flac: cannot be read as sound: flac decoder lost sync; export it as WAV"),
    Row("no such wav", None, f"{SYNTHESIZE} bad.wav",
        "bad.wav: no such file or folder"),
    Row("a folder named wav", folder("bad.wav"), f"{SYNTHESIZE} bad.wav",
        "bad.wav: no .wav or .flac or .ogg or .mp3 file in this folder"),
    Row("a folder of sounds into one csv", None, f"{SYNTHESIZE} corpus/wav",
        "--out_path out.csv: corpus/wav is a folder, so this must be one too"),
    Row(
        "two sounds of one name",
        both(sound("wavs/a.wav"), copy(GOOD_WAV, "wavs/a.flac")),
        f"python scripts/synthesize.py --ckpt_path {CKPT} --out_path csvs --wav_path wavs",
        "wavs/a.wav: has the same stem as wavs/a.flac; keep one of them",
    ),
    Row("a sound to plot that is none", file("bad.wav", "hello"),
        f"python scripts/plot.py --csv {GOOD_CSV} --wav bad.wav",
        "bad.wav: cannot be read as sound: format not recognised; export it as WAV"),
]  # fmt: skip

CURVES = [
    Row("an empty csv", file("bad.csv", b""), f"{SMOOTH} bad.csv",
        "bad.csv: empty file; expected a header with blendshape names"),
    Row("a csv with a header alone", curves(lambda table: table[:1]), f"{SMOOTH} bad.csv",
        "bad.csv: a header but no frames"),
    Row("a csv without a channel", curves(lambda table: [row[:17] + row[18:] for row in table]),
        f"{EVALUATE} bad.csv",
        "bad.csv, line 1: no column for JawOpen"),
    Row("a csv with a channel twice", curves(lambda table: [[*row, row[17]] for row in table]),
        f"{SMOOTH} bad.csv",
        'bad.csv, line 1: two columns for JawOpen (the second is "JawOpen"); keep one'),
    Row("a csv with a channel in two spellings", curves(header(18, "jaw_Open")), f"{SMOOTH} bad.csv",
        'bad.csv, line 1: two columns for JawOpen (the second is "jaw_Open"); keep one'),
    Row("a csv with an unknown channel", curves(header(17, "JawWide")), f"{SMOOTH} bad.csv",
        'bad.csv, line 1: "JawWide" is no ARKit blendshape; rename or remove the column'),
    Row("a csv without a header", curves(lambda table: table[1:]), f"{SMOOTH} bad.csv",
        'bad.csv, line 1: "0.0" is no ARKit blendshape; the first line must name the columns'),
    Row("a csv with NaN", curves(cell("nan")), f"{SMOOTH} bad.csv",
        'bad.csv, line 3: JawOpen is not a number: "nan"'),
    Row("a csv with infinity", curves(cell("-inf")), f"{EVALUATE} bad.csv",
        'bad.csv, line 3: JawOpen is not a number: "-inf"'),
    Row("a csv with text", curves(cell("abc")), f"{EVALUATE} bad.csv",
        'bad.csv, line 3: JawOpen is not a number: "abc"'),
    Row("a csv with an empty cell", curves(cell("")), f"{SMOOTH} bad.csv",
        'bad.csv, line 3: JawOpen is not a number: ""'),
    Row("a csv with a short row", curves(lambda table: [*table[:3], table[3][:-1]]), f"{SMOOTH} bad.csv",
        "bad.csv, line 4: 51 cells, but the header has 52"),
    Row("a csv with a long row", curves(lambda table: table[1].append("0")), f"{SMOOTH} bad.csv",
        "bad.csv, line 2: 53 cells, but the header has 52"),
    Row("a csv in UTF-16", both(curves(lambda table: None), lambda: file(
        "bad.csv", Path("bad.csv").read_text().encode("utf-16"))()), f"{SMOOTH} bad.csv",
        "bad.csv: not a csv text file in UTF-8; save it as one"),
    Row("a csv of bytes", file("bad.csv", bytes(range(256)) * 9), f"{SMOOTH} bad.csv",
        "bad.csv: not a csv text file in UTF-8; save it as one"),
    Row("a csv with semicolons", curves(lambda table: [[";".join(row)] for row in table]), f"{SMOOTH} bad.csv",
        "bad.csv, line 1: columns separated by semicolons; export it with commas"),
    Row("no such csv", None, f"{SMOOTH} bad.csv",
        "bad.csv: no such file or folder"),
    Row("a folder without csvs", folder("csvs"), f"{SMOOTH} csvs",
        "csvs: no .csv or .json or .npy file in this folder"),
    Row("a csv of eyes alone", curves(lambda table: [row[: len(EYE)] for row in table]), f"{SMOOTH} bad.csv",
        "bad.csv, line 1: none of the channels to change is here (JawForward, JawLeft, JawRight and 34 more)"),
    Row("eyes to add from csvs without eyes", curves(lambda table: [row[len(EYE) :] for row in table], "eyes/a.csv"),
        f"python postprocess/add_eye.py --input {GOOD_CSV} --eyes eyes --output out.csv",
        "eyes/a.csv, line 1: no column for EyeBlinkLeft, EyeLookDownLeft, EyeLookInLeft and 11 more"),
    Row("predictions of other clips than the targets", curves(lambda table: None, "csvs/other.csv"),
        "python scripts/evaluate.py --predictions csvs --targets corpus/bs",
        "csvs: no clip has curves both here and in corpus/bs; they match by file name"),
]  # fmt: skip

TRANSCRIPTS = [
    Row("words that overlap", words("0.0\t0.5\tone", "0.4\t0.9\ttwo"), f"{PLOT} bad.tsv",
        'bad.tsv, line 2: "two" starts at 0.4 s, before "one" ends at 0.5 s'),
    Row("a word that ends before it starts", words("0.0\t0.5\tone", "0.9\t0.6\ttwo"), f"{PLOT} bad.tsv",
        "bad.tsv, line 2: ends at 0.6 s, before it starts at 0.9 s"),
    Row("a tsv in GBK", file("bad.tsv", "0.0\t0.5\t你好\n".encode("gbk")), f"{PLOT} bad.tsv",
        "bad.tsv: not UTF-8 text; convert it, for example: iconv -f GBK -t UTF-8"),
    Row("a negative time", words("-0.1\t0.5\tone"), f"{PLOT} bad.tsv",
        "bad.tsv, line 1: times must be seconds from 0 on, found -0.1 and 0.5"),
    Row("a tsv of two columns", words("0.0\tone"), f"{PLOT} bad.tsv",
        "bad.tsv, line 1: expected start, end and token separated by tabs, found 2 cell(s)"),
    Row("a tsv with spaces for tabs", words("0.0 0.5 one"), f"{PLOT} bad.tsv",
        "bad.tsv, line 1: expected start, end and token separated by tabs, found 1 cell(s)"),
    Row("times that are text", words("start\tend\ttoken", "zero\t0.5\tone"), f"{PLOT} bad.tsv",
        'bad.tsv, line 2: times are not numbers of seconds: "zero", "0.5"'),
    Row("times that are NaN", words("nan\t0.5\tone"), f"{PLOT} bad.tsv",
        "bad.tsv, line 1: times must be seconds from 0 on, found nan and 0.5"),
    Row("another recording's tsv", words("0.0\t0.5\tone", "61.0\t61.5\ttwo"),
        f"{SYNTHESIZE} {GOOD_WAV} --transcript_path bad.tsv",
        'bad.tsv: "two" starts at 61 s, but the sound ends at 4.50 s; is this another recording\'s transcript?'),
    Row("a folder of tsvs that lacks one", copy("corpus/tsv/en_001.tsv", "tsvs/en_001.tsv"),
        f"python scripts/synthesize.py --ckpt_path {CKPT} --out_path csvs --wav_path corpus/wav "
        "--transcript_path tsvs",
        "tsvs: no en_002.tsv for corpus/wav/en_002.flac"),
    Row("no such tsv", None, f"{SYNTHESIZE} {GOOD_WAV} --transcript_path bad.tsv",
        "bad.tsv: no such file or folder"),
]  # fmt: skip

CONFIGS = [
    Row("YAML with a syntax error", config("train:\n  epochs: [1\nrun: {name: mine}\n"),
        "python scripts/train.py --config bad.yml",
        "bad.yml, line 3: not YAML: expected ',' or ']', but got ':'"),
    Row("YAML with a tab", config("train:\n\tepochs: 1\n"), "python scripts/train.py --config bad.yml",
        "bad.yml, line 2: not YAML: found character '\\t' that cannot start any token"),
    Row("a key misspelt", config("train:\n  lernrate: 0.1\n"), "python scripts/train.py --config bad.yml",
        "bad.yml, line 2: lernrate: unknown key in train; did you mean learning_rate?"),
    Row("a section misspelt", config("trian:\n  epochs: 1\n"), "python scripts/train.py --config bad.yml",
        "bad.yml, line 2: trian: unknown key at the top; did you mean train?"),
    Row("text for a number", config("train:\n  epochs: many\n"), "python scripts/train.py --config bad.yml",
        "bad.yml, line 2: train.epochs: input should be a valid integer, not 'many'"),
    Row("a number out of bounds", config("model:\n  dropout: 1.5\n"), "python scripts/train.py --config bad.yml",
        "bad.yml, line 2: model.dropout: input should be less than 1, not 1.5"),
    Row("a word that is no choice", config("model:\n  output: sigmoid\n"),
        "python scripts/train.py --config bad.yml",
        "bad.yml, line 2: model.output: input should be 'tanh' or 'linear', not 'sigmoid'"),
    Row("a fold that does not exist", config("data:\n  split: {by: fold, fold: 5, folds: 5}\n"),
        "python -m data_process.pack --config bad.yml",
        "bad.yml, line 2: data.split: fold 5 does not exist: 5 folds count from 0 to 4"),
    Row("heads that do not divide the width", config("model: {width: 64, heads: 5}\n"),
        "python scripts/train.py --config bad.yml",
        "bad.yml: model.heads 5 does not divide model.width 64"),
    Row("a key twice", config("run: {name: a}\ntrain: {epochs: 1}\nrun: {name: b}\n"),
        "python scripts/train.py --config bad.yml",
        "bad.yml, line 3: run stands twice; keep one"),
    Row("a list for the sections", config("- train\n"), "python scripts/train.py --config bad.yml",
        "bad.yml: expected sections such as `train:`, found list"),
    Row("no such YAML", None, "python scripts/train.py --config bad.yml",
        "bad.yml: No such file or directory; a config is a YAML file such as config/demo.yml"),
    Row("a folder for the YAML", folder("bad.yml"), "python scripts/train.py --config bad.yml",
        "bad.yml: Is a directory; a config is a YAML file such as config/demo.yml"),
    Row("a YAML of bytes", file("bad.yml", bytes(range(128, 256))), "python scripts/train.py --config bad.yml",
        "bad.yml: not UTF-8 text; a config is a YAML file such as config/demo.yml"),
    Row("an override of an unknown key", None, f"{TRAIN} train.epoch=3",
        "on the command line: epoch: unknown key in train; did you mean epochs?"),
    Row("an override of another type", None, f"{TRAIN} train.epochs=3.5",
        "on the command line: train.epochs: input should be a valid integer, not 3.5"),
    Row("an override without a value", None, f"{TRAIN} epochs",
        "epochs: expected section.key=value, such as train.epochs=20"),
]  # fmt: skip

MODELS = [
    Row("no such speech model", None, f"{TRAIN} features.encoder=hubert features.model=./hubert",
        "features.model: no folder ./hubert, and the hub does not give it either; get one with `hf "
        "download TencentGameMate/chinese-hubert-large --local-dir chinese-hubert-large`, then set "
        "features.model=chinese-hubert-large"),
    Row("a speech model's folder without weights", folder("hubert"),
        f"{TRAIN} features.encoder=hubert features.model=hubert",
        "hubert: holds no model*.safetensors or pytorch_model*.bin; get one with `hf download "
        "TencentGameMate/chinese-hubert-large --local-dir chinese-hubert-large`, then set "
        "features.model=chinese-hubert-large"),
    Row("no such checkpoint", None, SYNTHESIZE.replace(CKPT, "bad.safetensors") + f" {GOOD_WAV}",
        "bad.safetensors: no such checkpoint"),
    Row("a pickle named safetensors", file("bad.safetensors", pickle.dumps(Malice())),
        SYNTHESIZE.replace(CKPT, "bad.safetensors") + f" {GOOD_WAV}",
        "bad.safetensors: not a safetensors file, or a truncated one; pickled weights are not loaded"),
    Row("a checkpoint cut off", beginning(CKPT, "bad.safetensors", 0.5),
        SYNTHESIZE.replace(CKPT, "bad.safetensors") + f" {GOOD_WAV}",
        "bad.safetensors: not a safetensors file, or a truncated one; pickled weights are not loaded"),
    Row("an empty checkpoint", file("bad.safetensors", b""),
        SYNTHESIZE.replace(CKPT, "bad.safetensors") + f" {GOOD_WAV}",
        "bad.safetensors: not a safetensors file, or a truncated one; pickled weights are not loaded"),
    Row("safetensors of another program", lambda: save_file({"a": np.zeros(3)}, "bad.safetensors"),
        SYNTHESIZE.replace(CKPT, "bad.safetensors") + f" {GOOD_WAV}",
        "bad.safetensors: a safetensors file, but no checkpoint that scripts/train.py wrote"),
    Row("a folder without a checkpoint", None, SYNTHESIZE.replace(CKPT, "corpus") + f" {GOOD_WAV}",
        "corpus: a folder; name the checkpoint in it, such as best.safetensors"),
    Row("ceilings that are no stats", file("bad.json", '{"max": 1}'),
        f"python postprocess/deflate.py --input {GOOD_CSV} --output out.csv --ceilings bad.json",
        "bad.json: not stats as training writes them: no channels, mean, std, min, frames, clips"),
    Row("ceilings that are no JSON", file("bad.json", "max: 1"),
        f"python postprocess/deflate.py --input {GOOD_CSV} --output out.csv --ceilings bad.json",
        "bad.json: not stats as training writes them: Expecting value: line 1 column 1 (char 0)"),
    Row("ceilings of a checkpoint that stands alone", file("bad/best.safetensors", pickle.dumps(Malice())),
        f"python postprocess/deflate.py --input {GOOD_CSV} --output out.csv --ceilings bad/best.safetensors",
        "bad/stats.json: no such file; the stats of bad/best.safetensors stand there, where training wrote them"),
    Row("a reference checkpoint with code in it", file("bad.bin", pickle.dumps(Malice())),
        "python scripts/import_reference.py bad.bin out.safetensors",
        "bad.bin: holds more than tensors and an argparse Namespace, or is no torch file"),
    Row("a reference checkpoint of text", file("bad.bin", "hello\n" * 9),
        "python scripts/import_reference.py bad.bin out.safetensors",
        "bad.bin: not a reference checkpoint: expected a torch file with gen_dict and args"),
    Row("no such reference checkpoint", None, "python scripts/import_reference.py bad.bin out.safetensors",
        "bad.bin: No such file or directory"),
]  # fmt: skip

DATABASES = [
    Row("a corpus without sound", both(folder("bad/wav"), copy(GOOD_CSV, "bad/bs/a.csv")), f"{PACK}bad",
        "bad/wav: no .wav or .flac or .ogg or .mp3 file in this folder"),
    Row("no such corpus", None, f"{PACK}bad",
        "bad/bs: no such folder; a corpus has wav/, bs/ and, with transcripts, tsv/"),
    Row("a corpus whose one clip has no curves", both(copy(GOOD_CSV, "bad/bs/en_a.csv"), sound("bad/wav/en_b.wav")),
        f"{PACK}bad",
        "bad: no usable clip; the first was dropped because en_b: no csv of this name in bs/"),
    Row("a corpus that is FACEGOOD's by name alone", None,
        "python -m data_process.facegood --source corpus --out new",
        "corpus: not the FACEGOOD-Audio2Face folder (it has no code/train/bs_value in it)"),
    Row("a corpus whose one clip fits no domain", both(copy(GOOD_CSV, "bad/bs/a.csv"), sound("bad/wav/a.wav")),
        f"{PACK}bad",
        "bad: no usable clip; the first was dropped because a: matches no domain; add its pattern to data.domains"),
    Row("a validation list with a clip that is nowhere", None,
        f"{TRAIN} data.corpus=corpus data.split.by=list data.split.val=[fr_*]",
        "corpus: data.split.val names fr_*, but there is no such clip; take it out or mend it"),
    Row("a split without a clip to train on", None, f"{TRAIN} data.split.by=list \"data.split.val=['*']\"",
        "no training clips among 5; see data.split (by: list)"),
    Row("no such database", None, TRAIN.replace("clips.lmdb", "bad.lmdb"),
        "bad.lmdb: no such database; make it with: python -m data_process.pack --config <yml>"),
    Row("a database of text", file("bad.lmdb", "hello " * 999), TRAIN.replace("clips.lmdb", "bad.lmdb"),
        "bad.lmdb: no clip database of version 1; pack the corpus again"),
    Row("a database of another program", lambda: foreign_lmdb("bad.lmdb"),
        TRAIN.replace("clips.lmdb", "bad.lmdb"),
        "bad.lmdb: no clip database of version 1; pack the corpus again"),
    Row("a database cut off", beginning("clips.lmdb", "bad.lmdb", 0.5), TRAIN.replace("clips.lmdb", "bad.lmdb"),
        "bad.lmdb: truncated; pack the corpus again"),
    Row("a database of another rate", None, f"{TRAIN} data.fps=25",
        "clips.lmdb: packed at 30 fps, data.fps is 25; pack the corpus again"),
    Row("a run's folder that holds a run", None, f"{TRAIN} run.dir=result",
        "result/demo: holds a run; add --resume or --overwrite, or choose another run.name"),
    Row("a file for the run's folder", None, f"{TRAIN} run.dir={GOOD_CSV}",
        "corpus/bs/en_001.csv: a file where the run's folder would be; choose another run.dir or run.name"),
    Row("a feature cache of before, in one file", file("bad.lmdb", "hello"), TRAIN.replace("new/features", "bad.lmdb"),
        "bad.lmdb: a file, but features.cache is a folder; name one, features are made again"),
    Row("a feature cache in the clips' place", None, TRAIN.replace("new/features", "clips.lmdb"),
        "demo.yml: features.cache and data.lmdb are the same path; give each its own"),
]  # fmt: skip


def foreign_lmdb(path: str) -> None:
    import lmdb

    with lmdb.open(path, subdir=False, lock=False) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"a", b"b")


COMMANDS = [
    Row("no frames a second", None, f"{SYNTHESIZE} {GOOD_WAV} --out_fps 0",
        "--out_fps 0: must be above 0 and at most 240"),
    Row("frames a second in words", None, f"{SYNTHESIZE} {GOOD_WAV} --out_fps thirty",
        "argument --out_fps: invalid float value: 'thirty'; see synthesize.py --help"),
    Row("an overlap as long as the window", None, f"{SYNTHESIZE} {GOOD_WAV} --overlap 55",
        "--overlap 55: must be from 0 to 54 frames"),
    Row("an unknown domain", None, f"{SYNTHESIZE} {GOOD_WAV} --domain fr",
        "--domain fr: the checkpoint knows zh, en"),
    Row("a device that is none", None, f"{SYNTHESIZE} {GOOD_WAV} --device toaster",
        "--device toaster: there is none here; --device cpu always works"),
    Row("an output that cannot be made", None, f"{SYNTHESIZE} {GOOD_WAV} --out_path {GOOD_CSV}/out.csv",
        "corpus/bs/en_001.csv/out.csv: cannot be written: File exists"),
    Row("an unknown option", None, f"{SYNTHESIZE} {GOOD_WAV} --transcript a.tsv",
        "unrecognized arguments: --transcript a.tsv; see synthesize.py --help"),
    Row("no sound", None, "python scripts/synthesize.py",
        "the following arguments are required: --wav_path; see synthesize.py --help"),
    Row("resume and overwrite", None, f"{TRAIN} --resume --overwrite",
        "argument --overwrite: not allowed with argument --resume; see train.py --help"),
    Row("an even window", None, f"{SMOOTH} {GOOD_CSV} --window 8",
        "--window 8: must be an odd number of frames"),
    Row("an order not below the window", None, f"{SMOOTH} {GOOD_CSV} --window 5 --order 5",
        "--order 5: must be from 0 to 4, less than --window"),
    Row("a folder into one csv", None, "python postprocess/smooth.py --input corpus/bs --output out.csv",
        "--output out.csv: corpus/bs is a folder, so this must be one too"),
    Row("a channel misspelt", None, f"{SMOOTH} {GOOD_CSV} --channels mouht",
        '--channels: "mouht" is no group and no ARKit blendshape; did you mean mouth?'),
    Row("weights that do not sum to 1", None,
        f"python postprocess/ensemble.py --input {GOOD_CSV} {GOOD_CSV} --weights 0.3 0.6 --output out.csv",
        "--weights: they sum to 0.9, not 1; mend them or add --normalise"),
    Row("fewer weights than inputs", None,
        f"python postprocess/ensemble.py --input {GOOD_CSV} {GOOD_CSV} --weights 1 --output out.csv",
        "--weights: 1 given for 2 inputs; give one an input"),
    Row("an ensemble of different lengths", None,
        f"python postprocess/ensemble.py --input {GOOD_CSV} corpus/bs/en_002.csv --output out.csv",
        "corpus/bs/en_002.csv: 120 frames, but corpus/bs/en_001.csv has 135"),
    Row("an ensemble of different clips", copy(GOOD_CSV, "one/en_001.csv"),
        "python postprocess/ensemble.py --input corpus/bs one --output mixed",
        "one: no curves of en_002, which corpus/bs has; mix folders of the same clips"),
    Row("unseen clips of which none is left", copy("corpus/bs/zh_003.csv", "csvs/zh_003.csv"),
        "python scripts/evaluate.py --predictions csvs --targets corpus/bs --stats result/demo --unseen",
        "result/demo: trained on every clip that there is a prediction for; none is unseen"),
    Row("unseen clips of no stats", None, f"{EVALUATE} {GOOD_CSV} --unseen",
        "--unseen needs --stats: a stats.json or checkpoint, which names its training clips"),
    Row("a plot of an unknown kind", None, f"python scripts/plot.py --csv {GOOD_CSV} --wav {GOOD_WAV} --out_path a.txt",
        "a.txt: plots are .png, .pdf, .svg files"),
]  # fmt: skip

ROWS = [*SOUNDS, *CURVES, *TRANSCRIPTS, *CONFIGS, *MODELS, *DATABASES, *COMMANDS]


@pytest.fixture
def workplace(demo_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: a packed corpus and a trained run, in links to one copy."""
    place = tmp_path.resolve()
    shutil.copytree(demo_run, place, copy_function=os.link, dirs_exist_ok=True)
    monkeypatch.chdir(place)
    return place


def contents(place: Path) -> dict[Path, tuple[int, ...]]:
    """Everything below a folder, and what tells whether a file is still the same."""
    found = {path: path.lstat() for path in place.rglob("*")}
    return {
        path: (stat.st_ino, stat.st_size, stat.st_mtime_ns) if path.is_file() else () for path, stat in found.items()
    }


def type_command(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a command's main in this process."""
    _, script, *arguments = shlex.split(command)
    if script == "-m":
        script, *arguments = arguments
    monkeypatch.setattr(sys, "argv", [Path(script).name, *arguments])
    run(importlib.import_module(script.removesuffix(".py").replace("/", ".")).main)


def lines_seen(stderr: str, place: Path) -> list[str]:
    """Without progress bars, and paths as from the working directory, however a command writes them."""
    lines = [line for line in re.split(r"[\r\n]+", stderr) if line and not re.search(r"\d+%\|", line)]
    return [line.replace(f"{place}/", "") for line in lines]


@pytest.mark.filterwarnings("error")  # a person would see a second line
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.wrong)
def test_one_line_and_nothing_left_behind(
    row: Row, workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if row.make:
        row.make()
    before = contents(workplace)
    with pytest.raises(SystemExit) as ended:
        type_command(row.command, monkeypatch)
    code, stderr = ended.value.code, capsys.readouterr().err
    if isinstance(code, str):  # the interpreter writes it and exits with 1
        code, stderr = 1, f"{stderr}{code}\n"
    assert code in (1, 2)
    assert lines_seen(stderr, workplace) == [f"error: {row.line}"]
    assert contents(workplace) == before


def test_the_table_is_long_and_each_line_has_its_row() -> None:
    assert len({row.wrong for row in ROWS}) == len(ROWS) >= 45


@pytest.mark.parametrize("wrong", ["text for a number", "frames a second in words", "a pickle named safetensors"])
def test_the_process_ends_with_that_line_and_a_status_that_is_not_0(wrong: str, workplace: Path) -> None:
    (row,) = (row for row in ROWS if row.wrong == wrong)
    if row.make:
        row.make()
    _, script, *arguments = shlex.split(row.command)
    done = run_command(workplace, ROOT / script, *arguments)
    assert (done.returncode in (1, 2), done.stdout, done.stderr) == (True, "", f"error: {row.line}\n")


def test_a_speech_model_that_the_hub_does_not_give(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(SystemExit) as ended:
        type_command(f"{TRAIN} features.encoder=hubert features.model=nobody/nothing", monkeypatch)
    assert ended.value.code == (
        "error: features.model: no folder nobody/nothing, and the hub does not give it either; "
        "get one with `hf download nobody/nothing --local-dir nothing`, then set features.model=nothing"
    )


@pytest.mark.parametrize(
    ("make", "seconds", "tolerance"),
    [
        (sound("odd.wav", subtype="PCM_U8"), 1.0, 0.1),
        (sound("odd.wav", subtype="PCM_24"), 1.0, 1e-3),
        (sound("odd.wav", subtype="FLOAT"), 1.0, 1e-3),
        (sound("odd.wav", subtype="ULAW"), 1.0, 0.1),
        (sound("odd.wav", channels=6), 1.0, 1e-5),
        (sound("odd.wav", rate=96_000, subtype="PCM_24"), 1.0, 0.1),
        (sound("odd.wav", rate=44_100, channels=2), 1.0, 0.1),
        (sound("odd.wav", rate=8000), 1.0, 0.5),
        (sound("odd.wav", seconds=0.1), 0.1, None),
        (lambda: soundfile.write("odd.wav", np.zeros(RATE), RATE), 1.0, None),
    ],
    ids=["8-bit", "24-bit", "float", "µ-law", "6-channel", "96 kHz", "44.1 kHz stereo", "8 kHz", "0.1 s", "silence"],
)
def test_odd_sound_works(
    make: Make, seconds: float, tolerance: float | None, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make()
    type_command(f"{SYNTHESIZE} odd.wav", monkeypatch)
    odd = read_csv(Path("out.csv"), required=ARKIT).select(ARKIT)
    assert len(odd) == round(30 * seconds)
    assert odd.min() >= 0 and odd.max() <= 1
    if tolerance:
        sound("plain.wav")()
        type_command(f"{SYNTHESIZE} plain.wav", monkeypatch)
        np.testing.assert_allclose(odd, read_csv(Path("out.csv")).select(ARKIT), atol=tolerance)


def recoded(change: Callable[[str], str], encoding: str = "utf-8") -> Make:
    """The csv as another program writes it."""
    plain = curves(lambda table: table)
    return both(plain, lambda: file("bad.csv", change(Path("bad.csv").read_text()).encode(encoding))())


@pytest.mark.parametrize(
    "make",
    [
        curves(lambda table: [row[::-1] for row in table]),
        recoded(str, "utf-8-sig"),
        recoded(lambda text: text.replace("\n", "\r\n")),
        recoded(lambda text: text + "\n\n"),
        recoded(lambda text: text.removesuffix("\n")),
        recoded(lambda text: re.sub(r"[^,\n]+", r'"\g<0>"', text)),
        recoded(lambda text: text.replace("0.", ".")),
        recoded(lambda text: text.lower()),
        recoded(lambda text: text.replace("Left,", "_L,").replace("Right,", "_R,")),
        recoded(lambda text: re.sub("(?<=[a-z])([A-Z])", r"_\1", text).lower()),
        curves(lambda table: [
            [*extra, *row, *["0"] * len(ANGLES)] if extra[1] == "61" else [*extra, *row, *ANGLES]
            for row, extra in zip(table, [
                ["Timecode", "BlendShapeCount"], *([f"10:20:30:0{frame}.5", "61"] for frame in (2, 3, 4)),
            ], strict=True)
        ]),
    ],
    ids=["reordered", "BOM", "CRLF", "blank lines at the end", "no newline at the end", "quoted", "no leading 0",
         "lower case", "L and R", "snake case", "Live Link"],
)  # fmt: skip
def test_odd_csv_works(make: Make, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smooth = f"{SMOOTH} bad.csv --window 3 --order 1 --channels all"
    curves(lambda table: table)()
    type_command(smooth, monkeypatch)
    expected = read_csv(Path("out.csv"), required=ARKIT).select(ARKIT)
    make()
    type_command(smooth, monkeypatch)
    np.testing.assert_array_equal(read_csv(Path("out.csv"), required=ARKIT).select(ARKIT), expected)
