"""Alice (Gong et al. 2025, arXiv 2502.07752, Algorithms 2 to 4), targeted matrices; Alice-0 with basis_beta = 0.

Left side, m = the projected side's length; the right side is the same with G^T. Refreshes on updates 1, T + 1, ... (the
paper: 1, T, 2 T). No bias correction anywhere; all states start at zero and are kept, in their coordinates, at a refresh.
1. At a refresh: U' = the first r left singular vectors of G, largest entries positive, at the first; later
   Q = beta3 U Q~ U^T + (1 - beta3) G G^T;  X = Q of QR(Q U), R's diagonal positive;  U' = X times the eigenvectors of
   X^T Q X, largest eigenvalue first; signs aligned with the columns of U.
2. Switching, at every refresh: U = [the first `leading` columns of U', r - leading random directions outside U']: normal
   numbers (m x (r - leading), stream of the refresh), minus their part in U', Q of QR with R's diagonal positive. Where
   m - r < r - leading, outside the kept columns only.
3. s = U^T G;  Q~ = beta3 Q~ + (1 - beta3) s s^T;  M = b1 M + (1 - b1) s;  V = b2 V + (1 - b2) s^2;  w = M / (sqrt(V) + eps)
4. E = G - U s;  p_j = b1 p_j + (1 - b1) |E_j|^2;  C_j = sqrt(m - r) E_j / (sqrt(p_j) + eps);  norm-growth limiter on C
5. W *= 1 - eta wd;  W -= eta scale (U w + complement_scale C)
Defaults of the paper: betas 0.9, 0.9, 0.999, scale 0.3, complement_scale 0.4, leading 40. Other weights: AdamW 0.9, 0.999.
"""

import math

import numpy as np

from .common import PLAIN_ADAMW, SEED, Limiter, Subspace, adamw_of, align, decided, positive_qr
from . import philox

PRESETS = {"alice": {**PLAIN_ADAMW, "rank": 128, "update_proj_gap": 200, "alice_beta2": 0.9, "basis_beta": 0.999,
                     "leading": 40, "scale": 0.3, "complement_scale": 0.4, "limiter": 1.01, "decay": "before"}}


class AliceSubspace(Subspace):
    def __init__(self, weight, o):
        super().__init__(weight.shape, weight.name, o["rank"], o["update_proj_gap"])
        self.beta3, self.leading, self.tracked = o["basis_beta"], min(o["leading"], self.rank), 0.0

    def eigenvectors(self, g, old):
        if old is None:
            return super().found(g if self.left else g.T, None)
        q = self.beta3 * old @ self.tracked @ old.T + (1 - self.beta3) * g @ g.T
        x = positive_qr(q @ old)
        values, vectors = np.linalg.eigh(x.T @ q @ x)
        decided(np.diff(values) / values[-1])
        return align(x @ vectors[:, ::-1], old)

    def found(self, gradient, old):
        g = gradient if self.left else gradient.T
        all_of_them = self.eigenvectors(g, old)
        kept, drawn = all_of_them[:, : self.leading], self.rank - self.leading
        if drawn == 0:
            return kept
        known = all_of_them if len(g) - self.rank >= drawn else kept
        numbers = philox.normal((len(g), drawn), 1, SEED, "refresh", self.name, self.done).astype(g.dtype)
        return np.hstack([kept, positive_qr(numbers - known @ (known.T @ numbers))])


class Alice:
    def __init__(self, weight, o):
        self.o, self.subspace, self.limit = o, AliceSubspace(weight, o), Limiter(o["limiter"])
        self.m, self.v, self.p = 0.0, 0.0, 0.0

    def direction(self, g):
        o, space, beta1 = self.o, self.subspace, self.o["adam_beta1"]
        space.advance(g)
        s = space.project(g)
        product = s @ s.T if space.left else s.T @ s
        space.tracked = space.beta3 * space.tracked + (1 - space.beta3) * product
        self.m = beta1 * self.m + (1 - beta1) * s
        self.v = o["alice_beta2"] * self.v + (1 - o["alice_beta2"]) * s * s
        rest = g - space.back(s)
        self.p = beta1 * self.p + (1 - beta1) * np.sum(np.square(rest), axis=0 if space.left else 1, keepdims=True)
        outside = math.sqrt(min(g.shape) - space.rank) * rest / (np.sqrt(self.p) + o["adam_epsilon"])
        inside = space.back(self.m / (np.sqrt(self.v) + o["adam_epsilon"]))
        return o["scale"] * (inside + o["complement_scale"] * self.limit(outside))


def make(weight, o):
    return Alice(weight, o) if weight.role == "targeted" else adamw_of(o)
