"""The viewer's page: HTML, style and scripts, the head, the curves and the sound in one file that needs no other."""

import io
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from config.pages import DAY, NIGHT
from dataset.audio import to_int16
from dataset.blendshapes import ARKIT, GROUPS
from postprocess.face.mesh import Head
from postprocess.score.curve_plot import envelope
from postprocess.viewer.bundle import packed
from postprocess.viewer.clip import Clip
from postprocess.viewer.geometry import head_arrays

FOLDER = Path(__file__).parent
SCRIPTS = (
    "bundle.js",
    "matrix.js",
    "shaders.js",
    "head.js",
    "stage.js",
    "clock.js",
    "timeline.js",
    "channels.js",
    "pose.js",
    "main.js",
)
PEAKS_HZ = 200  # of the drawn waveform: 5 ms are a pixel at the closest zoom
PANELS = ("jaw", "mouth", "brow", "cheek_nose", "eye")  # of GROUPS, as the lists of channels are headed


def page(clip: Clip, head: Head, channels: Sequence[str]) -> str:
    """The page as text; channels: whose curves are drawn at first."""
    arrays = head_arrays(head) | curve_arrays(clip) | sound_arrays(clip)
    block, places = packed(arrays)
    about = {
        "title": clip.title,
        "fps": clip.fps,
        "frames": clip.frames,
        "takes": [{"label": take.label, "channels": take.channels, "frames": len(take.values)} for take in clip.takes],
        "target": clip.target,
        "words": [[word.text, round(word.start_s, 4), round(word.end_s, 4)] for word in clip.words],
        "shown": list(channels),
        "names": ARKIT,
        "groups": {name: GROUPS[name] for name in PANELS} | {"tongue": [ARKIT[-1]]},
        "shapes": head.channels,
        "peaksHz": PEAKS_HZ,
        "arrays": places,
    }
    replaced = {
        "TITLE": escape(clip.title),
        "STYLE": f":root {{ {DAY} }}\n:root[data-theme=dark] {{ {NIGHT} }}\n{_text('page.css')}",
        "ABOUT": json.dumps(about, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
        "BLOCK": block,
        "SCRIPT": "\n".join(map(_text, SCRIPTS)),
    }
    pieces = _text("page.html").split("%%")  # text, name, text, name, … text
    return "".join(replaced[piece] if turn % 2 else piece for turn, piece in enumerate(pieces))


def curve_arrays(clip: Clip) -> dict[str, np.ndarray]:
    """curves_<take> → (channels, frames) float32: a channel's frames lie together."""
    return {f"curves_{index}": np.ascontiguousarray(take.values.T) for index, take in enumerate(clip.takes)}


def sound_arrays(clip: Clip) -> dict[str, np.ndarray]:
    """sound: a FLAC file's bytes, which every browser plays and seeks to the sample; silent where there is no sound,
    so that one clock runs from the first frame to the last · peaks (columns, 2) int8: each column's lowest and highest.
    """
    import soundfile

    samples = max(len(clip.audio), round(clip.frames / clip.fps * clip.rate_hz))
    file = io.BytesIO()
    whole = np.pad(clip.audio, (0, samples - len(clip.audio)))
    soundfile.write(file, to_int16(whole), clip.rate_hz, format="FLAC", subtype="PCM_16")
    columns = max(1, round(len(whole) / clip.rate_hz * PEAKS_HZ))
    _, low, high = envelope(whole, columns)
    loudest = max(float(np.abs(whole).max()), 1e-3)
    peaks = np.column_stack([np.floor(low / loudest * 127), np.ceil(high / loudest * 127)])
    return {"sound": np.frombuffer(file.getvalue(), np.uint8), "peaks": np.clip(peaks, -127, 127).astype(np.int8)}


def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
