from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from config.errors import UserError
from dataset.blendshapes import ARKIT
from dataset.clip import SCHEMA, Clip
from dataset.transcript import Word

PHONES = (Word("tʃʰ", 0.1, 0.2), Word("ˈaɪ", 0.2, 1 / 3))
WORDS = (Word("你", 0.1, 0.30000000000000004), Word("hello", 0.4, 1 / 3 + 0.2))


def make(words: tuple[Word, ...] = WORDS, frames: int = 30, phones: tuple[Word, ...] = PHONES) -> Clip:
    random = np.random.default_rng(0)
    audio = random.integers(-32768, 32768, frames * 533, dtype=np.int16)
    curves = random.normal(size=(frames, 52)).astype(np.float32)
    return Clip("a/文 1", "zh", 30000 / 1001, audio, curves, words, "wav/文 1.wav", phones)


def same(one: Clip, two: Clip) -> bool:
    arrays = all(np.array_equal(getattr(one, name), getattr(two, name)) for name in ("audio", "curves"))
    return arrays and all(
        getattr(one, name) == getattr(two, name) for name in ("id", "domain", "fps", "words", "source", "phones")
    )


@pytest.mark.parametrize(("words", "phones"), [(WORDS, PHONES), (WORDS, ()), ((), PHONES), ((), ())])
def test_a_clip_comes_back_bit_for_bit(words: tuple[Word, ...], phones: tuple[Word, ...]) -> None:
    clip = make(words, phones=phones)
    back = Clip.from_bytes(clip.to_bytes())
    assert same(back, clip)
    assert (back.audio.dtype, back.curves.dtype, back.curves.shape) == (np.int16, np.float32, (30, 52))
    assert all(isinstance(word, Word) for word in (*back.words, *back.phones))


def test_the_same_clip_gives_the_same_bytes_whatever_its_arrays_layout() -> None:
    clip = make()
    other = Clip(**{**vars(clip), "curves": np.asfortranarray(clip.curves), "audio": np.repeat(clip.audio, 2)[::2]})
    assert clip.to_bytes() == make().to_bytes() == other.to_bytes() == Clip.from_bytes(clip.to_bytes()).to_bytes()


def test_a_record_of_before_has_no_phones() -> None:
    clip = make()
    record = with_schema(clip, SCHEMA.remove(SCHEMA.get_field_index("phones")))
    assert same(Clip.from_bytes(record), make(phones=())) and clip.phones


def test_arrays_are_read_only_views() -> None:
    back = Clip.from_bytes(make().to_bytes())
    for array in (back.audio, back.curves):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def with_schema(clip: Clip, schema: pa.Schema, **columns: object) -> bytes:
    batch = pa.ipc.open_stream(clip.to_bytes()).read_next_batch()
    arrays = [pa.array([columns[f.name]], f.type) if f.name in columns else batch.column(f.name) for f in schema]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.record_batch(arrays, schema=schema))
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(("metadata", "version"), [({"version": "0"}, "0"), ({}, r"\?")])
def test_another_version_is_refused(metadata: dict[str, str], version: str) -> None:
    record = with_schema(make(), SCHEMA.with_metadata(metadata))
    with pytest.raises(
        UserError, match=f"a clip record of version {version}, this code reads 1; pack the corpus again"
    ):
        Clip.from_bytes(record)


def test_channels_in_another_order_are_placed_by_name() -> None:
    clip = make()
    order = np.random.default_rng(1).permutation(52)
    record = with_schema(
        clip, SCHEMA, channels=[ARKIT[i] for i in order], curves=clip.curves[:, order].reshape(-1).tolist()
    )
    assert same(Clip.from_bytes(record), clip)


def test_of_channels_that_are_not_captured_nothing_is_kept() -> None:
    channels = tuple(name for name in ARKIT if name not in ("MouthClose", "TongueOut"))
    clip = replace(make(), channels=channels)
    back = Clip.from_bytes(clip.to_bytes())
    assert back.channels == channels and Clip.from_bytes(make().to_bytes()).channels == ARKIT
    assert np.array_equal(back.captured, np.isin(ARKIT, channels)) and back.captured.sum() == 50
    assert np.array_equal(back.curves[:, back.captured], clip.curves[:, back.captured])
    assert not back.curves[:, ~back.captured].any()
    assert back.to_bytes() == clip.to_bytes()
