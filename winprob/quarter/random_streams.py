"""How does a deal's own luck fall? By its id and the seed alone: the same in every table that holds it."""

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np

from winprob.arrays import Array


def luck_keys(deal_ids: Iterable[str]) -> Array:
    """(deal,) a number for each id: 64 bits, so that no two deals share their luck."""
    digests = b"".join(blake2b(deal_id.encode(), digest_size=8).digest() for deal_id in deal_ids)
    return np.frombuffer(digests, dtype=np.uint64)


def draw_luck(keys: Array, draws: int, *, seed: int) -> Array:
    """(deal, draw) uniform in 0..1, float32: a stream of its own for every key and seed.

    Philox counts from zero under each key (Salmon et al. 2011); to set a key costs a fifth of making a generator.
    """
    bits = np.random.Philox(key=[0, seed])
    generator, state = np.random.Generator(bits), bits.state
    luck = np.empty((len(keys), draws), dtype=np.float32)
    for key, row in zip(keys, luck, strict=True):
        state["state"]["key"][0] = key
        bits.state = state
        generator.random(out=row, dtype=np.float32)
    return luck
