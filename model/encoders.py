"""The speech encoders by name."""

from config.schema import Features
from model.speech_encoder import SpeechEncoder


def build_encoder(features: Features, fps: float) -> SpeechEncoder:
    """The encoder that config section `features` names, for motion at fps. Raises UserError when it cannot be had."""
    if features.encoder == "hubert":
        from model.hubert import HubertEncoder

        return HubertEncoder(features.model, features.layer, features.precision)
    from model.logmel import LogMelEncoder

    logmel = features.logmel
    return LogMelEncoder(
        fps,
        bands=logmel.bands,
        window_ms=logmel.window_ms,
        steps_per_frame=logmel.steps_per_frame,
        context_steps=logmel.context_steps,
        fmin_hz=logmel.fmin_hz,
        fmax_hz=logmel.fmax_hz,
    )
