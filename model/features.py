"""The feature cache filled: the frozen speech encoder run over clips whose features are not there yet."""

import os
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from config.errors import UserError
from config.processes import share
from config.schema import Config, Windows
from config.units import SAMPLE_RATE
from dataset.audio import to_float
from dataset.clip import Clip
from dataset.feature_store import FeatureStore, feature_key
from dataset.store import ClipInfo, ClipStore
from dataset.windows import window_starts
from model.encoders import build_encoder
from model.memory import keep_freed_memory
from model.speech_encoder import (
    BatchingEncoder,
    SpeechEncoder,
    encode_clip,
    encode_clips,
    encode_windows,
)


def extract(config: Config) -> tuple[int, float, int]:
    """Encode what the cache lacks of the config's clips: (how many, their seconds of audio, how many clips there are).

    Under torchrun or accelerate launch each process does its share of the clips.
    """
    keep_freed_memory()
    store, cache = open_clips(config), FeatureStore(config.features.cache)
    encoder = build_encoder(config.features, store.fps)
    gpu = f"cuda:{int(os.environ.get('LOCAL_RANK', 0))}"
    encoder.to(torch.device(gpu if torch.cuda.is_available() else "cpu"))
    clips = share(store.clips)
    made = cache_features(cache, store, clips, encoder, config, config.windows)
    if config.features.context == "window":  # any split finds its clips encoded, whichever side they are on
        cache_features(cache, store, clips, encoder, config, validation_windows(config.windows))
    return len(made), sum(clip.samples for clip in made) / SAMPLE_RATE, len(clips)


def open_clips(config: Config) -> ClipStore:
    """The clip database of the config. Raises UserError when it was packed at another rate or for other domains."""
    store = ClipStore(config.data.lmdb)
    if store.fps != config.data.fps:
        raise UserError(
            f"{config.data.lmdb}: packed at {store.fps:g} fps, data.fps is {config.data.fps:g}; pack the corpus again"
        )
    known = {domain.name for domain in config.data.domains}
    for clip in store.clips:
        if clip.domain not in known:
            raise UserError(f"{config.data.lmdb}: {clip.id} is of domain {clip.domain}, data.domains has no such name")
    return store


def validation_windows(windows: Windows) -> Windows:
    """Validation hears each frame once: windows side by side."""
    return windows.model_copy(update={"stride_frames": windows.window_frames})


def cache_features(
    cache: FeatureStore,
    store: ClipStore,
    clips: Sequence[ClipInfo],
    encoder: SpeechEncoder,
    config: Config,
    windows: Windows,
) -> list[ClipInfo]:
    """Encode those of the clips that the cache lacks, the longest first; those clips."""
    keys = feature_keys(clips, encoder, config, windows)
    missing = [clip for clip in clips if keys[clip.id] not in cache]
    missing.sort(key=lambda clip: -clip.samples)  # memory is at its peak at once, not after hours
    with tqdm(total=len(missing), desc="features", unit="clip", disable=not missing) as bar:
        for bucket in buckets(missing, encoder, config):
            rows = clips_features([store.whole(info.id) for info in bucket], encoder, config, windows)
            for info, features in zip(bucket, rows, strict=True):
                cache[keys[info.id]] = features.cpu().numpy()
            bar.update(len(bucket))
    return missing


def buckets(clips: Sequence[ClipInfo], encoder: SpeechEncoder, config: Config) -> Iterator[list[ClipInfo]]:
    """Neighbours in the order of length that share a forward, of as much audio, padding included, as a chunk holds."""
    most = config.features.chunk_s * SAMPLE_RATE if encoder.batches and config.features.context == "clip" else 0
    bucket: list[ClipInfo] = []
    for clip in clips:
        if bucket and (len(bucket) + 1) * bucket[0].samples > most:
            yield bucket
            bucket = []
        bucket.append(clip)
    if bucket:
        yield bucket


def feature_keys(clips: Sequence[ClipInfo], encoder: SpeechEncoder, config: Config, windows: Windows) -> dict[str, str]:
    """Clip id → the key of its features in the cache, for whole clips or for the windows of this grid."""
    grid = f"{config.data.fps!r} fps, "
    if config.features.context == "window":
        grid += f"windows of {windows.window_frames} frames, {windows.stride_frames} apart"
    else:
        grid += f"clips in chunks of {config.features.chunk_s!r} s"
    return {clip.id: feature_key(encoder.identity, grid, clip.audio_hash) for clip in clips}


def clips_features(clips: Sequence[Clip], encoder: SpeechEncoder, config: Config, windows: Windows) -> list[Tensor]:
    """The features of a bucket's clips, as clip_features gives them: (frames, size) or (windows, frames, size) each."""
    if len(clips) > 1 and isinstance(encoder, BatchingEncoder):
        return encode_clips(encoder, [torch.from_numpy(to_float(clip.audio)) for clip in clips], clips[0].fps)
    return [clip_features(clip, encoder, config, windows) for clip in clips]


def clip_features(clip: Clip, encoder: SpeechEncoder, config: Config, windows: Windows) -> Tensor:
    """Motion-rate features of a clip: (frames, size), or with features.context: window (windows, frames, size)."""
    audio = torch.from_numpy(to_float(clip.audio))
    if config.features.context == "clip":
        return encode_clip(encoder, audio, clip.fps, config.features.chunk_s)
    starts = window_starts(len(clip.curves), windows.window_frames, windows.stride_frames)
    return encode_windows(
        encoder, audio_windows(audio, starts, windows.window_frames, clip.fps), windows.window_frames, clip.fps
    )


def audio_windows(audio: Tensor, starts: np.ndarray, window_frames: int, fps: float) -> Tensor:
    """(samples,) → (windows, samples of a window): the sound of each window of motion frames, zeros past the end."""
    first, length = window_samples(starts, window_frames, fps)
    padded = torch.nn.functional.pad(audio, (0, max(0, int(first[-1]) + length - len(audio))))
    return torch.stack([padded[start : start + length] for start in first])


def window_samples(starts: np.ndarray, window_frames: int, fps: float) -> tuple[np.ndarray, int]:
    """((windows,) the first sample of each window of motion frames, samples in a window); starts: (windows,) frames."""
    return np.round(starts * (SAMPLE_RATE / fps)).astype(int), round(window_frames * SAMPLE_RATE / fps)
