"""Encodes and decodes stored states: JSON of a BatchState, with the version of the fold that wrote it."""

import msgspec
from msgspec import Struct

from quire_schemas.states import FOLD_VERSION, BatchState

_LABEL = f'{{"fold":{FOLD_VERSION},'.encode()
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(BatchState)


class _Label(Struct):
    fold: int = 1  # version 1 did not write this field


_label_decoder = msgspec.json.Decoder(_Label)


def encode_state(state: BatchState) -> bytes:
    """Returns the state as JSON, labelled with this version of the fold."""
    return _LABEL + _encoder.encode(state)[1:]


def decode_state(raw: bytes) -> BatchState:
    """Returns the state as this version has it. Fields that an older version did not know get their defaults; no other
    upcasting is needed so far. Fields of a newer version are dropped, so a state that is encoded again is labelled with this
    version.
    """
    return _decoder.decode(raw)


def fold_of(raw: bytes) -> int:
    """Returns the version of the fold that stored the state."""
    return _label_decoder.decode(raw).fold
