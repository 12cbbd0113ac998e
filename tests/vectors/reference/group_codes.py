"""Groups of 8- or 4-bit codes (Zhang et al. 2024, Q-GaLore, arXiv 2407.08296, section 3.1), as src/kernels/group_quantize.h.

For each group of `size` consecutive fp32 elements, low and high are the least and the largest of them and 0:
  scale = max(high - low, 1e-5) / (2^bits - 1);  zero = clamp(-round(low / scale), 0, 2^bits - 1)
  code = clamp(round(w / scale) + zero);  w ~ (code - zero) scale.   round: to nearest, ties to even; or at random:
  down, and up where chance < w / scale - down, chance of element i = (bits + 1/2) / 2^16, bits = the lower (i even) or upper
  half of word (i mod 8) / 2 of block i / 8 of the stream (seed, "rounding", name, updates done before)
"""

import numpy as np

from . import philox
from .common import SEED, decided

F = np.float32


def chances(count, name, done):
    words = philox.words(SEED, "rounding", name, done, (count + 1) // 2)
    halves = np.stack([words & np.uint32(0xFFFF), words >> np.uint32(16)], axis=1).reshape(-1)[:count]
    return (halves.astype(F) + F(0.5)) * F(2.0**-16)


def coded(values, bits, size, chance=None, computed=False):
    """Returns `values` after coding and decoding, in fp32. computed: checks that no rounding is a close decision."""
    flat, levels, parts = np.ascontiguousarray(values, dtype=F).reshape(-1), F(2**bits - 1), []
    for first in range(0, flat.size, size):
        group = flat[first : first + size]
        low, high = min(group.min(), F(0)), max(group.max(), F(0))
        scale = max(F(high - low), F(1e-5)) / levels
        zero = np.clip(-np.round(low / scale), 0, levels)
        exact = group / scale
        below = np.floor(exact)
        if computed:
            threshold = F(0.5) if chance is None else chance[first : first + size]
            decided(50 * np.abs(exact - below - threshold))  # 2e-5 of a code is far from rounding
        if chance is None:
            whole = np.round(exact)
        else:
            whole = below + (chance[first : first + size] < exact - below)
        parts.append((np.clip(whole + zero, 0, levels) - zero) * scale)
    return np.concatenate(parts).astype(F).reshape(values.shape)


class CodedWeight:
    """A weight that is stored only in 8-bit codes. start() codes it to nearest.

    In large weights some roundings are always close decisions; their cases have a tolerance for it.
    """

    def __init__(self, name, size, stochastic):
        self.name, self.size, self.stochastic, self.done = name, size, stochastic, 0

    def start(self, value):
        return coded(value, 8, self.size).astype(value.dtype)

    def write(self, value, direction, rate, before, after):
        moved = (value.astype(F) * F(before) - F(rate) * direction.astype(F)) * F(after)
        chance = chances(value.size, self.name, self.done) if self.stochastic else None
        self.done += 1
        return coded(moved, 8, self.size, chance, computed=value.size < 1000).astype(value.dtype)
