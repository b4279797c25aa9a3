"""Which clips train and which validate, and which domain a clip belongs to: pure functions of names and config."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol, TypeVar

from config.errors import UserError
from config.schema import Data, Domain, Split
from config.suggest import nearest
from dataset.corpus import read_manifest


class Listed(Protocol):
    """What a split asks of a clip."""

    @property
    def id(self) -> str:
        """Its name in the corpus."""

    @property
    def folder(self) -> str:
        """ "train" or "val" where the corpus is laid out so, else ""."""


AnyListed = TypeVar("AnyListed", bound=Listed)


def matches(clip_id: str, patterns: Sequence[str]) -> bool:
    """Whether a clip's id is one of the names or matches one of the patterns, such as `a1*`."""
    return clip_id in patterns or any(fnmatchcase(clip_id, pattern) for pattern in patterns)


def named_domain(clip_id: str, domains: Sequence[Domain]) -> str | None:
    """The first domain with a pattern for the clip; None when there is none."""
    return next((domain.name for domain in domains if matches(clip_id, domain.clips)), None)


def domain_of(clip_id: str, domains: Sequence[Domain]) -> str:
    """The first domain with a pattern for the clip. Raises UserError when there is none."""
    domain = named_domain(clip_id, domains)
    if domain is None:
        raise UserError(f"{clip_id}: matches no domain; add its pattern to data.domains")
    return domain


def check_named(data: Data, key: str, patterns: Sequence[str], ids: Sequence[str]) -> None:
    """Raises UserError for a clip that the config names in vain: a slip would train on the clip that was meant."""
    for pattern in patterns:
        if not any(matches(clip_id, [pattern]) for clip_id in ids):
            mend = nearest(pattern, ids) or "; take it out or mend it"
            raise UserError(f"{data.corpora}: data.{key} names {pattern}, but there is no such clip{mend}")


def split_clips(clips: Sequence[AnyListed], data: Data) -> tuple[list[AnyListed], list[AnyListed]]:
    """(training clips, validation clips) as data.split says.

    Raises UserError when a side is empty that should not be, or data.split.val names a clip that there is not.
    """
    split = data.split
    if split.by == "none":
        return list(clips), []
    if split.by == "fold":
        held_out = {clip.id for index, clip in enumerate(clips) if index % split.folds == split.fold}
    elif split.by == "list":
        check_named(data, "split.val", split.val, [clip.id for clip in clips])
        held_out = {clip.id for clip in clips if matches(clip.id, split.val)}
    else:
        held_out = {clip.id for clip in clips if clip.folder == "val"}
    train = [clip for clip in clips if clip.id not in held_out]
    if not train or not held_out:
        side = "training" if not train else "validation"
        raise UserError(f"no {side} clips among {len(clips)}; see data.split (by: {split.by})")
    return train, [clip for clip in clips if clip.id in held_out]


def clip_folds(clips: Sequence[str], folds: int) -> list[Split]:
    """The split of each fold: every folds-th clip is held out. clips: ids. Raises UserError for too few clips."""
    _check_folds(folds)
    if len(clips) < folds:
        raise UserError(f"--folds {folds}: the corpus has {len(clips)} clips")
    return [Split(by="fold", fold=fold, folds=folds, val=()) for fold in range(folds)]


def speaker_folds(clips: Sequence[str], folds: int, manifests: Sequence[Path]) -> list[Split]:
    """The split of each fold: the speakers, in the order of their first clips, are dealt out in turn. clips: ids.

    Raises UserError for fewer speakers than folds, and manifests that are missing or lack a clip.
    """
    _check_folds(folds)
    rows = {clip: row for manifest in manifests for clip, row in read_manifest(manifest).items()}
    named = ", ".join(map(str, manifests))
    for clip in clips:
        if not rows.get(clip, {}).get("speaker"):
            raise UserError(f"{named}: no speaker of {clip}; --by speaker needs the columns id and speaker")
    speakers = list(dict.fromkeys(rows[clip]["speaker"] for clip in clips))
    if len(speakers) < folds:
        raise UserError(f"--folds {folds}: {named} names {len(speakers)} speaker{'s' * (len(speakers) > 1)}")
    dealt = {speaker: number % folds for number, speaker in enumerate(speakers)}
    sides = [tuple(clip for clip in clips if dealt[rows[clip]["speaker"]] == fold) for fold in range(folds)]
    return [Split(by="list", fold=0, folds=folds, val=side) for side in sides]


def _check_folds(folds: int) -> None:
    if folds < 2:
        raise UserError(f"--folds {folds}: must be at least 2")
