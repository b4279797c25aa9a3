"""The live page: the viewer's head and curves, fed by a WebSocket of the place that it comes from."""

from pathlib import Path
from typing import Any

from config import pages
from config.units import SAMPLE_RATE
from dataset.blendshapes import ARKIT
from postprocess.face.mesh import Head
from postprocess.send.pacing import AT_REST_S, HELD_S, INTERRUPTED_S
from postprocess.viewer.bundle import packed
from postprocess.viewer.geometry import head_arrays
from postprocess.viewer.viewer_page import script, studio

TEMPLATE = Path(__file__).with_name("live.html")
# JavaScript modules, each after those that it imports.
FACE_SCRIPTS = (
    "bundle", "matrix", "shaders", "dom", "head", "stage", "showing", "timeline", "live_face", "live_sound",
)  # fmt: skip
SCRIPTS = (*FACE_SCRIPTS, "live")
SHOWN = ("JawOpen", "MouthClose", "MouthFunnel", "MouthPucker", "MouthSmileLeft", "MouthPressLeft")


def live_page(head: Head, title: str) -> str:
    """HTML that needs no other file, of a head that speaks what a postprocess.send.live_server tells."""
    block, places = packed(head_arrays(head))
    told = about_face(title, places) | {"rateHz": SAMPLE_RATE}
    return pages.render(TEMPLATE, title=title, about=told, block=block, script=script(SCRIPTS))


def about_face(title: str, places: dict[str, Any]) -> dict[str, Any]:
    """What live_face.js is told besides arrays, JSON-able; places: where these lie, of bundle.packed."""
    return {
        "names": ARKIT,
        "subject": title,
        "shown": SHOWN,
        "easing": {"heldS": HELD_S, "atRestS": AT_REST_S, "interruptedS": INTERRUPTED_S},
        "studio": studio(),
        "arrays": places,
    }
