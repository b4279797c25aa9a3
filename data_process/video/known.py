"""What a tracker reads of a film of known curves: each channel by itself, then each turn of the head."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from data_process.video.head_pose import NAMES as HEAD
from data_process.video.landmarker import Landmarker
from data_process.video.scout import scout
from data_process.video.track import track
from data_process.video.tracked import Tracked
from dataset.blendshapes import ARKIT

FPS = 15.0
RISE = (0.0, 0.5, 1.0, 1.0, 0.5)  # of a channel, frame by frame, before it is the next one's turn
TURN_DEG = (20.0, 15.0, 15.0)  # yaw, pitch, roll
TURN = np.sin(2 * np.pi * np.arange(10) / 10)
FEWEST = 0.5  # r below which a channel is not read


def known_columns() -> dict[str, np.ndarray]:
    """The film's curves and head angles, by name, (frames,) each; it begins and ends at rest."""
    rest = np.zeros((8, len(ARKIT) + len(HEAD)))
    channels = [np.outer(RISE, row) for row in np.eye(len(ARKIT) + len(HEAD))[: len(ARKIT)]]
    turns = [np.outer(TURN, row) for row in np.diag([*np.zeros(len(ARKIT)), *np.radians(TURN_DEG)])[len(ARKIT) :]]
    rows = np.concatenate([rest, *channels, rest, *turns, rest])
    return dict(zip((*ARKIT, *HEAD), rows.T, strict=True))


def read_back(film: Path, model: Path) -> dict[str, tuple[float, float, str]]:
    """Column → r and gain of what is read, and what else answers to it, of a film of known_columns."""
    looker = Landmarker(model, in_order=False)
    overview = scout(film, looker)
    looker.close()
    return compare(track(film, overview, partial(Landmarker, model), lambda: None))


def compare(tracked: Tracked) -> dict[str, tuple[float, float, str]]:
    """The same, of what was tracked: a frame a row of known_columns.

    r: Pearson's over the whole film, so what a channel answers to others' motion counts against it. gain: by least
    squares over its own frames, from its own rest. Frames without a face are left out.
    """
    known = known_columns()
    read = dict(zip((*ARKIT, *HEAD), np.column_stack([tracked.scores, tracked.angles]).T, strict=True))
    found = tracked.found[: len(known[ARKIT[0]])]
    above = {name: column[: len(found)][found] - np.median(column[:8]) for name, column in read.items()}
    result = {}
    for name, column in known.items():
        truth = column[: len(found)][found]
        gains = {other: float(truth @ values / (truth @ truth)) for other, values in above.items() if other in ARKIT}
        r = float(np.corrcoef(truth, above[name])[0, 1]) if above[name].std() > 1e-6 else 0.0
        loudest = max((other for other in gains if other != name), key=lambda other: abs(gains[other]))
        gain = float(truth @ above[name] / (truth @ truth))
        result[name] = (r, gain, f"{loudest} {gains[loudest]:.2f}")
    return result


HEADING = f"""# What a face tracker reads of a face whose curves are known

`python scripts/closed_loop.py --out result/closed_loop.md`: a film of each channel by itself, 0 to 1 and back in a
third of a second, then of each turn of the head, drawn by the renderer and tracked by MediaPipe's face landmarker,
nothing cleaned. r: correlation over the whole film, so that what a channel answers to the others' motion counts
against it; gain: what is read for each unit; ✗: r below {FEWEST:g}. A drawn head is no person: its lids, brows and
teeth are read worse than a face's, so `--calibrate` of `data_process.video` leaves eyes and brows as they are. What it
does show: which side is left, which way angles run, what is mixed up with what, and what no blend weight of this
tracker answers to: jaw sideways and forwards, MouthClose, MouthPress, MouthRoll, MouthDimple, cheeks, nose and tongue,
which manifest.csv marks as `uncaptured`, so that they are neither learnt nor scored. Both are decided by
`data_process/video/readings.py`, which holds this table.

"""


def table(readings: Mapping[str, Mapping[str, tuple[float, float, str]]]) -> str:
    """Markdown under HEADING: a row a channel, for each head its r, gain and what else answers."""
    heads = list(readings)
    lines = [
        "| channel | " + " | ".join(f"{head}: r | gain | what else answers, by how much" for head in heads) + " |",
        "|---|" + "---|---|---|" * len(heads),
    ]
    for name in (*ARKIT, *HEAD):
        cells = [
            f"{r:.2f}{'' if r >= FEWEST else ' ✗'} | {gain:.2f} | {other}"
            for r, gain, other in (readings[head][name] for head in heads)
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return HEADING + "\n".join(lines) + "\n"


def further_sections(path: Path) -> str:
    """What stands below the table in an earlier page, from its first second-level heading on; "" without any."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    _, heading, rest = text.partition("\n## ")
    return heading + rest
