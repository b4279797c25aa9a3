"""Faces as a tracker would find them, made up."""

import numpy as np

from data_process.video.face import SeenFace
from dataset.blendshapes import ARKIT


def seen(x: float, y: float = 100.0, height: float = 80.0, jaw: float = 0.0, build: float = 0.0) -> SeenFace:
    """A face in the middle (x, y), so high, whose jaw is so far open."""
    scores = np.zeros(52, np.float32)
    scores[ARKIT.index("JawOpen")] = jaw
    half = height / 2
    box = np.array([x - half, y - half, x + half, y + half])
    return SeenFace(scores, np.eye(3), box, np.full(6, build, np.float32))
