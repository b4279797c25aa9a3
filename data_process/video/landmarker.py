"""MediaPipe's face landmarker: 478 points, 52 blend weights and a rotation of every face in a frame."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from config.errors import UserError
from data_process.video.face import SeenFace
from dataset.blendshapes import ARKIT, canonical

MODEL = Path("models/face_landmarker.task")
ADDRESS = (
    "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task"
)
# Points that no expression moves, in MediaPipe's mesh: https://ai.google.dev/edge/mediapipe/solutions/vision/face_landmarker
EYES = (33, 263)  # their outer corners
BONES = ((133, 362), (127, 356), (234, 454), (168, 2), (10, 168), (98, 327))  # inner corners, temples, ears, nose, brow


def check_tracker(model: Path) -> None:
    """Raises UserError, with the line that mends it, where MediaPipe or its model is missing."""
    import importlib.util

    if importlib.util.find_spec("mediapipe") is None:
        raise UserError("mediapipe is not installed: python -m pip install -r requirements-video.txt")
    if not model.is_file():
        raise UserError(
            f"{model}: no such file; get the tracker's model (3.8 MB): "
            f"curl --create-dirs -o {MODEL.as_posix()} {ADDRESS}; or say with --tracker where it is"
        )


class Landmarker:
    """Tracks up to so many faces along a shot."""

    def __init__(self, model: Path, faces: int = 1, in_order: bool = True) -> None:
        """in_order: for the frames of one shot; else for pictures that have nothing to do with each other.

        Raises UserError for a model that MediaPipe does not take.
        """
        os.environ.setdefault("GLOG_minloglevel", "2")  # it talks about itself
        import mediapipe
        from mediapipe.tasks.python import BaseOptions, vision

        self._image, self._in_order, self._last_ms = mediapipe.Image, in_order, -1
        self._format = mediapipe.ImageFormat.SRGB
        options = vision.FaceLandmarkerOptions(
            # Read here: MediaPipe opens no path with letters beyond ASCII on Windows.
            base_options=BaseOptions(model_asset_buffer=model.read_bytes()),
            running_mode=vision.RunningMode.VIDEO if in_order else vision.RunningMode.IMAGE,
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
            num_faces=faces,
        )
        try:
            self._landmarker = vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            raise UserError(f"{model}: MediaPipe cannot load it: {' '.join(str(error).split())[:120]}") from None

    def faces(self, rgb: np.ndarray, time_s: float) -> list[SeenFace]:
        """rgb: (height, width, 3) uint8 → every face that was found, in pixels of it."""
        image = self._image(image_format=self._format, data=np.ascontiguousarray(rgb))
        if not self._in_order:
            return as_faces(self._landmarker.detect(image), rgb.shape[1], rgb.shape[0])
        self._last_ms = max(self._last_ms + 1, round(1000 * time_s))
        return as_faces(self._landmarker.detect_for_video(image, self._last_ms), rgb.shape[1], rgb.shape[0])

    def close(self) -> None:
        """Give back its memory."""
        self._landmarker.close()


def as_faces(result: Any, width: int, height: int) -> list[SeenFace]:
    """MediaPipe's FaceLandmarkerResult on a picture of so many pixels."""
    every = zip(result.face_landmarks, result.face_blendshapes, result.facial_transformation_matrixes, strict=True)
    return [
        as_face(np.array([(p.x * width, p.y * height, p.z * width) for p in points]), weights, np.asarray(matrix))
        for points, weights, matrix in every
    ]


def as_face(points: np.ndarray, weights: Any, matrix: np.ndarray) -> SeenFace:
    """points: (478, 3) pixels, z towards the picture; weights: its categories; matrix: (4, 4), of the head."""
    scores = np.zeros(len(ARKIT), np.float32)
    for category in weights:
        name = canonical(category.category_name)  # None of _neutral
        if name is not None:
            scores[ARKIT.index(name)] = category.score
    box = np.concatenate([points[:, :2].min(axis=0), points[:, :2].max(axis=0)])
    lengths = np.array([np.linalg.norm(points[one] - points[other]) for one, other in (EYES, *BONES)])
    scaled = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
    return SeenFace(scores, scaled, box, np.log(lengths[1:] / lengths[0]).astype(np.float32))
