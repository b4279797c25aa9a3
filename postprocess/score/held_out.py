"""Scores of clips that a model did not hear in training, and how the tables of studies show them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataset.blendshapes import ARKIT, indices, to_arkit
from dataset.stats import Stats
from postprocess.score.metrics import Scores, clip_scores, mean_scores

if TYPE_CHECKING:
    from dataset.clip import Clip

# Heading → a score of a clip or of several clips' mean, and how it is written.
COLUMNS: dict[str, tuple[Callable[[Scores], float | None], str]] = {
    "contest": (lambda scores: scores["contest"], ".4f"),
    "MAE": (lambda scores: scores["groups"]["face"]["mae"], ".4f"),
    "r": (lambda scores: scores["groups"]["face"]["correlation"], ".3f"),
    "r JawOpen": (lambda scores: scores["channels"]["JawOpen"]["correlation"], ".3f"),
    "r MouthFunnel": (lambda scores: scores["channels"].get("MouthFunnel", {}).get("correlation"), ".3f"),
    "JawOpen ×": (lambda scores: scores["channels"]["JawOpen"]["amplitude_ratio"], ".2f"),
    "amplitude ×": (lambda scores: scores["groups"]["face"]["amplitude_ratio"], ".2f"),
    "jerk ×": (lambda scores: scores["groups"]["face"]["jerk_ratio"], ".2f"),
}


@dataclass(frozen=True)
class HeldOutScorer:
    """Scores held-out clips as model.trials and model.ridge_regression ask for them.

    pieces_s: seconds of the pieces that DTW sees; None: whole clips.
    """

    pieces_s: float | None = None

    def clip(self, clip: "Clip", curves: np.ndarray, channels: tuple[str, ...]) -> Scores:
        """The scores of a clip's predicted curves, (frames, len(channels)), against those that the clip captures."""
        places = indices(ARKIT, clip.channels)
        prediction, target = to_arkit(curves.astype(np.float64), channels), clip.curves.astype(np.float64)
        pieces = round(self.pieces_s * clip.fps) if self.pieces_s else None
        return clip_scores(prediction[:, places], target[:, places], clip.channels, clip.fps, pieces)

    def mean_face(self, clip: "Clip", stats: Stats) -> Scores:
        """The scores of the training mean held still for as long as the clip."""
        return self.clip(clip, np.tile(stats.mean, (len(clip.curves), 1)), stats.channels)

    def mean(self, clips: Sequence[Scores]) -> Scores:
        """The mean over clips of every score."""
        return mean_scores(clips)


def cells(scores: Scores) -> list[str]:
    """A row's scores as a table shows them, in the order of COLUMNS, a dash for those without meaning."""
    found = [(score(scores), style) for score, style in COLUMNS.values()]
    return ["–" if value is None else format(value, style) for value, style in found]


def spread(values: Sequence[float | None], style: str) -> str:
    """`mean ± std` of repeated measurements (n - 1 in the std); without what is unknown, and without ± of only one."""
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    mean = format(float(np.mean(known)), style)
    return f"{mean} ± {format(float(np.std(known, ddof=1)), style)}" if len(known) > 1 else mean


def training_time(seconds: Sequence[float | None]) -> str:
    """The mean of trainings' seconds as a cell, a dash where one of them is unknown."""
    known = [value for value in seconds if value is not None]
    return f"{np.mean(known):.0f}" if len(known) == len(seconds) else "–"
