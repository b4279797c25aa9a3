"""Every key a run can set: its type and its bounds. The values, with their units, are in default.yml."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from config.suggest import nearest

# Every number has a largest value, far above what anyone trains with, so that a slip is told before memory is taken.
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
Positive = Annotated[int, Field(ge=1, le=1_000_000_000)]
Frames = Annotated[int, Field(ge=1, le=1_000_000)]
Layers = Annotated[int, Field(ge=0, le=1000)]
Width = Annotated[int, Field(ge=1, le=65_536)]
Weight = Annotated[float, Field(ge=0, le=1e9)]
Rate = Annotated[float, Field(gt=0, le=1e6)]
Decibels = Annotated[float, Field(ge=-200, le=200)]
Share = Annotated[float, Field(ge=0, lt=1)]
LookAhead = Annotated[float, Field(ge=0, le=1000)]
Reverberation = Annotated[float, Field(ge=0.01, le=20)]
PATH_PART = r"^[\w.\-]*[\w\-][\w.\-]*$"  # the name of a file or folder in the place it is meant for: no /, no ..
LONGEST_PART = 100
PARTS = ("project", "domain", "text", "front", "encoder", "decoder", "head")  # of model.decoder.Decoder, that learn


class Section(BaseModel):
    """A section of the config: no other keys, no other types, and nothing changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Run(Section):
    """Where a run is kept, and its seed."""

    name: Annotated[str, Field(pattern=PATH_PART, max_length=LONGEST_PART)]
    dir: Path
    seed: Count


class Domain(Section):
    """A recording set: which clips belong to it, and how often they are seen."""

    name: str
    clips: tuple[str, ...]
    weight: Annotated[float, Field(gt=0, le=1000)]


class Split(Section):
    """Which clips validate."""

    by: Literal["fold", "list", "folder", "none"]
    fold: Count
    folds: Annotated[int, Field(ge=2, le=1000)]
    val: tuple[str, ...]

    @model_validator(mode="after")
    def _fold_exists(self) -> "Split":
        if self.fold >= self.folds:
            raise ValueError(f"fold {self.fold} does not exist: {self.folds} folds count from 0 to {self.folds - 1}")
        return self


def _listed(value: Any) -> Any:
    """One folder stands for a list of it; strict validation takes what a function gives only as a tuple."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


class Data(Section):
    """The corpora, their database, and what of them is used."""

    corpus: Annotated[tuple[Path, ...], BeforeValidator(_listed), Field(min_length=1)]
    lmdb: Path
    fps: Annotated[float, Field(gt=0, le=240)]
    source_fps: Annotated[float, Field(gt=0, le=240)] | None
    max_gap_s: Weight
    require_transcripts: bool
    exclude: tuple[str, ...]
    domains: Annotated[tuple[Domain, ...], Field(min_length=1)]
    split: Split

    @model_validator(mode="after")
    def _domains_differ(self) -> "Data":
        names = [domain.name for domain in self.domains]
        if len(set(names)) < len(names):
            raise ValueError("two domains have the same name")
        return self

    @property
    def corpora(self) -> str:
        """The corpus folders as a line names them."""
        return ", ".join(map(str, self.corpus))


class Windows(Section):
    """How clips are cut into examples."""

    window_frames: Annotated[int, Field(ge=2, le=1_000_000)]
    stride_frames: Frames
    min_tokens: Count


class Augment(Section):
    """How training alters what it hears."""

    copies: Annotated[int, Field(ge=0, le=1000)] = 0
    gain_db: Annotated[float, Field(ge=0, le=60)] = 0.0
    noise_snr_db: tuple[Decibels, Decibels] | None = None
    reverb_s: tuple[Reverberation, Reverberation] | None = None
    reverb_share: Annotated[float, Field(ge=0, le=1)] = 0.3
    speed: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    band_mask_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    time_mask_frames: Annotated[int, Field(ge=0, le=1_000_000)] = 0

    @model_validator(mode="after")
    def _copies_differ(self) -> "Augment":
        for key in ("noise_snr_db", "reverb_s"):
            ends = getattr(self, key)
            if ends and ends[0] > ends[1]:
                raise ValueError(f"{key} [{ends[0]:g}, {ends[1]:g}]: the first is the lower end; swap them")
        altered = [key for key in ("gain_db", "noise_snr_db", "reverb_s", "speed") if getattr(self, key)]
        if altered and not self.copies:
            raise ValueError(f"{altered[0]} alters copies of the clips; give augment.copies 1 or more")
        if self.copies and not altered:
            raise ValueError("copies that nothing alters; set gain_db, noise_snr_db, reverb_s or speed")
        return self


class LogMel(Section):
    """The log-mel encoder's settings."""

    bands: Annotated[int, Field(ge=1, le=4096)]
    window_ms: Annotated[float, Field(gt=0, le=10_000)]
    steps_per_frame: Annotated[int, Field(ge=1, le=1000)]
    context_steps: Annotated[int, Field(ge=0, le=1000)]
    fmin_hz: Annotated[float, Field(ge=0, le=8000)]
    fmax_hz: Annotated[float, Field(gt=0, le=8000)]


class Features(Section):
    """The speech encoder, and where its features are kept."""

    encoder: Literal["logmel", "phones", "hubert"]
    model: str
    layer: Annotated[int, Field(ge=-1, le=1000)]
    precision: Literal["fp32", "int8", "bf16", "fp16"] = "fp32"  # runs and checkpoints of before have none
    context: Literal["clip", "window"]
    chunk_s: Annotated[float, Field(ge=1, le=86_400)]
    cache: Path
    logmel: LogMel


class Text(Section):
    """The text stream beside the sound."""

    stream: Literal["none", "phones"] = "none"
    embedding: Annotated[int, Field(ge=2, le=65_536)] = 32
    drop: Share = 0.2


class Model(Section):
    """The decoder, and how curves and features are normalised for it."""

    channels: Literal["face", "jaw", "mouth", "brow", "cheek_nose", "eye", "all"]
    curve_scale: Literal["channel", "common"]
    normalise_features: bool
    width: Width
    domain_one_hot: bool
    domain_size: Layers | None = None  # runs and checkpoints of before have none
    conv_layers: Layers
    conv_kernel: Annotated[int, Field(ge=1, le=10_001)]
    positional: Literal["none", "sinusoidal"]
    encoder_layers: Layers
    decoder_layers: Layers
    heads: Width
    feedforward: Annotated[int, Field(ge=1, le=1_048_576)]
    dropout: Share
    head_dropout: Share
    output: Literal["tanh", "linear"]
    lookahead_ms: tuple[LookAhead, LookAhead] | None = None  # runs and checkpoints of before have none

    @model_validator(mode="after")
    def _hears_the_past(self) -> "Model":
        if self.lookahead_ms is None:
            return self
        shortest_ms, longest_ms = self.lookahead_ms
        if shortest_ms > longest_ms:
            raise ValueError(f"lookahead_ms [{shortest_ms:g}, {longest_ms:g}]: the first is the lower end; swap them")
        for key, value in (("encoder_layers", 0), ("decoder_layers", 0), ("positional", "none")):
            if getattr(self, key) != value:
                raise ValueError(f"lookahead_ms goes without attention; give model.{key}: {value}")
        return self


class Loss(Section):
    """Weights of the losses, by name, and DTW's own settings."""

    dtw: Weight
    mse: Weight
    l1: Weight
    velocity: Weight
    phones: Weight = 0.0  # runs and checkpoints of before have none, nor the next
    closure: Weight = 0.0
    dtw_mode: Literal["exact", "fastdtw"]
    dtw_band: Frames | None

    @property
    def weights(self) -> dict[str, float]:
        """The losses that are computed, by name: those whose weight is not 0, in the order above."""
        return {name: getattr(self, name) for name in LOSS_NAMES if getattr(self, name)}

    @model_validator(mode="after")
    def _some_loss(self) -> "Loss":
        if not self.weights:
            raise ValueError(f"every loss weight is 0; give at least one of {', '.join(LOSS_NAMES)} a weight")
        if self.dtw_band and self.dtw_mode == "fastdtw":
            raise ValueError("dtw_band is for dtw_mode: exact; fastdtw has a window of its own")
        return self


LOSS_NAMES = tuple(name for name, field in Loss.model_fields.items() if field.annotation is float)


class Train(Section):
    """How the decoder is trained, and from what."""

    init: Path | None = None  # runs and checkpoints of before have none
    freeze: tuple[str, ...] = ("domain",)
    epochs: Positive
    batch_size: Positive
    learning_rate: Rate
    betas: tuple[Share, Share]
    weight_decay: Weight
    schedule: Literal["constant", "cosine"]
    warmup_steps: Count
    clip_norm: Weight
    ema: Share
    patience_epochs: Count
    checkpoint_steps: Count
    workers: Annotated[int, Field(ge=0, le=1024)]

    @model_validator(mode="after")
    def _parts_exist(self) -> "Train":
        known = f"; known: {', '.join(PARTS)}"
        for part in self.freeze:
            if part not in PARTS:
                raise ValueError(f"freeze: {part}: unknown part{nearest(part, PARTS) or known}")
        if set(self.freeze) >= set(PARTS):
            raise ValueError("freeze names every part; leave one to be trained")
        return self


class Config(Section):
    """A whole config; default.yml says what each key means and its unit."""

    run: Run
    data: Data
    windows: Windows
    augment: Augment = Augment()  # runs and checkpoints of before have none
    features: Features
    text: Text = Text()  # runs and checkpoints of before have none
    model: Model
    loss: Loss
    train: Train

    @model_validator(mode="after")
    def _parts_fit(self) -> "Config":
        if self.model.width % self.model.heads:
            raise ValueError(f"model.heads {self.model.heads} does not divide model.width {self.model.width}")
        if self.text_size % self.model.heads:
            raise ValueError(f"model.heads {self.model.heads} does not divide text.embedding {self.text_size}")
        if self.domain_size % self.model.heads:
            raise ValueError(f"model.heads {self.model.heads} does not divide model.domain_size {self.domain_size}")
        if self.model.lookahead_ms is not None:
            self._check_streams()
        if self.windows.min_tokens and not self.data.require_transcripts:
            raise ValueError("windows.min_tokens needs data.require_transcripts: true")
        if self.features.cache == self.data.lmdb:
            raise ValueError("features.cache and data.lmdb are the same path; give each its own")
        return self

    def _check_streams(self) -> None:
        """Raises ValueError where frames cannot be told as the sound is heard."""
        logmel, wanted = self.features.logmel, {"features.encoder": "logmel", "features.context": "clip"}
        for key, value in (wanted | {"text.stream": "none"}).items():
            section, name = key.split(".")
            if getattr(getattr(self, section), name) != value:
                raise ValueError(f"model.lookahead_ms needs {key}: {value}")
        if 2 * logmel.context_steps + 1 != logmel.steps_per_frame:
            raise ValueError(
                f"model.lookahead_ms needs every log-mel step in one frame: with features.logmel.steps_per_frame"
                f" {logmel.steps_per_frame}, twice context_steps and 1 must be as many, such as 3 and 1"
            )

    @property
    def domain_size(self) -> int:
        """Columns of the domain's vector: none for one domain, else filled up so that the heads divide the width."""
        domains, heads = len(self.data.domains), self.model.heads
        if self.model.domain_one_hot and self.model.domain_size is not None:
            return self.model.domain_size
        return -(-domains // heads) * heads if self.model.domain_one_hot and domains > 1 else 0

    @property
    def text_size(self) -> int:
        """Columns of the text stream: none without one."""
        return self.text.embedding if self.text.stream != "none" else 0

    @property
    def run_dir(self) -> Path:
        """The run's folder."""
        return self.run.dir / self.run.name
