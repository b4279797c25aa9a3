"""Recordings performed side by side by one head: the pictures of a movie."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from postprocess.film.performance import Performance
from postprocess.film.scene import Scene
from postprocess.film.text import write

LABEL_SIZE, LABEL_FOOT = 1 / 22, 1 / 40  # of the picture's height: the letters, and the room below them


@dataclass(frozen=True)
class Film:
    """performances: one of the same length a head, left to right; labels: a word for each, or none."""

    scene: Scene
    performances: Sequence[Performance]
    labels: Sequence[str] = ()
    share: float = 1.0  # of a head's square that is kept, about its middle, from left to right

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of a picture."""
        return self.scene.size, (self.scene.size - 2 * self._cut) * len(self.performances)

    @property
    def _cut(self) -> int:
        """The pixels that go on either side of a head."""
        return round(self.scene.size * (1 - self.share) / 2)

    def __len__(self) -> int:
        return len(self.performances[0])

    def picture(self, number: int) -> np.ndarray:
        """(height, width, 3) uint8: frame `number` of every performance."""
        height, cut, heads = self.scene.size, self._cut, []
        for head, performance in enumerate(self.performances):
            drawn = self.scene.draw(performance.coefficients[number], performance.turns_deg[number])
            drawn = drawn[:, cut : height - cut]
            if self.labels:
                foot, pixels = height - round(height * LABEL_FOOT), round(height * LABEL_SIZE)
                write(drawn, self.labels[head], drawn.shape[1] // 2, foot, pixels)
            heads.append(drawn)
        return np.hstack(heads)
