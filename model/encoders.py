"""The speech encoders by name."""

from config.schema import Features
from model.logmel import LogMelEncoder
from model.phone_encoder import PhoneEncoder
from model.speech_encoder import SpeechEncoder


def build_encoder(features: Features, fps: float) -> SpeechEncoder:
    """The encoder that config section `features` names, for motion at fps. Raises UserError when it cannot be had."""
    if features.encoder == "hubert":
        from model.hubert import HubertEncoder  # and with it transformers, which log-mel features need not wait for

        return HubertEncoder(features.model, features.layer, features.precision)
    if features.encoder == "phones":
        return PhoneEncoder(fps, features.logmel)
    return LogMelEncoder(fps, features.logmel)
