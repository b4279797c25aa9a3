"""Small files of our own making, of every format that we read: what the fuzzer starts from."""

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from config.units import SAMPLE_RATE
from dataset.blendshapes import ANGLES, ARKIT, write_curves


@dataclass(frozen=True)
class Seed:
    """A file, what reads it, and whether it is text."""

    reader: str  # of readers.READERS
    path: Path
    is_text: bool


FRAMES = 12


def curves() -> np.ndarray:
    """(FRAMES, 52), of 3 decimals."""
    return np.random.default_rng(0).random((FRAMES, len(ARKIT))).round(3)


def write_seeds(folder: Path) -> list[Seed]:
    """One file or a few for each format, in a folder each, with what belongs beside them."""
    seeds = []
    for make in SEEDS:
        for reader, path, is_text in make(folder / make.__name__):
            seeds.append(Seed(reader, path, is_text))
    return seeds


Made = Iterator[tuple[str, Path, bool]]
SEEDS: list[Callable[[Path], Made]] = []


def seed(make: Callable[[Path], Made]) -> Callable[[Path], Made]:
    def in_folder(folder: Path) -> Made:
        folder.mkdir(parents=True, exist_ok=True)
        yield from make(folder)

    in_folder.__name__ = make.__name__
    SEEDS.append(in_folder)
    return in_folder


@seed
def tables(folder: Path) -> Made:
    write_curves(folder / "arkit.csv", curves())
    yield "recording", folder / "arkit.csv", True
    rows: list[list[object]] = [["Timecode", "BlendShapeCount", *ARKIT, *ANGLES]]
    for frame, row in enumerate(curves().tolist()):
        rows.append([f"14:58:0{frame // 60}:{frame % 60:02}.{frame:03}", "61", *row, *[0.1] * len(ANGLES)])
    yield "recording", _csv(folder / "livelink.csv", rows), True
    rows = [["time_s", *(name[0].lower() + name[1:] for name in ARKIT)]]
    rows += [[frame / 30, *row] for frame, row in enumerate(curves().tolist())]
    yield "recording", _csv(folder / "times.csv", rows), True


@seed
def jsons(folder: Path) -> Made:
    names = [name[0].lower() + name[1:] for name in ARKIT]
    frames = [{"weights": row, "time": frame / 60} for frame, row in enumerate(curves().tolist())]
    yield "recording", _json(folder / "beat.json", {"names": names, "frames": frames}), True
    shapes = [dict(zip(["_neutral", *names], [0.0, *row], strict=True)) for row in curves().tolist()]
    yield "recording", _json(folder / "mediapipe.json", shapes), True
    plain = {"names": list(ARKIT), "fps": 30, "frames": curves().tolist()}
    yield "recording", _json(folder / "plain.json", plain), True


@seed
def arrays(folder: Path) -> Made:
    np.save(folder / "a.npy", curves().astype(np.float32))
    (folder / "a_names.txt").write_text("\n".join(ARKIT), encoding="utf-8")
    yield "recording", folder / "a.npy", False


@seed
def sounds(folder: Path) -> Made:
    import soundfile

    sound = 0.2 * np.sin(np.arange(SAMPLE_RATE // 4) / 9)
    for name, kind in (("a.wav", "PCM_16"), ("b.wav", "FLOAT"), ("c.flac", "PCM_16"), ("d.ogg", "VORBIS")):
        soundfile.write(folder / name, np.stack([sound, sound], axis=1)[:, : 1 + (name == "b.wav")], SAMPLE_RATE, kind)
        yield "sound", folder / name, False


@seed
def tracks(folder: Path) -> Made:
    import av

    for name in ("a.m4a", "b.mkv"):
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream("aac", SAMPLE_RATE)
            sound = (0.2 * np.sin(np.arange(4096) / 9)).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(sound[None], "fltp", "mono")
            frame.sample_rate = SAMPLE_RATE
            for packet in (*stream.encode(frame), *stream.encode(None)):
                container.mux(packet)
        yield "sound", folder / name, False


@seed
def words(folder: Path) -> Made:
    tsv = "# made by hand\nstart\tend\ttoken\n0.000\t0.200\t你\n0.200\t0.400\t好\n0.500\t0.900\thello\n"
    yield "tsv", _text(folder / "a.tsv", tsv), True
    grid = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 1\n'
    grid += "tiers? <exists>\nsize = 2\nitem []:\n"
    for number, (name, texts) in enumerate({"words": ("hello", "there"), "phones": ("h", "e")}.items(), 1):
        grid += f'    item [{number}]:\n        class = "IntervalTier"\n        name = "{name}"\n        xmin = 0\n'
        grid += "        xmax = 1\n        intervals: size = 2\n"
        for place, text in enumerate(texts):
            grid += f"        intervals [{place + 1}]:\n            xmin = {place / 2}\n"
            grid += f'            xmax = {place / 2 + 0.5}\n            text = "{text}"\n'
    yield "textgrid", _text(folder / "a.TextGrid", grid), True


@seed
def transcripts(folder: Path) -> Made:
    import docx

    yield "transcripts", _text(folder / "a.txt", "a1:你好\na2:hello there\n3、好\n"), True
    yield "transcripts", _text(folder / "b.csv", "name,text\na1,你好\na2,hello\n"), True
    document = docx.Document()
    for line in ("a1:你好", "a2: hello"):
        document.add_paragraph(line, style="List Number")
    document.save(str(folder / "c.docx"))
    yield "transcripts", folder / "c.docx", False
    yield "docx_xml", folder / "c.docx", True
    yield "manifest", _text(folder / "manifest.csv", "id,speaker,split\na1,x,train\na2,y,val\n"), True


@seed
def yamls(folder: Path) -> Made:
    root = Path(__file__).resolve().parents[2] / "config"
    yield "config", _text(folder / "a.yml", (root / "demo.yml").read_text(encoding="utf-8")), True
    yield "config", _text(folder / "b.yml", (root / "default.yml").read_text(encoding="utf-8")), True
    yield "grid", _text(folder / "grid.yml", "base: []\nno_ema: [train.ema=0]\nwide: [model.width=256]\n"), True
    chain = "steps:\n  - smooth: {window: 9, order: 4, channels: [face]}\n  - symmetrise: {by: mean, share: 1.0}\n"
    yield "chain", _text(folder / "chain.yml", chain), True
    yield "overrides", _text(folder / "override.txt", "model.width=64\ntrain.betas=[0.9, 0.99]\ndata.fps=25\n"), True


@seed
def heads(folder: Path) -> Made:
    from postprocess.face.gltf import write_head
    from postprocess.face.mesh import Head, Part

    ball = np.random.default_rng(1).normal(size=(12, 3)).astype(np.float32) / 10
    triangles = np.arange(12, dtype=np.int32).reshape(4, 3)
    offsets = {name: np.full((12, 3), 0.01, np.float32) for name in ("JawOpen", "MouthSmileLeft")}
    head = Head((Part("face", ball, triangles, np.full((12, 3), 0.5, np.float32), 0.6, offsets),))
    write_head(folder / "a.glb", head)
    yield "head", folder / "a.glb", False
    yield "gltf_json", folder / "a.glb", True
    objs = folder / "obj"
    objs.mkdir(exist_ok=True)
    for name, shift in (("neutral", 0.0), ("jawOpen", 0.01)):
        lines = [f"v {x:.4f} {y + shift:.4f} {z:.4f}" for x, y, z in ball.tolist()]
        lines += [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in triangles.tolist()]
        _text(objs / f"{name}.obj", "\n".join(lines) + "\n")
    yield "obj", objs / "jawOpen.obj", True


@seed
def databases(folder: Path) -> Made:
    from dataset.clip import Clip
    from dataset.store import write_store

    random = np.random.default_rng(2)

    def clip(name: str) -> Clip:
        audio = random.integers(-3000, 3000, SAMPLE_RATE // 4, np.int16)
        return Clip(name, "default", 30.0, audio, random.random((8, len(ARKIT)), np.float32), (), "noise")

    write_store(folder / "clips.lmdb", ((clip(name), "") for name in ("a", "b")), 30.0)
    yield "clips", folder / "clips.lmdb", False


@seed
def checkpoints(folder: Path) -> Made:
    import torch

    from config.load import ROOT, load_config
    from dataset.blendshapes import GROUPS
    from dataset.stats import compute_stats, save_stats
    from model.checkpoint import WEIGHTS, Header, prefixed, save_checkpoint
    from model.decoder import build_decoder

    small = ("model.width=8", "model.heads=2", "model.feedforward=8", "model.conv_layers=1", "features.logmel.bands=4")
    config = load_config(ROOT / "config" / "default.yml", small)
    torch.manual_seed(0)
    size = 4 * (2 * config.features.logmel.context_steps + 1)
    decoder = build_decoder(config, size, len(GROUPS["face"]))
    stats = compute_stats([curves()], ["a"])
    save_stats(folder / "stats.json", stats)
    yield "stats", folder / "stats.json", True
    header = Header(config, stats, GROUPS["face"], 30.0, "", size, 1)
    save_checkpoint(folder / "a.safetensors", header, prefixed(decoder.state_dict(), WEIGHTS))
    yield "checkpoint", folder / "a.safetensors", False
    yield "checkpoint_header", folder / "a.safetensors", True
    yield "ensemble", _json(folder / "ensemble.json", {"weights": {"a.safetensors": 1.0}}), True


def _csv(path: Path, rows: list[list[object]]) -> Path:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return _text(path, text.getvalue())


def _json(path: Path, content: object) -> Path:
    return _text(path, json.dumps(content))


def _text(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def zip_member(path: Path) -> tuple[str, bytes]:
    """A docx's longest part: its name and bytes."""
    with zipfile.ZipFile(path) as archive:
        name = "word/document.xml"
        return name, archive.read(name)
