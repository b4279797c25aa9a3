"""What reads each kind of file, called as the commands call it; a result that is not finite is a fault."""

import json
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def recording(path: Path) -> None:
    from dataset.recordings.layouts import read_recording

    found = read_recording(path)
    finite(found.values, *found.angles.values())
    finite(found.with_rate(30.0).at_rate(30.0).values)


def sound(path: Path) -> None:
    from dataset.audio import read_audio

    finite(read_audio(path))


def tsv(path: Path) -> None:
    from dataset.transcript import read_tsv

    finite(np.array([(word.start_s, word.end_s) for word in read_tsv(path)]))


def textgrid(path: Path) -> None:
    from dataset.textgrid import read_grid

    finite(np.array([(word.start_s, word.end_s) for word in read_grid(path).words]))


def transcripts(path: Path) -> None:
    from data_process.transcripts import load_transcripts

    load_transcripts(path, say=lambda _: None)


def manifest(path: Path) -> None:
    from dataset.corpus import read_manifest

    read_manifest(path)


def config(path: Path) -> None:
    from config.load import load_config

    load_config(path)


def overrides(path: Path) -> None:
    from config.load import ROOT, load_config

    words = path.read_text(encoding="utf-8", errors="replace").splitlines()
    load_config(ROOT / "config" / "default.yml", words)


def grid(path: Path) -> None:
    from config.grid import load_grid

    load_grid(path)


def chain(path: Path) -> None:
    from postprocess.chain import read_chain

    read_chain(path)


def head(path: Path) -> None:
    from postprocess.face.heads import read_head
    from postprocess.face.mesh import Mesh

    mesh = Mesh.of(read_head(path))
    finite(mesh.vertices, mesh.offsets, mesh.colours)
    if mesh.triangles.size and not (mesh.triangles.min() >= 0 and mesh.triangles.max() < len(mesh.vertices)):
        raise AssertionError("a triangle names no vertex")
    exported(path)


def exported(head: Path) -> None:
    """A head that was read is given two frames, and is read again."""
    from dataset.blendshapes import ARKIT
    from dataset.recordings.recording import Recording
    from postprocess.export.glb import write_glb
    from postprocess.face.heads import read_head

    out = head.with_name("exported.glb")
    write_glb(out, Recording(ARKIT, np.eye(2, len(ARKIT)), None, 30.0, {}, "arkit"), head)
    read_head(out)


def obj(path: Path) -> None:
    head(path.parent)


def clips(path: Path) -> None:
    from dataset.store import ClipStore

    store = ClipStore(path)
    for info in store.clips:
        finite(store[info.id].curves)


def stats(path: Path) -> None:
    from dataset.stats import load_stats

    found = load_stats(path)
    finite(found.mean, found.std, found.min, found.max)
    if (found.std < 0).any():
        raise AssertionError("a negative std")


def checkpoint(path: Path) -> None:
    from model.checkpoint import load_decoder

    _, decoder = load_decoder(path)
    finite(*(weight.detach().numpy() for weight in decoder.parameters()))


def ensemble(path: Path) -> None:
    from model.ensembles import read_ensemble

    for member in read_ensemble(path.parent):
        if member.resolve().parent != path.parent.resolve():
            raise AssertionError("a member outside the folder")


READERS: dict[str, Callable[[Path], None]] = {
    "recording": recording, "sound": sound, "tsv": tsv, "textgrid": textgrid, "transcripts": transcripts,
    "docx_xml": transcripts, "manifest": manifest, "config": config, "overrides": overrides, "grid": grid,
    "chain": chain,
    "head": head, "gltf_json": head, "obj": obj, "clips": clips, "stats": stats, "checkpoint": checkpoint,
    "checkpoint_header": checkpoint, "ensemble": ensemble,
}  # fmt: skip


def finite(*arrays: np.ndarray) -> None:
    for array in arrays:
        if not np.isfinite(array).all():
            raise AssertionError("a result that is not finite")


Edit = Callable[[bytes], bytes]


def damage(reader: str, source: Path, target: Path, edit: Edit) -> None:
    """Write a damaged copy, with what lies beside it; what is text inside a container is edited there."""
    shutil.copytree(source.parent, target.parent, dirs_exist_ok=True)
    parts: dict[str, Callable[[bytes, Edit], bytes]] = {
        "docx_xml": _edit_docx, "gltf_json": _edit_glb, "checkpoint_header": _edit_header,
    }  # fmt: skip
    target.write_bytes(parts.get(reader, lambda data, edit: edit(data))(source.read_bytes(), edit))


def _edit_docx(data: bytes, edit: Edit) -> bytes:
    import io

    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            part = old.read(name)
            new.writestr(name, edit(part) if name in ("word/document.xml", "word/numbering.xml") else part)
    return out.getvalue()


def _edit_glb(data: bytes, edit: Edit) -> bytes:
    length = struct.unpack_from("<I", data, 12)[0]
    text = edit(data[20 : 20 + length])
    text += b" " * (-len(text) % 4)
    rest = data[20 + length :]
    total = struct.pack("<4sII", b"glTF", 2, 20 + len(text) + len(rest))
    return total + struct.pack("<I4s", len(text), b"JSON") + text + rest


def _edit_header(data: bytes, edit: Edit) -> bytes:
    """Of a checkpoint: one of the strings that say what it is."""
    length = struct.unpack_from("<Q", data)[0]
    header: dict[str, Any] = json.loads(data[8 : 8 + length])
    about = header["__metadata__"]
    changed = edit(json.dumps(about).encode())
    try:
        header["__metadata__"] = {str(key): str(value) for key, value in json.loads(changed).items()}
    except (ValueError, AttributeError):
        header["__metadata__"] = {**about, "config": changed.decode("utf-8", "replace")}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data[8 + length :]
