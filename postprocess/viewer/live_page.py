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
SCRIPTS = ("bundle", "matrix", "shaders", "dom", "head", "stage", "showing", "timeline", "live_sound", "live")
SHOWN = ("JawOpen", "MouthClose", "MouthFunnel", "MouthPucker", "MouthSmileLeft", "MouthPressLeft")


def live_page(head: Head, title: str) -> str:
    """HTML that needs no other file, of a head that speaks what a postprocess.send.live_server tells."""
    block, places = packed(head_arrays(head))
    told: dict[str, Any] = {
        "names": ARKIT,
        "subject": title,
        "shown": SHOWN,
        "rateHz": SAMPLE_RATE,
        "easing": {"heldS": HELD_S, "atRestS": AT_REST_S, "interruptedS": INTERRUPTED_S},
        "studio": studio(),
        "arrays": places,
    }
    return pages.render(TEMPLATE, title=title, about=told, block=block, script=script(SCRIPTS))
