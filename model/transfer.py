"""Start a training from another's weights: what fits is taken, and its first step predicts the curves of the other."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from config.errors import UserError
from config.schema import Config
from model.checkpoint import DOMAINS, load_decoder
from model.decoder import Decoder
from model.header import Header, read_header

HEAD = "head.linear."
MOST_NAMED = 3


def with_domain_size(config: Config, source: Path | None, resumed: bool) -> Config:
    """The config, its model.domain_size as the checkpoint it starts from has it where it says none.

    resumed: the checkpoint is of the run itself.
    Raises UserError for a checkpoint that cannot be had.
    """
    if source is None or not config.model.domain_one_hot or config.model.domain_size is not None:
        return config
    theirs = read_header(source).config
    size = theirs.model.domain_size if resumed else theirs.domain_size
    if size is None or size % config.model.heads:
        return config
    return config.model_copy(update={"model": config.model.model_copy(update={"domain_size": size})})


def start_from(path: Path, decoder: Decoder, header: Header) -> str:
    """Give a new run's decoder the weights of a checkpoint; the line that says what was taken, and what does not fit.

    header: the new run's. Domains and channels go by their names: a domain that the checkpoint does not know begins as
    the mean of those it does, a channel that never moved there at the new run's mean. The feature norm is taken too.
    Raises UserError for a checkpoint that cannot be had, of another encoder, or of which no layer fits.
    """
    base, other = load_decoder(path)
    check_encoder(path, base, header)
    ours, theirs = decoder.state_dict(), other.state_dict()
    if DOMAINS in theirs:
        theirs[DOMAINS] = domain_rows(theirs[DOMAINS], base, header)
    theirs |= head_rows(theirs, base, header)
    taken = {name: theirs[name] for name in ours if name in theirs and theirs[name].shape == ours[name].shape}
    if not any(tensor.dim() > 1 for name, tensor in taken.items() if name != DOMAINS):
        raise UserError(f"{path}: none of its layers fits; give model: as its run had it")
    decoder.load_state_dict(taken, strict=False)
    return f"{path}: {len(taken)} of {len(ours)} tensors to start from{_unknown(base, header)}{_misfits(ours, theirs)}"


def check_encoder(path: Path, base: Header, header: Header) -> None:
    """Raises UserError where a checkpoint hears otherwise than a run does, by their headers."""
    if base.encoder not in ("", header.encoder) or base.feature_size != header.feature_size:
        raise UserError(
            f"{path}: trained on features of another encoder: {base.encoder or f'{base.feature_size} values a frame'}; "
            f"this run's is {header.encoder}; give features: and data.fps as its run had them"
        )


def domain_rows(vectors: Tensor, base: Header, header: Header) -> Tensor:
    """The vectors of the new run's domains, from the base's, (domains, size): by name, or else the mean of all."""
    old = [domain.name for domain in base.config.data.domains]
    rows = [
        vectors[old.index(domain.name)] if domain.name in old else vectors.mean(dim=0)
        for domain in header.config.data.domains
    ]
    return torch.stack(rows)


def head_rows(weights: Mapping[str, Tensor], base: Header, header: Header) -> dict[str, Tensor]:
    """The head's weight and bias for the new run's channels and stats, by which the curves are those of the base.

    Normalised curves y are y · scale + mean; so weights are multiplied by scale / new scale, and the bias follows.
    Of a head that ends in tanh the rows stay as they are: its bounds, mean ± 1 std, are those of the new run.
    """
    weight, bias = weights[HEAD + "weight"], weights[HEAD + "bias"]
    mean, scale = _normalisation(base)
    new_mean, new_scale = _normalisation(header)
    rows = torch.zeros(len(header.channels), weight.shape[1]), torch.zeros(len(header.channels))
    for row, channel in enumerate(header.channels):
        place = base.channels.index(channel) if channel in base.channels else None
        if place is None or not scale[place] or not new_scale[row]:
            continue
        if base.config.model.output == "tanh":
            rows[0][row], rows[1][row] = weight[place], bias[place]
        else:
            rows[0][row] = weight[place] * (scale[place] / new_scale[row])
            rows[1][row] = (bias[place] * scale[place] + mean[place] - new_mean[row]) / new_scale[row]
    return {HEAD + "weight": rows[0], HEAD + "bias": rows[1]}


def _normalisation(header: Header) -> tuple[Tensor, Tensor]:
    """The mean and the scale of a header's channels, (channels,) each."""
    stats = header.stats.select(header.channels)
    scale = stats.scale(header.config.model.curve_scale)
    return torch.from_numpy(stats.mean).float(), torch.from_numpy(scale)


def _unknown(base: Header, header: Header) -> str:
    old, new = ([domain.name for domain in found.config.data.domains] for found in (base, header))
    unknown = [name for name in new if name not in old]
    if not header.config.domain_size:
        return "; it has no columns to tell the domains apart" if len(new) > 1 else ""
    if not unknown:
        return ""
    return f"; {_some(unknown)} begin{'s' * (len(unknown) == 1)} as the mean of {_some(old)}"


def _misfits(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> str:
    def shape(tensors: Mapping[str, Tensor], name: str) -> str:
        return str(list(tensors[name].shape)) if name in tensors else "none"

    names = [name for name in {**ours, **theirs} if shape(ours, name) != shape(theirs, name)]
    said = [f"{name} {shape(theirs, name)} for {shape(ours, name)}" for name in names]
    return f"; what does not fit: {_some(said)}" if said else ""


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def freeze(decoder: Decoder, parts: tuple[str, ...]) -> None:
    """Let these parts of the decoder stay as they are. Raises UserError where none is left to be trained."""
    for part in parts:
        module = getattr(decoder, part)
        if module is not None:
            module.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in decoder.parameters()):
        raise UserError(f"train.freeze: {', '.join(parts)}: nothing is left to be trained; take one out")
