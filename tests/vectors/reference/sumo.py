"""SUMO (Refael et al. 2025, arXiv 2505.24749, Algorithm 1): the exact polar factor of a momentum inside the subspace.

1. At a refresh: new basis from this gradient;  M <- M rotated by B_old^T B_new
2. R = project(G);  M = mu M + R;  O = U V^T of M = U S V^T (thin SVD)
3. O passes the norm-growth limiter (gamma 1.1; it acts only when M loses rank; otherwise |O| is sqrt(rank))
4. W *= 1 - eta wd;  W -= eta scale sqrt(max(m, n)) (G - back(R) + back(O))
The paper projects the longer side; here the side follows GaLore's rule. The other weights get AdamW.
"""

import math

import numpy as np

from .common import BASIS, PLAIN_ADAMW, Limiter, adamw_of, subspace_of

PRESETS = {"sumo": {**BASIS, **PLAIN_ADAMW, "momentum": 0.95, "limiter": 1.1, "scale": 1.0, "decay": "before"}}


class Sumo:
    def __init__(self, weight, o):
        self.o, self.subspace, self.m, self.limit = o, subspace_of(weight, o), 0.0, Limiter(o["limiter"])

    def direction(self, g):
        s = self.subspace
        s.advance(g)
        if s.turn is not None:
            self.m = s.turned(self.m, s.turn)
        r = s.project(g)
        self.m = self.o["momentum"] * self.m + r
        u, _, vt = np.linalg.svd(self.m, full_matrices=False)
        factor = self.o["scale"] * math.sqrt(max(g.shape))
        return factor * (g - s.back(r) + s.back(self.limit(u @ vt)))


def make(weight, o):
    return Sumo(weight, o) if weight.role == "targeted" else adamw_of(o)
