"""Fira (Chen et al. 2024, arXiv 2410.01623): GaLore plus the rescaled residual.

released (the authors' code): N without bias correction c, k_j = |N_j| / (|R_j| + 1e-8),
  S = limit((G - alpha back(R)) k),  W -= eta c (alpha back(N) + S)
paper (Algorithm 1): N with bias correction, k_j likewise, S = limit((G - back(R)) k),  W -= eta alpha (back(N) + S)
k: one factor for each row of a right-projected matrix, for each column of a left-projected one (scaling=column), or one of
Frobenius norms (scaling=matrix). Rules without a bias correction (Adafactor, RMSProp) have c = 1. The limiter passes the
first residual; limiter=0 passes all. Decay follows the update; with Adafactor it precedes it.
"""

from .common import (BASIS, GALORE_ADAMW, Adafactor, Adam8bit, Limiter, RmsProp, adamw_of, column_norms, norm, subspace_of)

OWN = {**BASIS, "scale": 0.25, "variant": "released", "limiter": 1.01, "scaling": "column", "decay": "after"}
PRESETS = {
    "fira_adamw": {**OWN, **GALORE_ADAMW, "rule": "adamw"},
    "fira_adamw_8bit": {**OWN, "rule": "adamw_8bit", "block_size": 256},
    "fira_adafactor": {**OWN, "rule": "adafactor", "decay": "before"},
    "fira_rmsprop": {**OWN, "rule": "rmsprop", "rms_beta": 0.9},
}


def rule_of(o, shape):
    if o["rule"] == "adamw":
        return adamw_of(o)
    if o["rule"] == "adamw_8bit":
        return Adam8bit(shape, o["block_size"])
    return Adafactor() if o["rule"] == "adafactor" else RmsProp(o["rms_beta"])


class Fira:
    def __init__(self, weight, o):
        self.o, self.subspace, self.limit = o, subspace_of(weight, o), Limiter(o["limiter"])
        s = self.subspace
        self.rule = rule_of(o, (s.rank, weight.shape[1]) if s.left else (weight.shape[0], s.rank))

    def factors(self, n, r):
        if self.o["scaling"] == "matrix":
            return norm(n) / (norm(r) + 1e-8)
        return column_norms(n, self.subspace.left) / (column_norms(r, self.subspace.left) + 1e-8)

    def direction(self, g):
        s, alpha = self.subspace, self.o["scale"]
        s.advance(g)
        r = s.project(g)
        n = self.rule.raw(r)
        if self.o["variant"] == "released":
            residual = self.limit((g - alpha * s.back(r)) * self.factors(n, r))
            return self.rule.correction * (alpha * s.back(n) + residual)
        n = self.rule.correction * n
        residual = self.limit((g - s.back(r)) * self.factors(n, r))
        return alpha * (s.back(n) + residual)


def make(weight, o):
    return Fira(weight, o) if weight.role == "targeted" else rule_of(o, weight.shape)
