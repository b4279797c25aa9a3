"""What tests share: where things lie, one-line refusals, commands, and clips, sounds, curves and corpora to work on."""

import contextlib
import importlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml

from config.errors import UserError
from config.load import DEFAULT, ROOT, load_config
from config.units import SAMPLE_RATE
from dataset.blendshapes import ARKIT, write_curves
from dataset.clip import Clip
from dataset.store import ClipInfo, ClipStore, write_store
from dataset.transcript import Word, write_tsv

if TYPE_CHECKING:
    from model.logmel import LogMelEncoder

# Places

DEMO = ROOT / "dataset" / "demo"
SHARED = ROOT.parent / "shared" / "data"  # recordings of others, which lie beside the checkout and not in it
FACEGOOD = SHARED / "FACEGOOD-Audio2Face"
CAPTURES = SHARED / "livelink_captures"
TEXTGRIDS = SHARED / "mandarin_textgrid"
CASES = ROOT.parent / "shared" / "cases"  # what users and enemies brought: a README in each says what is right
MANDARIN_SPEECH = SHARED / "mandarin_speech"
ICT_FACEKIT = SHARED / "ict_facekit"


def absence(path: Path) -> str:
    return f"needs {(Path('../shared/data') / path.relative_to(SHARED)).as_posix()}, which is not there"


def needs_shared(path: Path) -> pytest.MarkDecorator:
    """Marks a test of others' recordings, which is skipped where they are absent."""
    return pytest.mark.skipif(not path.exists(), reason=absence(path))


def skip_without(path: Path) -> None:
    """What `needs_shared` does, for a fixture."""
    if not path.exists():
        pytest.skip(absence(path))


def needs_case(name: str) -> pytest.MarkDecorator:
    """Marks a test of a case, which is skipped where it is absent."""
    return pytest.mark.skipif(not (CASES / name).exists(), reason=f"needs ../shared/cases/{name}, which is not there")


# Configs

CAUSAL = (  # a small decoder that streams, as overrides
    "model.lookahead_ms=[0,200]",
    "model.encoder_layers=0",
    "model.decoder_layers=0",
    "model.positional=none",
    "model.conv_layers=3",
    "model.conv_kernel=5",
    "features.logmel.steps_per_frame=3",
    "features.logmel.context_steps=1",
)

# Systems

KILLED_STATUS = 9  # of a process that a test kills by os._exit(9): no handler runs, nothing is flushed, on Windows too
posix_only = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX system")


# Commands


def run_main(module: ModuleType, *words: object) -> None:
    """A command's main in this process, as if a person had typed these words."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [module.__name__, *map(str, words)])
        module.main()


def printed_by(module: ModuleType, *words: object) -> str:
    """What `run_main` prints."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        run_main(module, *words)
    return out.getvalue()


def run_command(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Run `python <words>` in a folder as a person does: in a process of its own, without the hub."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONUTF8": "1"}
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8")


def launch(processes: int, *words: object) -> list[subprocess.CompletedProcess[str]]:
    """What torchrun does: `python <words>` several times at once, told apart by RANK; a word may hold it as {rank}."""
    started = []
    for rank in range(processes):
        environment = os.environ | {"RANK": str(rank), "WORLD_SIZE": str(processes)}
        command = [sys.executable, *(str(word).replace("{rank}", str(rank)) for word in words)]
        started.append(subprocess.Popen(command, cwd=ROOT, env=environment, text=True, encoding="utf-8",
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE))  # fmt: skip
    ended = [(process, *process.communicate(timeout=120)) for process in started]
    return [subprocess.CompletedProcess(process.args, process.returncode, out, err) for process, out, err in ended]


def in_node(folder: Path, modules: Sequence[str], program: str, given: object) -> Any:
    """The JSON that a JavaScript program prints which has a page's modules and the constant `given`."""
    from postprocess.viewer.viewer_page import script

    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node, which is not there")
    (folder / "given.json").write_text(json.dumps(given), encoding="utf-8")
    reading = f"""
import {{ readFileSync }} from "node:fs";
const given = JSON.parse(readFileSync({json.dumps(str(folder / "given.json"))}));
"""
    done = subprocess.run(
        [node, "--input-type=module"],
        input=f"{script(modules)}{reading}{program}",
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refused(call: Callable[..., object], *given: Any, **named: Any) -> str:
    """The one line that a person sees whose mistake this call is."""
    with pytest.raises(UserError) as caught:
        call(*given, **named)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def refused_file(call: Callable[..., object], path: Path, *given: Any, **named: Any) -> str:
    """What that line says of the file with which it begins."""
    line = refused(call, path, *given, **named)
    assert line.startswith(f"{path}: ")
    return line.removeprefix(f"{path}: ")


# Clips, sounds and curves


def random_curves(frames: int, seed: int = 0, channels: int = len(ARKIT)) -> np.ndarray:
    """(frames, channels) from 0 to 1, with a csv's decimals."""
    return np.random.default_rng(seed).random((frames, channels)).round(6)


def write_curve_csv(path: Path, frames: int, seed: int = 0) -> np.ndarray:
    """A csv of all 52 channels without times; returns what reading it gives, (frames, 52)."""
    values = random_curves(frames, seed)
    write_curves(path, values)
    return values


FPS = 25


def loudness(frames: int, seed: int) -> np.ndarray:
    """(frames,) from 0 to 1: a few syllables a second."""
    random = np.random.default_rng(seed)
    knots = np.arange(0, frames + 8, 6)
    return np.interp(np.arange(frames), knots, random.random(len(knots)))


def write_speech(path: Path, seconds: float, seed: int = 0) -> np.ndarray:
    """A wav of a voice-like buzz; returns its loudness a frame at FPS, (frames,)."""
    samples, frames = round(seconds * SAMPLE_RATE), max(2, round(seconds * FPS))
    envelope = loudness(frames, seed)
    time_s = np.arange(samples) / SAMPLE_RATE
    buzz = sum(np.sin(2 * np.pi * 120 * harmonic * time_s) / harmonic for harmonic in range(1, 12))
    write_sound(path, 0.3 * buzz * np.interp(time_s * FPS, np.arange(frames), envelope))
    return envelope


def write_sound(path: Path, sound: np.ndarray, rate: int = SAMPLE_RATE) -> None:
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate)


def write_movie(
    path: Path, sound: Any, codec: str = "pcm_s16le", picture: bool = True, starts_s: float = 0.0,
    rate: int = 48_000, seconds: float = 3.0,
) -> Path:  # fmt: skip
    """Sound, (samples, channels), in a movie of 64 × 64 black pixels; it starts after the picture does."""
    import av

    with av.open(str(path), "w") as container:
        frames: Any = container.add_stream("mpeg4", rate=30) if picture else None
        track: Any = container.add_stream(codec, rate=rate) if sound is not None else None
        if track:
            track.layout = {1: "mono", 2: "stereo"}[sound.shape[1]]
        if picture:
            frames.width, frames.height, frames.pix_fmt = 64, 64, "yuv420p"
            for number in range(round(seconds * 30)):
                image = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
                image.pts = number
                container.mux(frames.encode(image))
            container.mux(frames.encode())
        for start in range(0, len(sound) if track else 0, 1024):
            piece = np.ascontiguousarray(sound[start : start + 1024].T.astype(np.float32))
            frame = av.AudioFrame.from_ndarray(piece, "fltp", track.layout.name)
            frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
            frame.pts = start + round(starts_s * rate)
            for converted in av.AudioResampler(track.format, track.layout, rate).resample(frame):
                container.mux(track.encode(converted))
        if track:
            container.mux(track.encode())
    return path


def noise_clip(clip_id: str, samples: int = 16_000, seed: int = 0) -> Clip:
    random = np.random.default_rng(seed)
    audio = random.integers(-9, 9, samples, dtype=np.int16)
    return Clip(clip_id, "default", 30.0, audio, random.random((30, 52), np.float32), (), f"wav/{clip_id}.wav")


def write_clips(path: Path, *clips: Clip) -> list[ClipInfo]:
    return write_store(path, ((clip, "") for clip in clips), 30.0)


def lmdb_records(path: Path) -> dict[bytes, bytes]:
    import lmdb

    with lmdb.open(str(path), subdir=False, readonly=True, lock=False) as environment, environment.begin() as reader:
        return dict(reader.cursor())


def clip_records(*files: Path) -> dict[bytes, bytes]:
    """The clips' records of a database's files; the index of each differs by what is where."""
    return {key: record for file in files for key, record in lmdb_records(file).items() if key != b"index"}


# Speech encoders


def logmel_encoder(fps: float, **changes: float) -> "LogMelEncoder":
    """The log-mel encoder of config/default.yml, with some of its settings changed."""
    from model.logmel import LogMelEncoder

    settings = load_config(DEFAULT).features.logmel
    return LogMelEncoder(fps, settings.model_copy(update=changes))


# Corpora

TINY: dict[str, Any] = {
    "data": {"fps": FPS, "domains": [{"name": name, "clips": [f"{name}*"], "weight": 1.0} for name in ("a", "b")]},
    "windows": {"window_frames": 20, "stride_frames": 5},
    "augment": {
        "copies": 0, "gain_db": 0.0, "noise_snr_db": None, "reverb_s": None, "reverb_share": 0.3, "speed": 0.0,
        "band_mask_share": 0.0, "time_mask_frames": 0,
    },
    "features": {"logmel": {"bands": 12, "steps_per_frame": 1, "context_steps": 1}},
    "text": {"stream": "none", "embedding": 4, "drop": 0.2},
    "model": {
        "curve_scale": "channel", "positional": "sinusoidal",
        "width": 8, "heads": 2, "feedforward": 16, "conv_layers": 1, "conv_kernel": 3,
        "encoder_layers": 1, "decoder_layers": 1, "dropout": 0.1, "head_dropout": 0.1,
    },
    "loss": {"dtw": 0.0, "mse": 1.0, "velocity": 0.0},
    "train": {
        "epochs": 2, "batch_size": 16, "learning_rate": 1e-2, "weight_decay": 0.0, "schedule": "constant",
        "warmup_steps": 0, "ema": 0.0,
    },
}  # fmt: skip


class Corpus:
    """A corpus folder to fill, and what packing it by the command gives."""

    def __init__(self, folder: Path, out: Path | None = None, config: Path = DEFAULT) -> None:
        """`out` is the folder of the database, the corpus folder itself unless told."""
        self.folder, self.config = folder, config
        self.lmdb = (out or folder) / "clips.lmdb"
        self.cache = self.lmdb.with_name("features")

    def sound(self, name: str, samples: np.ndarray, rate: int = SAMPLE_RATE) -> Path:
        path = self.folder / "wav" / f"{name}.wav"
        write_sound(path, samples, rate)
        return path

    def curves(self, name: str, values: np.ndarray) -> None:
        """(frames, 52) as a csv without times."""
        write_curves(self.folder / "bs" / f"{name}.csv", values)

    def noise(self, name: str, seconds: float = 1.0, fps: float = 30, rate: int = SAMPLE_RATE) -> np.ndarray:
        """A clip of noise; returns its curves."""
        random = np.random.default_rng(sum(name.encode()))
        self.sound(name, random.integers(-9_000, 9_000, round(seconds * rate), dtype=np.int16), rate)
        curves = random.random((round(seconds * fps), 52)).round(6)
        self.curves(name, curves)
        return curves

    def buzz(self, name: str, seconds: float, seed: int) -> None:
        """A clip whose mouth is open as far as its sound is loud."""
        envelope = write_speech(self.folder / "wav" / f"{name}.wav", seconds, seed)
        self.curves(name, envelope[:, None] * np.linspace(0.2, 0.9, len(ARKIT)) + 0.05)

    def text(self, name: str, sentence: str) -> None:
        path = self.folder / "text" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(sentence, encoding="utf-8")

    def transcribe(self, name: str, words: str | Iterable[Word] = "0\t0.2\t你\n0.2\t0.4\t好\n0.5\t0.9\t吗\n") -> None:
        """A tsv of words, or of any text."""
        path = self.folder / "tsv" / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(words, str):
            path.write_text(words, encoding="utf-8")
        else:
            write_tsv(path, list(words))

    def configure(self, name: str, **sections: dict[str, Any]) -> Path:
        """Write and use a YAML beside the database: TINY, and these sections."""
        places = {"data": {"corpus": str(self.folder), "lmdb": str(self.lmdb)}, "features": {"cache": str(self.cache)}}
        tree = {section: TINY.get(section, {}) | places.get(section, {}) for section in TINY} | sections
        self.config = self.lmdb.with_name(name)
        self.config.write_text(yaml.safe_dump(tree), encoding="utf-8")
        return self.config

    def words(self, *overrides: str) -> list[object]:
        """What pack is called with."""
        places = [f"data.corpus={self.folder}", f"data.lmdb={self.lmdb}", f"features.cache={self.cache}"]
        return ["--config", self.config, *places, *overrides]

    def pack(self, *overrides: str) -> str:
        """What the command prints."""
        return printed_by(importlib.import_module("data_process.pack"), *self.words(*overrides))

    @property
    def store(self) -> ClipStore:
        return ClipStore(self.lmdb)

    @property
    def ids(self) -> list[str]:
        return [clip.id for clip in self.store.clips]

    @property
    def log(self) -> list[str]:
        return self.lmdb.with_name("pack.log").read_text(encoding="utf-8").splitlines()
