"""SCALE (2025, arXiv 2506.16659): every matrix, with a single state, the average of the head's gradient.

u = x / max(root mean square of x, 1e-8) for each output row; for each column (over the vocabulary) in the embedding
x = G; in the head x is the average: m = 0.9 m + 0.1 G, from zero, no bias correction
W *= 1 - eta wd;  W -= eta u.   Tensors of one dimension: Adam 0.9, 0.999, 1e-8 (eps before the bias correction).
"""

import numpy as np

from .common import PLAIN_ADAMW, adamw_of

PRESETS = {"scale": {**PLAIN_ADAMW, "before": True, "head_momentum": 0.9, "decay": "before"}}


class Scale:
    def __init__(self, axis, momentum):
        self.axis, self.momentum, self.m = axis, momentum, 0.0

    def direction(self, g):
        self.m = self.momentum * self.m + (1 - self.momentum) * g
        size = np.sqrt(np.mean(np.square(self.m), axis=self.axis, keepdims=True))
        return self.m / np.maximum(size, 1e-8)


def make(weight, o):
    if weight.role == "vector":
        return adamw_of(o)
    return Scale(0 if weight.role == "embedding" else 1, o["head_momentum"] if weight.role == "head" else 0.0)
