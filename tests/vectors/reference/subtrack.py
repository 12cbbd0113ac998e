"""SubTrack++ (Rajabi et al. 2025, arXiv 2502.01586): a basis that moves on the Grassmannian, and Fira's residual.

Left side; the right is the same with G^T. First update: S = leading singular vectors, largest entries positive.
At every later refresh, with the gradient of that update:
1. A = S^T G;  D = 2 (G - S A) A^T;  sigma, u, v = D's leading singular triple
2. angle = step_size atan2(sigma / 2, |A^T v|^2): the rotation of v by one step of power iteration, times step_size (the paper
   has sigma eta, which has no meaning without the gradient's scale)
3. S <- S (I - v v^T) + (S v cos angle + u sin angle) v^T
4. M and V move into the new coordinates as in LDAdam (common.AdamW.transport)
Every update: R = S^T G;  N = c M / (sqrt(V) + eps) as in galore_adamw;  k_j = |N_j| / (|R_j| + 1e-8), one for each column;
residual = limit((G - S R) k);  W -= eta scale (S N + residual);  decay after. This is the paper's form of Fira.
"""

import math

import numpy as np

from .common import BASIS, GALORE_ADAMW, Limiter, Subspace, adamw_of, column_norms, norm

PRESETS = {"subtrack_adamw": {**BASIS, **GALORE_ADAMW, "step_size": 1.0, "scale": 0.25, "limiter": 1.01, "decay": "after"}}


class TrackedSubspace(Subspace):
    def __init__(self, weight, o):
        super().__init__(weight.shape, weight.name, o["rank"], o["update_proj_gap"])
        self.step_size = o["step_size"]

    def found(self, gradient, old):
        if old is None:
            return super().found(gradient, None)
        g = gradient if self.left else gradient.T
        a = old.T @ g
        u, sigma, vt = np.linalg.svd(2 * (g - old @ a) @ a.T, full_matrices=False)
        u, v = u[:, :1], vt[:1].T
        angle = self.step_size * math.atan2(float(sigma[0]) / 2, norm(a.T @ v) ** 2)
        return old - old @ v @ v.T + (old @ v * math.cos(angle) + u * math.sin(angle)) @ v.T


class Subtrack:
    def __init__(self, weight, o):
        self.o, self.subspace, self.rule = o, TrackedSubspace(weight, o), adamw_of(o)
        self.limit = Limiter(o["limiter"])

    def direction(self, g):
        s = self.subspace
        s.advance(g)
        if s.turn is not None:
            self.rule.transport(s, s.turn)
        r = s.project(g)
        n = self.rule.direction(r)
        factors = column_norms(n, s.left) / (column_norms(r, s.left) + 1e-8)
        return self.o["scale"] * (s.back(n) + self.limit((g - s.back(r)) * factors))


def make(weight, o):
    return Subtrack(weight, o) if weight.role == "targeted" else adamw_of(o)
