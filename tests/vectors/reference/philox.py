"""The random streams of src/core/random.h, equal up to the rounding of logarithm and sine.

Philox 4x32-10 (Salmon et al., SC 2011), keyed by (seed, purpose, name) and counted by (block, step). A basis at a refresh
uses RandomStream(seed, "refresh", name of the parameter, number of updates done before this one).
"""

import numpy as np

MASK64 = 2**64 - 1


def mix(value, text):
    for byte in text.encode():
        value = (value ^ byte) * 1099511628211 & MASK64
    return (value ^ 0xFF) * 1099511628211 & MASK64


def finalize(x):
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & MASK64
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & MASK64
    return x ^ (x >> 31)


def words(seed, purpose, name, step, count):
    """The first `count` 32-bit words of the stream: word i is word i mod 4 of block i / 4."""
    start = finalize((seed + 0x9E3779B97F4A7C15) & MASK64) ^ 14695981039346656037
    key = finalize(mix(mix(start, purpose), name))
    low32, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    index = np.arange((count + 3) // 4, dtype=np.uint64)
    counter = [index & low32, index >> shift, np.full_like(index, step & 0xFFFFFFFF), np.full_like(index, step >> 32)]
    k0, k1 = key & 0xFFFFFFFF, key >> 32
    for _ in range(10):
        product0 = np.uint64(0xD2511F53) * counter[0]
        product1 = np.uint64(0xCD9E8D57) * counter[2]
        counter = [(product1 >> shift) ^ counter[1] ^ np.uint64(k0), product1 & low32,
                   (product0 >> shift) ^ counter[3] ^ np.uint64(k1), product0 & low32]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(counter, axis=1).reshape(-1)[:count].astype(np.uint32)


def normal(shape, deviation, seed, purpose, name, step):
    """fp32 normal numbers in row-major order, two from two words by Box-Muller on their upper 24 bits."""
    count = int(np.prod(shape))
    pairs = words(seed, purpose, name, step, 2 * ((count + 1) // 2)).reshape(-1, 2) >> np.uint32(8)
    radius = np.sqrt(-2 * np.log((pairs[:, 0] + 1.0) * 2.0**-24))
    angle = 2 * np.pi * pairs[:, 1] * 2.0**-24
    numbers = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)[:count]
    return (numbers.astype(np.float32) * np.float32(deviation)).reshape(shape)
