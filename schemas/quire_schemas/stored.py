"""States as they are stored: JSON of a BatchState, with the version of the fold that wrote it."""

import msgspec
from msgspec import Struct

from quire_schemas.states import FOLD_VERSION, BatchState

_LABEL = f'{{"fold":{FOLD_VERSION},'.encode()
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(BatchState)


class _Label(Struct):
    fold: int = 1  # the first version did not write it


_label_decoder = msgspec.json.Decoder(_Label)


def encode_state(state: BatchState) -> bytes:
    """The state, labelled with this version."""
    return _LABEL + _encoder.encode(state)[1:]


def decode_state(raw: bytes) -> BatchState:
    """The state as this version has it. Fields that an older version did not know have their defaults, which is all the
    upcasting there is so far; those of a newer one are left out, so what is encoded again is labelled as ours.
    """
    return _decoder.decode(raw)


def fold_of(raw: bytes) -> int:
    """The version of the fold that stored it."""
    return _label_decoder.decode(raw).fold
