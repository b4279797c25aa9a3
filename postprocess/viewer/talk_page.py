"""The page that needs no server: it holds the head and the network, and a microphone or a sound file drives them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from config import pages
from config.files import write_json
from dataset import stream_resampler
from dataset.blendshapes import ARKIT, DECIMALS
from postprocess.face.mesh import Head
from postprocess.life.constants import constants_of, life_constants
from postprocess.viewer.bundle import packed
from postprocess.viewer.geometry import head_arrays
from postprocess.viewer.live_page import FACE_SCRIPTS, about_face
from postprocess.viewer.viewer_page import script

TEMPLATE = Path(__file__).with_name("talk.html")
LIFE_SCRIPTS = (
    "life/seeded", "life/movement", "life/prosody", "life/blinks", "life/gaze", "life/brows", "life/head_turns",
    "life/enlivener",
)  # fmt: skip
SCRIPTS = (*FACE_SCRIPTS, "microphone", "sound_file", "resampler", "talk", *LIFE_SCRIPTS, "talking_face", "talk_page")
NETWORK = "network_"  # before the names of its arrays, beside the head's


def write_talk_page(
    path: Path, head: Head, title: str, numbers: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Write the page, whole or not at all; numbers, and arrays of any shape: what talk.js computes with."""
    block, places = packed(head_arrays(head) | {f"{NETWORK}{name}": array for name, array in arrays.items()})
    told = about_face(title, places) | {
        "network": numbers, "prefix": NETWORK, "decimals": DECIMALS, "life": life_constants(),
        "resampling": constants_of(stream_resampler),
    }  # fmt: skip
    pages.write_page(path, TEMPLATE, title=title, about=told, block=block, script=script(SCRIPTS))


def write_network(path: Path, numbers: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """What talk.js computes with, as above, for a page of one's own; names: of the values that it tells."""
    block, places = packed(arrays)
    write_json(path, {"names": ARKIT, "network": numbers, "arrays": places, "block": block})
