"""From a sound file to curves: windows as trained, cross-faded, in memory that does not grow with the sound."""

from collections.abc import Iterator, Sequence
from itertools import tee
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from config.errors import UserError
from config.places import SHIPPED
from config.units import frame_count
from dataset.audio import Sound, open_sound
from dataset.split import named_domain
from dataset.text_stream import text_stream
from dataset.transcript import Word
from dataset.windows import fade_weights
from model.causal_model import CausalModel
from model.checkpoint import load_decoder
from model.device import usable_device
from model.encoders import build_encoder
from model.ensembles import read_ensemble
from model.hearing import Hearing
from model.hub import find_checkpoint
from model.lookahead import check_no_lookahead
from model.speech_encoder import SpeechEncoder
from model.streaming import stream_curves


class Member:
    """One checkpoint of a synthesizer: its decoder, how it hears, and its weight in the mean of curves.

    encoders: those loaded so far, by rate and config; a checkpoint that needs the same one shares it.
    Raises UserError when the checkpoint or the encoder cannot be had, or the encoder is not the one trained with.
    """

    def __init__(
        self,
        checkpoint: Path,
        weight: float,
        encoder_path: str | None,
        device: torch.device,
        encoders: dict[str, SpeechEncoder],
    ) -> None:
        self.weight = weight
        self.header, decoder = load_decoder(checkpoint)
        self.decoder = decoder.to(device)
        features = self.header.config.features
        if encoder_path:
            features = features.model_copy(update={"model": encoder_path})
        key = f"{self.header.fps!r} fps {features.model_dump_json(exclude={'cache', 'context', 'chunk_s'})}"
        if key not in encoders:
            encoders[key] = build_encoder(features, self.header.fps).to(device)
        self.encoder = encoders[key]
        if self.encoder.size != self.header.feature_size:
            raise UserError(
                f"{checkpoint}: takes features of {self.header.feature_size} values, but those of "
                f"{features.model} have {self.encoder.size}"
            )
        if self.header.encoder not in ("", self.encoder.identity):
            raise UserError(
                f"{checkpoint}: trained on features of another encoder: {self.header.encoder}; "
                f"this one is {self.encoder.identity}"
            )
        self.causal = self._causal(checkpoint) if self.header.config.model.lookahead_ms else None
        window = self.header.config.windows.window_frames
        self.hearing = Hearing(self.encoder, self.header.fps, window, features.context, features.chunk_s)
        stats = self.header.stats.select(self.header.channels)
        self.mean = stats.mean.astype(np.float32)
        self.scale = stats.scale(self.header.config.model.curve_scale)

    def _causal(self, checkpoint: Path) -> CausalModel:
        weights = {name: tensor.cpu().numpy() for name, tensor in self.decoder.state_dict().items()}
        return CausalModel(self.header, weights, str(checkpoint))

    @property
    def reads_text(self) -> bool:
        """Whether a transcript makes a difference."""
        return self.header.config.text_size > 0

    def predict(self, features: Tensor, domain: int, text: Sequence[np.ndarray]) -> np.ndarray:
        """Normalised curves of B windows, (B, window, channels), from features (B, window, size).

        domain: its number. text: unit and position, each (B, window).
        """
        number = torch.full((len(features),), domain, device=features.device)
        said = [torch.from_numpy(part).to(features.device) for part in text] if self.reads_text else []
        return self.decoder(features, number, *said).cpu().numpy()


class Synthesizer:
    """A checkpoint, or an ensemble's folder of them, loaded once for any number of sounds.

    path: a checkpoint, or a folder of checkpoints, whose curves are mixed by its ensemble.json or else evenly; a run's
    folder or a hub id does too, as model.hub finds them.
    encoder_path: where the speech model's folder is now, for checkpoints whose features come from one.
    device: such as cpu or cuda; by default a GPU where there is one.
    Raises UserError when a checkpoint or an encoder cannot be had or do not fit each other, and for a device that is
    not there.
    """

    def __init__(self, path: str | Path = SHIPPED, encoder_path: str | None = None, device: str | None = None) -> None:
        path = find_checkpoint(path)
        weights = read_ensemble(path) if path.is_dir() else {path: 1.0}
        place, encoders = usable_device(device), dict[str, SpeechEncoder]()
        self.members = [Member(file, weight, encoder_path, place, encoders) for file, weight in weights.items()]
        self.header = self.members[0].header
        for file, member in zip(weights, self.members, strict=True):
            for what in ("fps", "channels"):
                if getattr(member.header, what) != getattr(self.header, what):
                    raise UserError(f"{file}: has other {what} than {next(iter(weights))}; they cannot be mixed")

    @property
    def fps(self) -> float:
        """Frames a second of the curves."""
        return self.header.fps

    @property
    def channels(self) -> tuple[str, ...]:
        """The curves' ARKit names, in order."""
        return self.header.channels

    @property
    def reads_text(self) -> bool:
        """Whether a transcript makes a difference to one of the checkpoints at least."""
        return any(member.reads_text for member in self.members)

    def named_domain(self, clip: str) -> str | None:
        """The domain, one of several, whose patterns of training clips name this one (a file's stem); None: no such."""
        configs = [member.header.config.data for member in self.members]
        found = {named_domain(clip, data.domains) if len(data.domains) > 1 else None for data in configs}
        return found.pop() if len(found) == 1 else None

    def check(self, domain: str | None, overlap: int | None, lookahead_ms: float | None = None) -> None:
        """Raises UserError for a domain, an overlap or a look-ahead that one of the checkpoints does not know."""
        for member in self.members:
            window = member.hearing.window
            member.header.domain_number(domain)
            if overlap is not None and member.causal:
                raise UserError(f"--overlap {overlap}: the checkpoint streams, it has no windows; leave it out")
            if member.causal:
                member.causal.voice(domain, lookahead_ms)
            else:
                check_no_lookahead(lookahead_ms)
            if overlap is not None and not 0 <= overlap < window:
                raise UserError(f"--overlap {overlap}: must be from 0 to {window - 1} frames")

    def synthesize(
        self,
        source: str | Path | np.ndarray | Sound,
        domain: str | None = None,
        overlap: int | None = None,
        words: Sequence[Word] = (),
        lookahead_ms: float | None = None,
    ) -> np.ndarray:
        """(frames, channels) float32 curves at `fps` frames a second, not clamped to [0, 1]; channels are `channels`.

        source: a sound or movie file, one that is open, or (samples,) float32 at 16 kHz. domain: the recording set to
        sound like, by default the one that a file's name belongs to (named_domain), or else each checkpoint's first.
        overlap: frames that neighbouring windows share and cross-fade over, by default half a window; 0 is the
        reference's plain concatenation. words: what is said, in order, if that is known and a model reads text.
        lookahead_ms: how much sound after a frame checkpoints that stream may wait for, by default their largest; their
        curves are those of model.streaming.
        Features are computed once for all checkpoints that hear alike; where some do not, the sound is held in memory.
        Raises UserError for a sound that cannot be read or is shorter than half a frame, a domain that was not trained
        on, an overlap that is not shorter than the window, and curves that are not finite.
        """
        if not isinstance(source, Sound):
            with open_sound(source) as sound:
                return self.synthesize(sound, domain, overlap, words, lookahead_ms)
        frames = frame_count(source.samples, self.fps)
        if not frames:
            raise UserError(f"{source}: {source.seconds:.3f} s of sound is less than one frame")
        if domain is None and source.path:
            domain = self.named_domain(source.path.stem)
        self.check(domain, overlap, lookahead_ms)
        alike: dict[Hearing | Member, list[Member]] = {}
        for member in self.members:
            alike.setdefault(member if member.causal else member.hearing, []).append(member)
        mixed = np.zeros((frames, len(self.channels)), np.float32)
        for members, blocks in zip(alike.values(), tee(source.blocks, len(alike)), strict=True):
            if causal := members[0].causal:
                told = stream_curves(causal, blocks, domain, lookahead_ms)[None, :frames, causal.places]
            else:
                told = _curves(members, blocks, frames, domain, overlap, words)
            for member, curves in zip(members, told, strict=True):
                mixed += member.weight * curves
        if not np.isfinite(mixed).all():
            raise UserError(f"{source}: the model gives curves that are not finite; take another checkpoint")
        return mixed


@torch.inference_mode()
def _curves(
    members: Sequence[Member],
    blocks: Iterator[np.ndarray],
    frames: int,
    domain: str | None,
    overlap: int | None,
    words: Sequence[Word],
) -> np.ndarray:
    """(members, frames, channels) for members that hear alike."""
    hearing = members[0].hearing
    window = hearing.window
    overlap = window // 2 if overlap is None else overlap
    starts = np.arange(0, max(frames - overlap, 1), window - overlap)
    fade, weights = fade_weights(window, overlap), np.zeros(starts[-1] + window)
    for start in starts:
        weights[start : start + window] += fade
    total = np.zeros((len(members), len(weights), len(members[0].mean)), np.float32)
    numbers = [member.header.domain_number(domain) for member in members]
    stream = text_stream(words, len(weights), hearing.fps)
    for batch, features in hearing.features(blocks, starts):
        text = [np.stack([part[start : start + window] for start in batch]) for part in stream]
        for curves, member, number in zip(total, members, numbers, strict=True):
            for start, piece in zip(batch, member.predict(features, number, text), strict=True):
                curves[start : start + window] += piece * fade[:, None]
    blended = total[:, :frames] / weights[:frames, None].astype(np.float32)
    for curves, member in zip(blended, members, strict=True):
        curves *= member.scale
        curves += member.mean
    return blended
