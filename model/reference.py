"""Read a published .bin checkpoint of the reference implementation as one of ours, without running its pickle."""

import json
import pickle
import warnings
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor

from config.errors import UserError
from config.files import written_whole
from config.load import ROOT, load_config
from config.schema import Config
from dataset.blendshapes import ARKIT, FACE, indices
from dataset.stats import STATS, Stats, save_stats
from model.checkpoint import WEIGHTS, Header, check_finite, misfit, prefixed, save_checkpoint

# Module of the reference → ours. HuBERT itself, text_encoder.* and the discriminator are not needed.
MODULES = {
    "audio_encoder.audio_feature_map.": "project.",
    "AIWIN.0.layers.0.": "encoder.0.",
    "TransformerDecoder.layers.0.": "decoder.0.",
    "AIWIN_.0.": "head.linear.",
}
FEEDFORWARD = "encoder.0.linear1.weight"  # of (feedforward, width + one-hot)


def import_checkpoint(source: Path, target: Path) -> tuple[Header, int]:
    """Write the checkpoint that `source` holds, and its stats.json beside it: (its header, how many tensors it has).

    source: the reference's .bin file, written by torch.save. Raises UserError for any other file.
    """
    weights, published = read_reference(source)
    config = config_of(source, weights, published)
    feature_size = weights["project.weight"].shape[1]
    stats = stats_of(source, published)
    header = Header(config, stats, FACE, config.data.fps, encoder="", feature_size=feature_size, step=0)
    check_weights(source, header, weights)
    with written_whole(target) as partial:
        save_checkpoint(partial, header, prefixed(weights, WEIGHTS))
    save_stats(target.with_name(STATS), stats)
    return header, len(weights)


def read_reference(path: Path) -> tuple[dict[str, Tensor], Namespace]:
    """(weights by our names, the published arguments). Raises UserError for any other file; no pickle code is run."""
    try:
        with torch.serialization.safe_globals([Namespace]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch remarks on pickles that it did not write
            published = torch.load(path, map_location="cpu", weights_only=True)
        weights = _renamed(published["gen_dict"])
        arguments = published["args"]
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    except pickle.UnpicklingError:
        raise UserError(f"{path}: holds more than tensors and an argparse Namespace, or is no torch file") from None
    except (RuntimeError, ValueError, EOFError, KeyError, TypeError, AttributeError):
        raise UserError(f"{path}: not a reference checkpoint: expected a torch file with gen_dict and args") from None
    missing = [theirs for theirs, ours in MODULES.items() if not any(name.startswith(ours) for name in weights)]
    if missing:
        raise UserError(f"{path}: gen_dict has no {missing[0]}*; is it a checkpoint of the reference decoder?")
    return weights, arguments


def _renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    plain = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    return {
        ours + name.removeprefix(theirs): tensor.float()
        for theirs, ours in MODULES.items()
        for name, tensor in plain.items()
        if name.startswith(theirs)
    }


def config_of(path: Path, weights: Mapping[str, Tensor], published: Namespace) -> Config:
    """config/aiwin.yml with the sizes that the weights and the published arguments tell."""
    base = load_config(ROOT / "config" / "aiwin.yml")
    try:
        (width, _), (feedforward, total) = (weights[name].shape for name in ("project.weight", FEEDFORWARD))
    except (KeyError, ValueError):
        raise UserError(f"{path}: not the reference decoder: no matrix of the projection or of {FEEDFORWARD}") from None
    one_hot = total - width
    if one_hot not in (0, len(base.data.domains)):
        raise UserError(f"{path}: a width of {width} + {one_hot}; expected {width} or {width + len(base.data.domains)}")
    overlay = {
        "run": {"name": "reference"},
        "data": {"fps": _published(path, published, "motion_resampling_framerate", float)},
        "windows": {"window_frames": _published(path, published, "n_poses", int)},
        "model": {
            "width": width,
            "domain_one_hot": one_hot > 0,
            "feedforward": feedforward,
        },
    }
    tree = base.model_dump(mode="json")
    for section, values in overlay.items():
        tree[section] |= values
    try:
        return Config.model_validate_json(json.dumps(tree))
    except ValidationError as error:
        problem = error.errors()[0]
        raise UserError(f"{path}: args or weights: {'.'.join(map(str, problem['loc']))}: {problem['msg']}") from None


def stats_of(path: Path, published: Namespace) -> Stats:
    """The published mean and std (lists of one-element lists, of the 37 or the 52 channels) as our stats.

    What was not published is set to what limits nothing: minimum 0 and maximum 1.
    """

    def numbers(cells: Any) -> np.ndarray:
        return np.asarray_chkfinite(cells, np.float64).reshape(-1)

    rows = {}
    for row, name in (("mean", "data_mean"), ("std", "data_std")):
        values = _published(path, published, name, numbers)
        if len(values) not in (len(FACE), len(ARKIT)):
            raise UserError(f"{path}: {name} has {len(values)} values; expected {len(FACE)} or {len(ARKIT)}")
        if row == "std" and (values < 0).any():
            raise UserError(f"{path}: {name} has a value below 0; take another checkpoint")
        rows[row] = np.zeros(len(ARKIT))
        rows[row][indices(ARKIT, FACE if len(values) == len(FACE) else ARKIT)] = values
    return Stats(ARKIT, **rows, min=np.zeros(len(ARKIT)), max=np.ones(len(ARKIT)), frames=0, clips=())


def check_weights(path: Path, header: Header, weights: Mapping[str, Tensor]) -> None:
    """Raises UserError where the weights are not those of the reference decoder, or not finite."""
    check_finite(path, weights, "take another checkpoint")
    if problem := misfit(header, weights):
        raise UserError(f"{path}: not the reference decoder: {problem}")


def _published(path: Path, published: Namespace, name: str, kind: Callable[[Any], Any]) -> Any:
    try:
        return kind(getattr(published, name))
    except (AttributeError, TypeError, ValueError):
        raise UserError(f"{path}: args has no {name} that reads as {kind.__name__}") from None
