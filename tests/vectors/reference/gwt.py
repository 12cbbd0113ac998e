"""GWT (2025, arXiv 2501.07237): Adam on the coarse coefficients of a Haar transform along the input dimension.

Rows are filled with zeros to a multiple of 2^level. One level: a = (x_0 + x_1) / sqrt 2, d = (x_0 - x_1) / sqrt 2.
A: the coarse coefficients, D_1 .. D_level the details, D_level as long as A.
M, V: Adam's moments of A, no bias correction inside;  root = sqrt(V) + eps;  N = M / root
N passes the norm-growth limiter, which divides it by L (the authors' code; the first N passes, limiter=0: L = 1)
every detail is divided by L and by the root of the coefficients above it:  D~_k = D_k / (repeat(root) L)
W -= eta c scale inverse(N / L, D~);  decay after.  eps 1e-6 as galore_adamw. The other weights get that AdamW.
"""

import math

import numpy as np

from .common import GALORE_ADAMW, Limiter, adamw_of

PRESETS = {"gwt_adamw": {**GALORE_ADAMW, "level": 2, "scale": 0.25, "limiter": 1.01, "decay": "after"}}


class Gwt:
    def __init__(self, o):
        self.o, self.t, self.m, self.v, self.limit = o, 0, 0.0, 0.0, Limiter(o["limiter"])

    def transformed(self, x):
        """Returns the coarse coefficients and the details, the longest first."""
        details = []
        x = np.pad(x, ((0, 0), (0, -x.shape[1] % 2 ** self.o["level"])))
        for _ in range(self.o["level"]):
            even, odd = x[:, 0::2], x[:, 1::2]
            details.append((even - odd) / math.sqrt(2))
            x = (even + odd) / math.sqrt(2)
        return x, details

    def inverse(self, coarse, details):
        for detail in reversed(details):
            both = np.stack([coarse + detail, coarse - detail], axis=2) / math.sqrt(2)
            coarse = both.reshape(coarse.shape[0], -1)
        return coarse

    def direction(self, g):
        o = self.o
        self.t += 1
        coarse, details = self.transformed(g)
        self.m = o["adam_beta1"] * self.m + (1 - o["adam_beta1"]) * coarse
        self.v = o["adam_beta2"] * self.v + (1 - o["adam_beta2"]) * coarse * coarse
        root = np.sqrt(self.v) + o["adam_epsilon"]
        n = self.limit(self.m / root)
        divided = [d / np.repeat(root, d.shape[1] // root.shape[1], axis=1) / self.limit.factor for d in details]
        correction = math.sqrt(1 - o["adam_beta2"]**self.t) / (1 - o["adam_beta1"]**self.t)
        return correction * o["scale"] * self.inverse(n, divided)[:, : g.shape[1]]


def make(weight, o):
    return Gwt(o) if weight.role == "targeted" else adamw_of(o)
