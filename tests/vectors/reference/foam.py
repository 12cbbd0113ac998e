"""FOAM (2025, arXiv 2512.07112): Adam on means of 2^level neighbours along the input dimension, plus the residual.

Rows are filled with zeros to a multiple of 2^level.  a = block mean of G, q = block mean of G^2,  Res = G - unfold(a)
m = b1 m + (1 - b1) a,  v = b2 v + (1 - b2) q
W -= eta c scale (unfold(m) + rho Res) / (sqrt(unfold(v) + rho^2 Res^2) + eps);  decay after.
Defaults: betas 0.9 and 0.95 (the authors' scripts), eps 1e-8 added to the root (no bias correction inside). The other weights
get AdamW with the same constants.
"""

import math

import numpy as np

from .common import GALORE_ADAMW, adamw_of

PRESETS = {"foam_adamw": {**GALORE_ADAMW, "adam_beta2": 0.95, "adam_epsilon": 1e-8, "level": 2, "scale": 0.25,
                          "residual_scale": 1.0, "decay": "after"}}


class Foam:
    def __init__(self, o):
        self.o, self.t, self.m, self.v = o, 0, 0.0, 0.0

    def folded(self, x):
        group = 2 ** self.o["level"]
        rows, columns = x.shape
        return np.pad(x, ((0, 0), (0, -columns % group))).reshape(rows, -1, group).mean(axis=2)

    def direction(self, g):
        o, group = self.o, 2 ** self.o["level"]
        self.t += 1

        def unfolded(x):
            return np.repeat(x, group, axis=1)[:, : g.shape[1]]

        mean = self.folded(g)
        residual = o["residual_scale"] * (g - unfolded(mean))
        self.m = o["adam_beta1"] * self.m + (1 - o["adam_beta1"]) * mean
        self.v = o["adam_beta2"] * self.v + (1 - o["adam_beta2"]) * self.folded(g * g)
        direction = (unfolded(self.m) + residual) / (np.sqrt(unfolded(self.v) + residual**2) + o["adam_epsilon"])
        correction = math.sqrt(1 - o["adam_beta2"]**self.t) / (1 - o["adam_beta1"]**self.t)
        return correction * o["scale"] * direction


def make(weight, o):
    return Foam(o) if weight.role == "targeted" else adamw_of(o)
