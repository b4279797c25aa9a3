"""The viewer's page: HTML, style and scripts, the head, the curves and the sound in one file that needs no other."""

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from markupsafe import Markup

from config import pages
from dataset.audio import to_int16
from dataset.blendshapes import ARKIT, GROUPS
from postprocess.face.mesh import Head
from postprocess.film.studio import VIEWER_AMBIENT, VIEWER_FIELD_OF_VIEW_DEG, VIEWER_LIGHTS
from postprocess.score.curve_plot import LIVELIEST, envelope
from postprocess.viewer.bundle import packed
from postprocess.viewer.geometry import head_arrays
from postprocess.viewer.showing import Showing

TEMPLATE = Path(__file__).with_name("viewer.html")
# JavaScript modules, each after those that it imports.
SCRIPTS = (
    "bundle", "matrix", "shaders", "dom", "head", "stage", "clock", "showing", "timeline", "channels", "pose", "main",
)  # fmt: skip
PEAKS_HZ = 200  # of the drawn waveform: 5 ms are a pixel at the closest zoom
# The groups of the lists of channels, as they are headed.
PANELS = {
    "Jaw": GROUPS["jaw"], "Mouth": GROUPS["mouth"], "Brows": GROUPS["brow"], "Cheeks and nose": GROUPS["cheek_nose"],
    "Eyes": GROUPS["eye"], "Tongue": ("TongueOut",),
}  # fmt: skip


def write_viewer(path: Path, showing: Showing, head: Head, channels: Sequence[str]) -> None:
    """Write the page, whole or not at all; channels: whose curves are drawn at first."""
    arrays = head_arrays(head) | curve_arrays(showing) | sound_arrays(showing)
    block, places = packed(arrays)
    told = about(showing, head, channels) | {"arrays": places}
    pages.write_page(path, TEMPLATE, title=showing.title, about=told, block=block, script=script())


def about(showing: Showing, head: Head, channels: Sequence[str]) -> dict[str, Any]:
    """What the page is told besides arrays, JSON-able."""
    takes = showing.takes
    return {
        "title": showing.title,
        "fps": showing.fps,
        "frames": showing.frames,
        "takes": [{"label": take.label, "channels": take.channels, "frames": len(take.values)} for take in takes],
        "target": showing.target,
        "words": [[word.text, round(word.start_s, 4), round(word.end_s, 4)] for word in showing.words],
        "shown": list(channels),
        "preset": LIVELIEST,
        "names": ARKIT,
        "groups": [{"title": title, "names": names} for title, names in PANELS.items()],
        "shapes": head.channels,
        "peaksHz": PEAKS_HZ,
        "studio": studio(),
    }


def studio() -> dict[str, Any]:
    """The view and the lights, JSON-able."""
    return {
        "fieldOfViewDeg": VIEWER_FIELD_OF_VIEW_DEG,
        "lights": {name: light._asdict() for name, light in VIEWER_LIGHTS.items()},
        "ambient": VIEWER_AMBIENT._asdict(),
    }


def script(names: Sequence[str] = SCRIPTS) -> Markup:
    """The modules as one, which a page that may load nothing can hold: without what they import and export."""
    modules = ((TEMPLATE.parent / f"{name}.js").read_text(encoding="utf-8") for name in names)
    return Markup("\n".join(re.sub(r"^import [^;]*;\n|^export ", "", module, flags=re.MULTILINE) for module in modules))


def curve_arrays(showing: Showing) -> dict[str, np.ndarray]:
    """curves_<take> → (channels, frames) float32: a channel's frames lie together · turns_<take> → (3, frames): the
    head's yaw, pitch and roll, radians."""
    curves = {f"curves_{index}": np.ascontiguousarray(take.values.T) for index, take in enumerate(showing.takes)}
    return curves | {f"turns_{index}": np.ascontiguousarray(take.turns.T) for index, take in enumerate(showing.takes)}


def sound_arrays(showing: Showing) -> dict[str, np.ndarray]:
    """sound: a FLAC file's bytes, which every browser plays and seeks to the sample; silent where there is no sound,
    so that one clock runs from the first frame to the last · peaks (columns, 2) int8: each column's lowest and highest.
    """
    audio, rate_hz = showing.audio, showing.rate_hz
    samples = max(len(audio), round(showing.frames / showing.fps * rate_hz))
    whole, file = np.pad(audio, (0, samples - len(audio))), io.BytesIO()
    soundfile.write(file, to_int16(whole), rate_hz, format="FLAC", subtype="PCM_16")
    columns = max(1, round(len(whole) / rate_hz * PEAKS_HZ))
    _, low, high = envelope(whole, columns)
    loudest = max(float(np.abs(whole).max()), 1e-3)
    peaks = np.column_stack([np.floor(low / loudest * 127), np.ceil(high / loudest * 127)])
    return {"sound": np.frombuffer(file.getvalue(), np.uint8), "peaks": np.clip(peaks, -127, 127).astype(np.int8)}
