"""From a sound file to curves: windows as trained, cross-faded, in memory that does not grow with the sound."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from config.command import UserError
from config.units import SAMPLE_RATE, frame_count
from dataset.audio import audio_blocks, sample_count
from dataset.text_stream import text_stream
from dataset.transcript import Word
from model.checkpoint import load_decoder
from model.encoders import build_encoder
from model.ensembles import read_ensemble
from model.features import window_samples
from model.speech_encoder import SpeechEncoder, encode_stream, encode_windows

WINDOWS_A_BATCH = 64


class Synthesizer:
    """A checkpoint's encoder and decoder, loaded once for any number of sounds.

    encoder_path: where the speech model's folder is now, for checkpoints whose features come from one.
    encoders: those loaded so far, by rate and config; a checkpoint that needs the same one shares it.
    Raises UserError when the checkpoint or the encoder cannot be had, or the encoder is not the one trained with.
    """

    def __init__(
        self,
        checkpoint: Path,
        encoder_path: str | None = None,
        device: str = "cpu",
        encoders: dict[str, SpeechEncoder] | None = None,
    ) -> None:
        self.header, decoder = load_decoder(checkpoint)
        self.device = usable_device(device)
        self.decoder = decoder.to(self.device)
        features = self.header.config.features
        if encoder_path:
            features = features.model_copy(update={"model": encoder_path})
        key = f"{self.header.fps!r} fps {features.model_dump_json(exclude={'cache', 'context', 'chunk_s'})}"
        encoders = {} if encoders is None else encoders
        if key not in encoders:
            encoders[key] = build_encoder(features, self.header.fps).to(self.device)
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
        stats = self.header.stats.select(self.header.channels)
        self.mean = stats.mean.astype(np.float32)
        self.scale = stats.scale(self.header.config.model.curve_scale)

    @property
    def domains(self) -> list[str]:
        return [domain.name for domain in self.header.config.data.domains]

    @property
    def reads_text(self) -> bool:
        """Whether a transcript makes a difference."""
        return self.header.config.text_size > 0

    def synthesize(
        self,
        sound: Path | np.ndarray,
        domain: str | None = None,
        overlap: int | None = None,
        words: Sequence[Word] = (),
    ) -> np.ndarray:
        """(frames, channels) float32 curves, not clamped; channels are header.channels, frames at header.fps.

        sound: a file, or (samples,) float32 at 16 kHz. domain: the recording set to sound like, by default the first.
        overlap: frames that neighbouring windows share and cross-fade over, by default half a window; 0 is the
        reference's plain concatenation. words: what is said, in order, if that is known and the model reads text.
        Raises UserError for a sound that cannot be read or is shorter than half a frame, a domain it was not trained
        on, and an overlap that is not shorter than the window.
        """
        return _synthesize([self], sound, domain, overlap, words)[0]

    def predict(self, features: Tensor, domain: int, text: Sequence[np.ndarray]) -> np.ndarray:
        """The decoder's curves of B windows, (B, window, channels); text: unit and position, each (B, window)."""
        number = torch.full((len(features),), domain, device=self.device)
        said = [torch.from_numpy(part).to(self.device) for part in text] if self.reads_text else []
        return self.decoder(features, number, *said).cpu().numpy()

    def features(
        self, audio: Iterator[np.ndarray], starts: np.ndarray, window: int
    ) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Window starts a batch at a time, with their features (B, window, size); silence follows the sound."""
        reader = ForwardReader(audio)
        encode = self._encode_windows if self.header.config.features.context == "window" else self._encode_whole
        batches = [starts[first : first + WINDOWS_A_BATCH] for first in range(0, len(starts), WINDOWS_A_BATCH)]
        return zip(batches, encode(reader, batches, window), strict=True)

    def _encode_windows(self, audio: "ForwardReader", batches: list[np.ndarray], window: int) -> Iterator[Tensor]:
        """Each window heard on its own."""
        for batch in batches:
            first, length = window_samples(batch, window, self.header.fps)
            sound = audio.read(first[0], first[-1] + length)
            windows = torch.from_numpy(np.stack([sound[start : start + length] for start in first - first[0]]))
            yield encode_windows(self.encoder, windows, window, self.header.fps)

    def _encode_whole(self, audio: "ForwardReader", batches: list[np.ndarray], window: int) -> Iterator[Tensor]:
        """The sound heard as a whole, then cut into windows."""
        fps = self.header.fps
        samples = round((batches[-1][-1] + window) * SAMPLE_RATE / fps)
        pieces = encode_stream(self.encoder, audio.read, samples, fps, self.header.config.features.chunk_s)
        rows = ForwardReader(piece.cpu().numpy() for piece in pieces)
        for batch in batches:
            frames = rows.read(batch[0], batch[-1] + window)
            stacked = np.stack([frames[start : start + window] for start in batch - batch[0]])
            yield torch.from_numpy(stacked).to(self.device)

    def check(self, domain: str | None, overlap: int | None) -> tuple[int, int]:
        """(the domain's number, the overlap in frames), defaults filled in. Raises UserError as synthesize does."""
        window = self.header.config.windows.window_frames
        if domain is not None and domain not in self.domains:
            raise UserError(f"--domain {domain}: the checkpoint knows {', '.join(self.domains)}")
        if overlap is not None and not 0 <= overlap < window:
            raise UserError(f"--overlap {overlap}: must be from 0 to {window - 1} frames")
        return self.domains.index(domain) if domain else 0, window // 2 if overlap is None else overlap


class Ensemble:
    """The checkpoints of a folder as one: the weighted mean of their curves. Raises UserError as Synthesizer does.

    Features are computed once for all checkpoints that hear the same windows by the same encoder.
    """

    def __init__(self, folder: Path, encoder_path: str | None = None, device: str = "cpu") -> None:
        encoders: dict[str, SpeechEncoder] = {}
        weights = read_ensemble(folder)
        self.members = [Synthesizer(path, encoder_path, device, encoders) for path in weights]
        self.weights = list(weights.values())
        self.header = self.members[0].header
        for path, member in zip(weights, self.members, strict=True):
            for what in ("fps", "channels"):
                if getattr(member.header, what) != getattr(self.header, what):
                    raise UserError(f"{path}: has other {what} than {next(iter(weights))}; they cannot be mixed")

    @property
    def reads_text(self) -> bool:
        """Whether a transcript makes a difference to one of the checkpoints at least."""
        return any(member.reads_text for member in self.members)

    def synthesize(
        self,
        sound: Path | np.ndarray,
        domain: str | None = None,
        overlap: int | None = None,
        words: Sequence[Word] = (),
    ) -> np.ndarray:
        """As Synthesizer.synthesize; by default each member's own first domain, and half of its own window."""
        alike: dict[tuple[object, ...], list[int]] = {}
        for number, member in enumerate(self.members):
            config = member.header.config
            hears = (id(member.encoder), config.features.context, config.features.chunk_s, config.windows.window_frames)
            alike.setdefault(hears, []).append(number)
        groups = {tuple(numbers): [self.members[number] for number in numbers] for numbers in alike.values()}
        mixed: np.ndarray | float = 0.0
        for numbers, members in groups.items():
            weights = np.array([self.weights[number] for number in numbers], np.float32)
            mixed = mixed + np.tensordot(weights, _synthesize(members, sound, domain, overlap, words), axes=1)
        return np.asarray(mixed)

    def check(self, domain: str | None, overlap: int | None) -> None:
        """Raises UserError for a domain or an overlap that one of the checkpoints does not know."""
        for member in self.members:
            member.check(domain, overlap)


def open_synthesizer(path: Path, encoder_path: str | None = None, device: str = "cpu") -> Synthesizer | Ensemble:
    """A checkpoint, or a folder of them as an ensemble. Raises UserError when it cannot be had."""
    return (Ensemble if path.is_dir() else Synthesizer)(path, encoder_path, device)


@torch.inference_mode()
def _synthesize(
    members: Sequence[Synthesizer],
    sound: Path | np.ndarray,
    domain: str | None,
    overlap: int | None,
    words: Sequence[Word],
) -> np.ndarray:
    """(members, frames, channels) for members that hear the same windows by the same encoder."""
    first = members[0]
    numbers = [member.check(domain, overlap)[0] for member in members]
    overlap = first.check(domain, overlap)[1]
    window = first.header.config.windows.window_frames
    samples = sample_count(sound) if isinstance(sound, Path) else len(sound)
    frames = frame_count(samples, first.header.fps)
    if not frames:
        name = sound if isinstance(sound, Path) else "the sound"
        raise UserError(f"{name}: {samples / SAMPLE_RATE:.3f} s of sound is less than one frame")
    starts = np.arange(0, max(frames - overlap, 1), window - overlap)
    total = np.zeros((len(members), starts[-1] + window, len(first.mean)), np.float32)
    weights = np.zeros(starts[-1] + window)
    fade = fade_weights(window, overlap)
    stream = text_stream(words, len(weights), first.header.fps)
    audio = audio_blocks(sound) if isinstance(sound, Path) else iter((sound,))
    for batch, features in first.features(audio, starts, window):
        for start in batch:
            weights[start : start + window] += fade
        text = [np.stack([part[start : start + window] for start in batch]) for part in stream]
        for curves, member, number in zip(total, members, numbers, strict=True):
            for start, piece in zip(batch, member.predict(features, number, text), strict=True):
                curves[start : start + window] += piece * fade[:, None]
    total = total[:, :frames] / weights[:frames, None].astype(np.float32)
    for curves, member in zip(total, members, strict=True):
        curves *= member.scale
        curves += member.mean
    return total


def usable_device(name: str) -> torch.device:
    """Raises UserError for a device that torch does not know or that this machine lacks."""
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError):
        raise UserError(f"--device {name}: there is none here; --device cpu always works") from None


class ForwardReader:
    """Pieces of an array, one after the other along axis 0, read as if they were one; what was passed is forgotten.

    Neither end of a read may go back. Past the end of the pieces there are zeros.
    """

    def __init__(self, pieces: Iterator[np.ndarray]) -> None:
        self.pieces = pieces
        self.first = 0  # the row that held begins with
        self.held = next(pieces)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Rows from start to stop."""
        parts = [self.held[start - self.first :]]
        end = self.first + len(self.held)
        while end < stop:
            piece = next(self.pieces, None)
            if piece is None:
                piece = np.zeros((stop - end, *self.held.shape[1:]), self.held.dtype)
            parts.append(piece[max(0, start - end) :])
            end += len(piece)
        self.first, self.held = start, np.concatenate(parts) if len(parts) > 1 else parts[0]
        return self.held[: stop - start]


def fade_weights(window: int, overlap: int) -> np.ndarray:
    """(window,) weights that rise over the first and fall over the last `overlap` frames, so that neighbours blend."""
    rise = np.arange(1, window + 1) / (overlap + 1)
    return np.minimum(1, np.minimum(rise, rise[::-1]))
