"""VTube Studio: a plugin of its public API, over its WebSocket, that sets tracking parameters.

The 52 by their ARKit names, for models that are rigged for them, and those that VTube Studio gives every model.
https://github.com/DenchiSoft/VTubeStudio: parameters that are not set for a second go back to the tracker.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from config.files import write_json
from dataset.blendshapes import ARKIT
from dataset.face_frame import FaceFrame
from postprocess.face.turning import own_turns
from postprocess.send.courier import Courier, Link, LinkRefused
from postprocess.send.sender import Address, Health, Sender, SendSettings
from postprocess.send.web_link import WebLink

PLUGIN = {"pluginName": "Speech-driven expressions", "pluginDeveloper": "Speech-driven expressions"}
ENVELOPE = {"apiName": "VTubeStudioPublicAPI", "apiVersion": "1.0"}
ANSWER_S = 10.0
OWN = ("CheekPuff", "TongueOut")  # of our names, those that VTube Studio has itself
TOKEN_FILE = "vtubestudio.json"


class ApiError(ConnectionError):
    """What VTube Studio says against a request."""


class VTubeStudioLink(Link):
    """Asks to be let in, makes the parameters that are not there, then a request a frame, each of which is answered.

    token_path: where the token is kept, which VTube Studio gives once its user has clicked.
    """

    def __init__(self, url: str, token_path: Path) -> None:
        self._web, self._token_path = WebLink(url), token_path
        self._requests = 0
        self._names: tuple[str, ...] = ARKIT
        self._has_turned = False

    def connect(self, health: Health) -> None:
        self._web.open()
        if not self._enter(self._kept_token()):
            self._ask(health)
        self._names = tuple(name for name in ARKIT if name in OWN or self._create(name, health))

    def deliver(self, frame: FaceFrame) -> None:
        values = [{"id": name, "value": value} for name, value in self._parameters(frame).items()]
        self._call("InjectParameterDataRequest", faceFound=True, mode="set", parameterValues=values)

    def disconnect(self) -> None:
        self._web.close()

    def _enter(self, token: str | None) -> bool:
        if token is None:
            return False
        return bool(self._call("AuthenticationRequest", **PLUGIN, authenticationToken=token).get("authenticated"))

    def _ask(self, health: Health) -> None:
        """For a token, until the user clicks. Raises LinkRefused where they do not let us in."""
        health.say("click Allow in VTube Studio")
        try:
            token = str(self._call("AuthenticationTokenRequest", None, **PLUGIN)["authenticationToken"])
        except (ApiError, KeyError) as error:
            raise LinkRefused(f"not let in: {error}") from None
        if not self._enter(token):
            raise LinkRefused("not let in by the token that it gave itself")
        write_json(self._token_path, {"token": token})
        health.say(f"let in; so that it need not ask again, {self._token_path} remembers it")

    def _kept_token(self) -> str | None:
        try:
            return str(json.loads(self._token_path.read_text(encoding="utf-8"))["token"])
        except (OSError, ValueError, LookupError, TypeError):  # none yet, or damaged: it is asked for anew
            return None

    def _create(self, name: str, health: Health) -> bool:
        """Whether there is such a parameter now."""
        about = {"parameterName": name, "explanation": f"ARKit {name}", "min": 0, "max": 1, "defaultValue": 0}
        try:
            self._call("ParameterCreationRequest", **about)
        except ApiError as error:
            health.say(f"{name} is not sent: {error}")
            return False
        return True

    def _parameters(self, frame: FaceFrame) -> dict[str, float]:
        """By name; those that every model has are told as the model moves on the screen, which mirrors nothing."""
        arkit = dict(zip(ARKIT, frame.values.astype(np.float64).tolist(), strict=True))
        yaw, pitch, roll = own_turns(frame.angles_deg)[0].tolist()
        every = {
            "MouthOpen": max(0.0, arkit["JawOpen"] - arkit["MouthClose"]),
            "EyeOpenLeft": 1 - arkit["EyeBlinkLeft"],
            "EyeOpenRight": 1 - arkit["EyeBlinkRight"],
        }
        self._has_turned |= bool(frame.angles_deg[:3].any())
        if self._has_turned:  # else a tracker may turn the head
            every |= {"FaceAngleX": yaw, "FaceAngleY": pitch, "FaceAngleZ": roll}
        return {name: arkit[name] for name in self._names} | every

    def _call(self, kind: str, timeout_s: float | None = ANSWER_S, /, **content: Any) -> dict[str, Any]:
        """The answer's data. Raises ApiError for an error, TimeoutError without an answer."""
        self._requests += 1
        number = str(self._requests)
        self._web.send(json.dumps({**ENVELOPE, "requestID": number, "messageType": kind, "data": content}))
        while True:  # answers to what timed out come late
            try:
                answer = json.loads(self._web.receive(timeout_s))
                if answer["requestID"] != number:
                    continue
                data = dict(answer["data"])
                is_error = answer["messageType"] == "APIError"
            except (ValueError, LookupError, TypeError):
                raise ConnectionError("what answers is no VTube Studio") from None
            if is_error:
                raise ApiError(str(data.get("message", "an error without a message")))
            return data


def vtube_studio(address: Address, settings: SendSettings) -> Sender:
    """A plugin of the VTube Studio at the address."""
    link = VTubeStudioLink(f"ws://{address.host}:{address.port}", settings.tokens / TOKEN_FILE)
    return Courier(address, link, settings.patient)
