"""What the benchmark times: a run on a corpus of noise, and the plain ways to do the same that it is compared with."""

from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from transformers import HubertConfig, HubertModel

from config.load import ROOT, load_config
from config.schema import Config
from config.units import SAMPLE_RATE, frame_count
from dataset.blendshapes import ARKIT
from dataset.clip import Clip
from dataset.feature_store import FeatureStore
from dataset.store import ClipStore, write_store
from dataset.windows import Batch, cut, window_starts
from model.encoders import build_encoder
from model.features import feature_keys
from model.learner import Learner
from model.run_state import RunState
from model.speech_encoder import encode_windows
from model.synthesis import Synthesizer

# The reference recipe. Its encoder stands in for HuBERT-large, with as many features, and is never run.
RECIPE = (
    "data.require_transcripts=false",
    "data.split.by=none",
    "windows.min_tokens=0",
    "features.encoder=logmel",
    "features.logmel={bands: 1024, window_ms: 500.0, steps_per_frame: 1, context_steps: 0, fmin_hz: 4000.0}",
)


def noise_config(folder: Path, *overrides: str) -> Config:
    """config/aiwin.yml for a run whose files are all in the folder."""
    places = (f"run.dir={folder}", f"data.lmdb={folder}/clips.lmdb", f"features.cache={folder}/features")
    return load_config(ROOT / "config" / "aiwin.yml", (*RECIPE, *places, *overrides))


def pack_noise(config: Config, clips: int, seconds: float) -> None:
    """Clips of noise, half of them of either domain, into the config's database."""
    random = np.random.default_rng(0)
    frames, samples = round(seconds * config.data.fps), round(seconds * SAMPLE_RATE)

    def clip(number: int) -> Clip:
        domain = config.data.domains[number % 2].name
        curves = random.random((frames, len(ARKIT)), np.float32)
        audio = random.integers(-3000, 3000, samples, np.int16)
        return Clip(f"{domain}{number:05}", domain, config.data.fps, audio, curves, (), "noise")

    write_store(config.data.lmdb, ((clip(number), "train") for number in range(clips)), config.data.fps)


def cache_noise(config: Config) -> None:
    """Noise for the features of every clip, as features.context wants them."""
    store, cache = ClipStore(config.data.lmdb), FeatureStore(config.features.cache)
    encoder = build_encoder(config.features, store.fps)
    random = np.random.default_rng(1)
    for clip in store.clips:
        shape: tuple[int, ...] = (clip.frames, encoder.size)
        if config.features.context == "window":
            windows = config.windows
            count = len(window_starts(clip.frames, windows.window_frames, windows.stride_frames))
            shape = (count, windows.window_frames, encoder.size)
        (key,) = feature_keys([clip], encoder, config, config.windows).values()
        cache[key] = random.random(shape, np.float32).astype(np.float16)


def training_on_noise(folder: Path, clips: int, seconds: float, *overrides: str) -> RunState:
    """A run as scripts/train.py begins it, its features cached."""
    config = noise_config(folder, *overrides)
    pack_noise(config, clips, seconds)
    cache_noise(config)
    return RunState(config, Accelerator(cpu=True), resume=False)


class PlainDecoder(nn.Module):
    """The reference decoder, put together from torch's own layers."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(1024, 64)
        self.encoder = nn.TransformerEncoderLayer(66, 2, 2048, 0.1, batch_first=True)
        self.decoder = nn.TransformerDecoderLayer(66, 2, 2048, 0.1, batch_first=True)
        self.head = nn.Sequential(nn.Linear(66, 37), nn.Dropout(0.1), nn.Tanh())

    def hidden(self, features: Tensor, domain: Tensor, *_: None) -> Tensor:
        """As model.decoder.Decoder without a text stream: (B, T, 66) from (B, T, 1024)."""
        one_hot = nn.functional.one_hot(domain, 2).float()[:, None].expand(-1, features.shape[1], -1)
        memory = torch.cat([self.project(features), one_hot], dim=-1)
        return self.decoder(self.encoder(memory), memory)

    def forward(self, features: Tensor, domain: Tensor) -> Tensor:
        """(B, T, 37) curves."""
        return self.head(self.hidden(features, domain))


def with_plain_layers(run: RunState) -> RunState:
    """The run, its decoder exchanged for a PlainDecoder with random weights of its own."""
    run.decoder = PlainDecoder()  # type: ignore[assignment]  # in the place of a Decoder
    run.learner = run.model = run.averaged = Learner(run.decoder, run.config.loss)
    train = run.config.train
    run.optimizer = torch.optim.AdamW(
        run.decoder.parameters(), train.learning_rate, train.betas, weight_decay=train.weight_decay, fused=True
    )
    run.model.train()
    return run


def forward_backward(decoder: nn.Module, batch: Batch[Tensor]) -> None:
    """A step without its loss and optimiser."""
    prediction = decoder(batch.features, batch.domain)
    prediction.backward(torch.ones_like(prediction))
    decoder.zero_grad()


def plain_batch(run: RunState, examples: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    """(features, target, domain) of these examples, each on its own, its clip read and decoded for it."""
    data = run.data.train
    windows = []
    for clip, number, start in examples:
        features, record = data.features[data.keys[data.clips[clip].id]], data.store[data.clips[clip].id]
        window = features[number] if data.per_window else cut(features, start, data.window)
        curves = cut(record.curves, start, data.window)[:, data.channels]
        target = torch.from_numpy((curves - data.mean) / data.scale)
        windows.append((torch.from_numpy(window.astype(np.float32)), target, torch.tensor(data.domain[clip])))
    first, second, third = zip(*windows, strict=True)
    return torch.stack(first), torch.stack(second), torch.stack(third)


@torch.no_grad()
def plain_synthesis(synthesizer: Synthesizer, wav: Path) -> np.ndarray:
    """Curves (frames, channels) of the same windows, each heard and drawn on its own; where two overlap, their mean."""
    (member,) = synthesizer.members
    fps, window = synthesizer.fps, member.hearing.window
    audio = torch.from_numpy(soundfile.read(wav, dtype="float32")[0])
    frames = frame_count(len(audio), fps)
    starts = range(0, frames, window - window // 2)
    audio = nn.functional.pad(audio, (0, round(window * SAMPLE_RATE / fps)))
    total, count = torch.zeros(2, frames + window, len(member.mean))
    for start in starts:
        first, last = round(start * SAMPLE_RATE / fps), round((start + window) * SAMPLE_RATE / fps)
        features = encode_windows(member.encoder, audio[None, first:last], window, fps)
        total[start : start + window] += member.decoder(features, torch.tensor([0]))[0]
        count[start : start + window] += 1
    return (total / count)[:frames].numpy() * member.scale + member.mean


def write_noise(wav: Path, seconds: float) -> None:
    """A mono 16 kHz wav."""
    soundfile.write(wav, np.random.default_rng(0).normal(0, 0.05, round(seconds * SAMPLE_RATE)), SAMPLE_RATE)


# config.json of TencentGameMate/chinese-hubert-large, where it differs from transformers' defaults
HUBERT_LARGE: dict[str, Any] = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "feat_extract_norm": "layer",
    "conv_bias": True,
    "do_stable_layer_norm": True,
}


def random_hubert(folder: Path) -> nn.Module:
    """A model of this architecture with random weights, as transformers runs it; also written to the folder."""
    torch.manual_seed(0)
    model = HubertModel(HubertConfig(**HUBERT_LARGE)).eval().requires_grad_(False)
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text('{"do_normalize": true}', encoding="utf-8")
    return model
