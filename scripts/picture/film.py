"""Recordings performed side by side by one head: the pictures of a movie."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scripts.picture.performance import Pose
from scripts.picture.scene import Scene
from scripts.picture.text import write

LABEL_SIZE, LABEL_FOOT = 1 / 22, 1 / 40  # of the picture's height: the letters, and the room below them


@dataclass(frozen=True)
class Film:
    """performances: one of the same length a head, left to right; labels: a word for each, or none."""

    scene: Scene
    performances: Sequence[Sequence[Pose]]
    labels: Sequence[str] = ()

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of a picture."""
        return self.scene.size, self.scene.size * len(self.performances)

    def __len__(self) -> int:
        return len(self.performances[0])

    def picture(self, number: int) -> np.ndarray:
        """(height, width, 3) uint8: frame `number` of every performance."""
        heads = []
        for head, performance in enumerate(self.performances):
            pose = performance[number]
            drawn = self.scene.draw(pose.coefficients, pose.yaw_deg, pose.pitch_deg, pose.roll_deg)
            if self.labels:
                size = self.scene.size
                write(drawn, self.labels[head], size // 2, size - round(size * LABEL_FOOT), round(size * LABEL_SIZE))
            heads.append(drawn)
        return np.hstack(heads)
