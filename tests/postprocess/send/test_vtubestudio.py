"""The plugin against a mock that speaks VTube Studio's API."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dataset.blendshapes import ARKIT
from dataset.face_frame import FaceFrame, face_frame
from postprocess.send.outputs import Outputs
from postprocess.send.sender import SendSettings
from tests.receivers import VTubeStudioMock, web_server

JAW = np.where(np.array(ARKIT) == "JawOpen", 0.5, 0)


def perform(mock: VTubeStudioMock, folder: Path, *frames: FaceFrame, until: Callable[[], object] | None = None) -> None:
    with (
        web_server(mock) as port,
        Outputs([f"vtubestudio://127.0.0.1:{port}"], SendSettings(30, patient=True, tokens=folder)) as outputs,
    ):
        for frame in frames:
            outputs.send(frame)
        ends = time.monotonic() + 5
        while not (until or (lambda: len(mock.injected) == len(frames)))() and time.monotonic() < ends:
            time.sleep(0.01)


def test_it_is_let_in_once_and_moves_the_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = VTubeStudioMock()
    blink = np.where(np.array(ARKIT) == "EyeBlinkLeft", 1.0, 0)
    perform(first, tmp_path, face_frame(0.0, JAW), face_frame(0.1, blink, np.array([5.0, 6, 7, *[0] * 6])))
    assert first.kinds[:2] == ["AuthenticationTokenRequest", "AuthenticationRequest"]
    assert set(first.created) == set(ARKIT) - {"CheekPuff", "TongueOut"}
    still, turned = first.injected
    assert still == {**dict(zip(ARKIT, JAW, strict=True)), "MouthOpen": 0.5, "EyeOpenLeft": 1, "EyeOpenRight": 1}
    assert (turned["EyeBlinkLeft"], turned["EyeOpenLeft"], turned["EyeOpenRight"]) == (1, 0, 1)
    assert (turned["FaceAngleX"], turned["FaceAngleY"], turned["FaceAngleZ"]) == (5, 6, -7)
    assert "click Allow in VTube Studio" in capsys.readouterr().err

    again = VTubeStudioMock()
    perform(again, tmp_path, face_frame(0.0, JAW))
    assert again.kinds[0] == "AuthenticationRequest"
    assert "AuthenticationTokenRequest" not in again.kinds
    assert len(again.injected) == 1


def test_a_token_that_is_no_longer_known_is_asked_for_anew(tmp_path: Path) -> None:
    (tmp_path / "vtubestudio.json").write_text('{"token": "old"}', encoding="utf-8")
    mock = VTubeStudioMock()
    perform(mock, tmp_path, face_frame(0.0, JAW))
    assert mock.kinds[:3] == ["AuthenticationRequest", "AuthenticationTokenRequest", "AuthenticationRequest"]
    assert len(mock.injected) == 1


def test_a_user_who_says_no_is_asked_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mock = VTubeStudioMock(clicks=False)
    said: list[str] = []

    def is_told() -> bool:
        said.append(capsys.readouterr().err)
        return "not let in: User has denied; nothing more is sent there" in "".join(said)

    perform(mock, tmp_path, face_frame(0.0, JAW), until=is_told)
    assert is_told()
    assert mock.kinds == ["AuthenticationTokenRequest"]
    assert not (tmp_path / "vtubestudio.json").exists()


def test_a_parameter_that_cannot_be_made_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mock = VTubeStudioMock(taken=("JawOpen",))
    perform(mock, tmp_path, face_frame(0.0, JAW))
    assert "JawOpen" not in mock.injected[0] and mock.injected[0]["MouthOpen"] == 0.5
    assert "JawOpen is not sent: already there" in capsys.readouterr().err
