"""Pretrained speech models (HuBERT, WavLM, wav2vec 2.0) as frozen speech encoders."""

import hashlib
import json
import math
import pickle
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.utils import parametrize
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.utils import logging

from config.errors import UserError
from config.files import regular
from config.units import SAMPLE_RATE
from model.hub import find_snapshot
from model.packed_linear import pack_linears, quantise_linears
from model.speech_encoder import BatchingEncoder

WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")  # in the order of preference
ONLY_FOR_TRAINING = "masked_spec_embed"
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
OF_THE_FAMILY = ("conv_stride", "conv_kernel", "feat_extract_norm", "num_hidden_layers", "hidden_size")  # of a config
EXAMPLE = "TencentGameMate/chinese-hubert-large"


class HubertEncoder(BatchingEncoder):
    """The hidden states of a pretrained transformer over raw audio, at 50 Hz for all known models.

    layer 0 is what enters the first transformer layer, k what leaves the k-th (transformers' hidden_states[k]), and the
    last one (or -1) the model's last_hidden_state, final normalisation included. Layers above are not even kept.
    Items of unequal length need first convolutions that are normalised at each step ("layer", as the large models are):
    normalised over time ("group"), an item would hear how long its neighbours are.
    The weights are read by load(), at the latest at the first forward; what a full feature cache asks (identity, size)
    needs none. On a CPU the first forward packs them for it: move the encoder to its device before that.
    """

    margin_s = 2.0  # attention sees all there is; beyond this, what it sees hardly matters

    def __init__(self, model: str, layer: int = -1, precision: str = "fp32") -> None:
        """model: a folder as on the Hugging Face hub, or a hub id (from the local cache, else downloaded).

        precision: fp32 | int8 (the linear layers, on a CPU) | bf16 | fp16 (all of it).
        Raises UserError when there is no such model, its config is not whole, or it has no such layer.
        """
        super().__init__()
        folder = _find(model)
        config = _load_config(folder)
        layers = config.num_hidden_layers
        if not -layers - 1 <= layer <= layers:
            raise UserError(f"features.layer: {model} has hidden states 0 to {layers} (or -1, the last), not {layer}")
        layer %= layers + 1
        self.normalise = _wants_normalised_audio(folder)
        self.receptive_field = 1
        for kernel, stride in zip(reversed(config.conv_kernel), reversed(config.conv_stride), strict=True):
            self.receptive_field = (self.receptive_field - 1) * stride + kernel
        self.hop = math.prod(config.conv_stride)
        self.rate_hz = SAMPLE_RATE / self.hop
        self.size = config.hidden_size
        self.identity = (
            f"hubert 1: content {_content_hash(folder)}, layer {layer},"
            f" {'normalised' if self.normalise else 'plain'} audio"
        ) + ("" if precision == "fp32" else f", {precision}")
        # int8 takes one scale a call, which neighbours would change, and gains nothing by company.
        self.batches = config.feat_extract_norm == "layer" and precision != "int8"
        self.folder, self.layer, self.precision, self._packed = folder, layer, precision, False
        self.model: PreTrainedModel | None = None
        self.register_buffer("place", torch.empty(0), persistent=False)  # on the device that the weights will go to

    def load(self) -> PreTrainedModel:
        """The model with its weights, read at the first call. Raises UserError where their files are not whole."""
        if self.model is None:
            with torch.inference_mode(False):  # weights as any other, whoever asks first
                model = _load(self.folder)
                self._keep_layers(model)
                self.model = nn.Module.to(model, self.device, DTYPES.get(self.precision, torch.float32))
            self.requires_grad_(False).eval()
        return self.model

    def _keep_layers(self, model: PreTrainedModel) -> None:
        """Make layer's hidden state the model's last one."""
        encoder: Any = model.encoder
        if self.layer == len(encoder.layers):
            return
        encoder.layers = encoder.layers[: self.layer]
        if getattr(model.config, "do_stable_layer_norm", False):  # only there, the norm comes after the layers
            encoder.layer_norm = nn.Identity()

    def forward(self, audio: Tensor, lengths: Tensor | None = None) -> Tensor:
        """audio: (B, samples), 16 kHz, float32 → (B, N, size); N = 1 + (samples - 400) // 320 and at least 1."""
        model = self.load()
        if lengths is not None and (lengths == audio.shape[1]).all():
            lengths = None
        steps = torch.arange(max(audio.shape[1], self.receptive_field), device=audio.device)
        if self.normalise:
            audio = _normalised(audio, None if lengths is None else steps[: audio.shape[1]] < lengths[:, None])
        audio = pad(audio, (0, len(steps) - audio.shape[1])).to(model.dtype)
        mask = None if lengths is None else (steps < lengths.clamp(min=self.receptive_field)[:, None]).long()
        if not self._packed:
            self._pack(model)
        return model(audio, attention_mask=mask).last_hidden_state.float()

    def feature_count(self, samples: int) -> int:
        """N for an item of so many samples; 0 where not even one feature has all of its sound."""
        return max(0, samples - self.receptive_field + self.hop) // self.hop

    def _pack(self, model: PreTrainedModel) -> None:
        """Bring the linear layers into the form this device is fastest with. Raises UserError for int8 on a GPU."""
        if self.device.type == "cpu":
            change = quantise_linears if self.precision == "int8" else pack_linears
            wavlm = model.config.model_type == "wavlm"  # whose attention reads its linear layers' weights, uncalled
            change(model, lambda name: not (wavlm and ".attention." in name))
        elif self.precision == "int8":
            raise UserError("features.precision: int8 is for CPUs; on a GPU take bf16 or fp16")
        self._packed = True


def _normalised(audio: Tensor, sound: Tensor | None) -> Tensor:
    """Mean 0 and variance 1 for each item, of its sound only, as Wav2Vec2FeatureExtractor.zero_mean_unit_var_norm."""
    if sound is None:
        variance, mean = torch.var_mean(audio, dim=1, keepdim=True, correction=0)
        return (audio - mean) / torch.sqrt(variance + 1e-7)
    count = sound.sum(1, keepdim=True)
    centred = (audio - (audio * sound).sum(1, keepdim=True) / count) * sound
    return centred / torch.sqrt(centred.square().sum(1, keepdim=True) / count + 1e-7)


def _find(model: str) -> Path:
    """The folder that holds the model's files."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        if (folder / "config.json").is_file():
            _load_config(folder)  # a model of another family is told before anything that it lacks
        if not _weight_files(folder):
            raise UserError(f"{folder}: holds no {' or '.join(WEIGHTS)}; " + _how_to_get(EXAMPLE))
        return folder
    if found := _find_on_hub(model):
        return found
    raise UserError(f"features.model: no folder {model}, and the hub does not give it either; {_how_to_get(model)}")


def _how_to_get(model: str) -> str:
    hub_id = model if model.count("/") == 1 and model[0] not in "./~" else EXAMPLE
    name = hub_id.partition("/")[2]
    return f"get one with `hf download {hub_id} --local-dir {name}`, then set features.model={name}"


def _find_on_hub(model: str) -> Path | None:
    """The snapshot of a hub id: from the local cache without asking the network, else downloaded."""
    settings = ["config.json", "preprocessor_config.json"]
    choices = [[*settings, f"{weights.partition('*')[0]}*.index.json", weights] for weights in WEIGHTS]
    return find_snapshot(model, choices, lambda folder: bool(_weight_files(folder)))


def _weight_files(folder: Path) -> list[Path]:
    return [file for pattern in WEIGHTS for file in sorted(folder.glob(pattern))]


def _load(folder: Path) -> PreTrainedModel:
    """The model with every one of its weights from the folder, float32. Nothing pickled and no code there is run.

    Raises UserError for files that cannot be read, and for weights that are missing, left over or of another shape.
    """
    config = _load_config(folder)
    try:
        with _quiet():
            model, report = AutoModel.from_pretrained(
                folder,
                config=config,
                dtype=torch.float32,
                trust_remote_code=False,
                weights_only=True,
                local_files_only=True,
                ignore_mismatched_sizes=True,  # reported, and refused below by name
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, KeyError, EOFError, pickle.UnpicklingError, SafetensorError) as error:
        kind = type(error).__name__
        raise UserError(
            f"{folder}: the weights are damaged or no plain weights ({kind}); download them again"
        ) from None
    _check_complete(folder, model, report)
    _fold_weight_norm(model)
    return model


def _load_config(folder: Path) -> PretrainedConfig:
    try:
        with _quiet():
            config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, KeyError):
        raise UserError(
            f"{folder / 'config.json'}: missing, damaged, or of a model that transformers does not know by itself;"
            " download it again or take another model"
        ) from None
    if not all(hasattr(config, key) for key in OF_THE_FAMILY) or getattr(config, "add_adapter", False):
        raise UserError(
            f"{folder}: a {config.model_type} model is no HuBERT, WavLM or wav2vec 2.0 encoder; take another model"
        )
    return config


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' own reports and progress bars; what matters in them becomes a UserError."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _check_complete(folder: Path, model: PreTrainedModel, report: dict) -> None:
    """Raise UserError unless the file filled the whole model, and held no more of it than the config says.

    Weights of heads (a CTC layer, quantisers) stand beside the encoder's parts and may be left over.
    """
    parts = tuple(f"{name}." for name, _ in model.named_children())
    missing = sorted(key for key in report["missing_keys"] if key != ONLY_FOR_TRAINING)
    unexpected = sorted(
        key for key in report["unexpected_keys"] if key.removeprefix(f"{model.base_model_prefix}.").startswith(parts)
    )
    reshaped = sorted(str(key[0]) for key in report["mismatched_keys"])
    for keys, problem in ((missing, "missing"), (unexpected, "left over"), (reshaped, "of another shape")):
        if keys:
            raise UserError(
                f"{folder}: weights and config.json do not belong together: {len(keys)} of the weights {problem}, such"
                f" as {keys[0]}; download both again"
            )


def _fold_weight_norm(model: nn.Module) -> None:
    """Replace each weight-normalised weight g · v / |v| by its value, which is the same at every forward."""
    for module in list(model.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)


def _wants_normalised_audio(folder: Path) -> bool:
    """do_normalize of preprocessor_config.json. Raises UserError when the file does not say, or wants another rate."""
    path = folder / "preprocessor_config.json"
    try:
        settings = json.loads(regular(path).read_text(encoding="utf-8"))
        wanted, rate = settings["do_normalize"], settings.get("sampling_rate", SAMPLE_RATE)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{path}: missing, or without do_normalize; download it from where the weights are") from None
    if rate != SAMPLE_RATE:
        raise UserError(f"{path}: the model hears {rate} Hz, but audio here has {SAMPLE_RATE} Hz; take another model")
    return bool(wanted)


def _content_hash(folder: Path) -> str:
    """A hash of config.json and the weights: 16 hex digits."""
    files = [folder / "config.json", *_weight_files(folder)]
    digests = [_file_digest(file.resolve(), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()[:16]


@lru_cache(maxsize=64)
def _file_digest(path: Path, size: int, mtime_ns: int) -> str:
    """Read once a process for as long as size and time of change stay the same."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return f"{size}:{digest.hexdigest()}"
