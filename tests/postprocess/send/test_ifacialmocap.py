"""iFacialMocap's text in both versions, asked for and unasked."""

import numpy as np
import pytest

from dataset.blendshapes import ARKIT, canonical
from dataset.face_frame import face_frame
from postprocess.send.ifacialmocap import IFacialMocapPhone, ifacialmocap_text
from postprocess.send.outputs import Outputs, parse_address
from postprocess.send.sender import SendSettings
from tests.helpers import refused
from tests.receivers import UdpEar, free_port, ifacialmocap_receiver, read_ifacialmocap

ASKS = b"iFacialMocap_sahuasouryya9218sauhuiayeta91555dy3719"
VALUES = np.linspace(0, 1, 52)
FRAME = face_frame(0.0, VALUES, np.array([10, 20, 30, 1, 2, 3, -4, -5, -6.5]))


@pytest.mark.parametrize(("version", "separator"), [("1", "-"), ("2", "&")])
def test_the_text(version: str, separator: str) -> None:
    percent, turns = read_ifacialmocap(ifacialmocap_text(FRAME, version), separator)
    assert [canonical(name) for name in percent] == list(ARKIT)
    assert list(percent.values()) == [round(100 * value) for value in VALUES.astype(np.float32)]
    assert turns == {"head": [-20, 10, 30, 0, 0, 0], "leftEye": [2, -1, -3], "rightEye": [-5, 4, 6.5]}


def test_to_the_letter() -> None:
    mouth = np.where(np.array(ARKIT) == "MouthSmileRight", 0.12, 0)
    text = ifacialmocap_text(face_frame(0.0, mouth), "1")
    assert text.startswith("eyeBlink_L-0|eyeLookDown_L-0|")
    for part in (
        "|mouthSmile_R-12|",
        "|jawLeft-0|",
        "|jawRight-0|",
        "|mouthLeft-0|",
        "|mouthRight-0|",
        "|tongueOut-0|",
    ):
        assert part in text
    still = "0.0000,0.0000,0.0000"
    assert text.endswith(f"|=head#{still},0,0,0|rightEye#{still}|leftEye#{still}|")
    assert "|mouthSmile_R&12|" in ifacialmocap_text(face_frame(0.0, mouth), "2")


def test_sent_unasked() -> None:
    ear = UdpEar()
    with Outputs([f"ifacialmocap://127.0.0.1:{ear.port}?v=2"], SendSettings(60)) as outputs:
        outputs.send(FRAME)
    assert ear.packets(1) == [ifacialmocap_text(FRAME, "2").encode()]


@pytest.mark.parametrize(("version", "separator"), [("1", "-"), ("2", "&")])
def test_sent_over_tcp(version: str, separator: str, capsys: pytest.CaptureFixture[str]) -> None:
    with ifacialmocap_receiver() as (port, frames):
        url = f"ifacialmocap+tcp://127.0.0.1:{port}?v={version}"
        with Outputs([url], SendSettings(60)) as outputs:
            for number in range(3):
                outputs.send(face_frame(number / 60, VALUES * number / 2, FRAME.angles_deg))
            told = [read_ifacialmocap(text, separator) for text in frames(3)]
        assert [percent["tongueOut"] for percent, _ in told] == [0, 50, 100]
        assert told[2][1] == {"head": [-20, 10, 30, 0, 0, 0], "leftEye": [2, -1, -3], "rightEye": [-5, 4, 6.5]}
        with Outputs([url], SendSettings(60)) as outputs:
            outputs.send(FRAME)
            assert frames(1) == [ifacialmocap_text(FRAME, version)]
    assert capsys.readouterr().err == ""


def test_no_tool_at_tcp_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    url = f"ifacialmocap+tcp://127.0.0.1:{free_port()}"
    with Outputs([url], SendSettings(60)) as outputs:
        said = ""
        while not said:
            outputs.send(FRAME)
            said = capsys.readouterr().err
    assert said == f"{url}: no one listens there; frames go on, and it is said when it is back\n"


def test_sent_to_who_asks(capsys: pytest.CaptureFixture[str]) -> None:
    ear = UdpEar()
    phone = IFacialMocapPhone(parse_address("ifacialmocap://"), SendSettings(60), port=0, answer_port=ear.port)
    phone.send(FRAME)
    ear.ask(b"who is there?", ("127.0.0.1", phone.port))
    phone.send(FRAME)
    assert ear.packets() == []
    for question, version in ((ASKS, "1"), (ASKS + b"|sendDataVersion=v2", "2")):
        ear.ask(question, ("127.0.0.1", phone.port))
        phone.send(FRAME)
        phone.send(FRAME)
        assert ear.packets(2) == [ifacialmocap_text(FRAME, version).encode()] * 2
    phone.close()
    assert capsys.readouterr().err.count("127.0.0.1 asks") == 1


def test_a_port_that_is_taken() -> None:
    ear = UdpEar()
    line = refused(IFacialMocapPhone, parse_address("ifacialmocap://"), SendSettings(60), port=ear.port)
    assert line.startswith(f"ifacialmocap://: cannot listen at 127.0.0.1:{ear.port}: ")
    assert line.endswith("send without being asked: ifacialmocap://127.0.0.1")
