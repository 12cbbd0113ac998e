"""SinkGD (Scetbon et al. 2025, arXiv 2502.06742), targeted matrices m x n, no state.

X = G; `iterations` times: every row is divided by its norm and multiplied by sqrt n; then every column is divided by its
norm and multiplied by sqrt m. A row or column of zeros stays. W *= 1 - eta wd;  W -= eta scale X.
The other weights get AdamW.
"""

import math

import numpy as np

from .common import PLAIN_ADAMW, adamw_of

PRESETS = {"sinkgd": {**PLAIN_ADAMW, "iterations": 5, "scale": 1.0, "decay": "before"}}


def normed(x, axis):
    size = np.sqrt(np.sum(np.square(x), axis=axis, keepdims=True))
    return math.sqrt(x.shape[axis]) * np.divide(x, size, out=np.zeros_like(x), where=size > 0)


class Sinkgd:
    def __init__(self, o):
        self.o = o

    def direction(self, g):
        for _ in range(self.o["iterations"]):
            g = normed(normed(g, 1), 0)
        return self.o["scale"] * g


def make(weight, o):
    return Sinkgd(o) if weight.role == "targeted" else adamw_of(o)
