"""FRUGAL (Zmushko et al. 2024, arXiv 2411.07837): Adam in the subspace, the sign of the residual outside.

1. At a refresh: the basis, from the gradient of this update; moments are zero again and Adam's count of updates restarts,
   so that this update is its first.
2. R = project(G);  N = Adam's direction of R (textbook eps)
3. W *= 1 - eta wd;  W -= eta (back(N) + sign_scale sign(G - back(R))),  sign(0) = 0.   No other scale.
The other weights get AdamW.
"""

import numpy as np

from .common import BASIS, PLAIN_ADAMW, adamw_of, decided, subspace_of

PRESETS = {"frugal_adamw": {**BASIS, **PLAIN_ADAMW, "sign_scale": 1.0, "decay": "before"}}


class Frugal:
    def __init__(self, weight, o):
        self.o, self.subspace, self.rule = o, subspace_of(weight, o), adamw_of(o)

    def direction(self, g):
        s = self.subspace
        if s.advance(g):
            self.rule = adamw_of(self.o)
        r = s.project(g)
        residual = g - s.back(r)
        decided(1e3 * np.abs(residual) / np.abs(g).max())  # 1e-6 of the gradient is far from rounding
        return s.back(self.rule.direction(r)) + self.o["sign_scale"] * np.sign(residual)


def make(weight, o):
    return Frugal(weight, o) if weight.role == "targeted" else adamw_of(o)
