"""AdaRankGrad (Refael et al. 2024, arXiv 2410.17881): GaLore with a rank chosen at each refresh.

At a refresh, with the singular values s of the gradient:
1. r = the smallest k with 1 - (s_1^2 + ... + s_k^2) / |G|^2 <= energy, then kept within min_rank and max_rank (0: rank)
2. B = the first r singular vectors, signs aligned with the old vectors; vectors beyond the old rank have their largest
   entry positive.
3. C = B_old^T B_new:  M <- M rotated by C,  V <- V rotated by C's squares (elementwise). V is then never negative; the
   paper's V <- C V can be. The count of updates goes on.
Every update: R = project(G), Adam as in galore_adamw (eps before the bias correction), W -= eta scale back(N), decay after.
With inner_criterion = 0 a refresh comes every update_proj_gap updates. Otherwise, with `since` updates after the last refresh
(since = 0 at its own update), it comes if since >= max_gap, or if since >= min_gap and the previous update had
|R| <= inner_criterion |R at that refresh|.
"""

import numpy as np

from .common import BASIS, GALORE_ADAMW, Subspace, adamw_of, align, decided, norm

PRESETS = {"adarankgrad_adamw": {**BASIS, **GALORE_ADAMW, "scale": 0.25, "min_rank": 1, "max_rank": 0, "energy": 0.04,
                                 "inner_criterion": 0.0, "min_gap": 50, "max_gap": 200, "decay": "after"}}


class AdaRankGrad:
    def __init__(self, weight, o):
        self.o, self.rule = o, adamw_of(o)
        self.space = Subspace(weight.shape, weight.name, o["max_rank"] or o["rank"])
        self.done, self.since, self.first_size, self.last_size = 0, 0, 0.0, 0.0

    def due(self):
        o = self.o
        if self.done == 0:
            return True
        if o["inner_criterion"] == 0:
            return self.done % o["update_proj_gap"] == 0
        if self.since >= o["max_gap"]:
            return True
        bound = o["inner_criterion"] * self.first_size
        decided(abs(self.last_size - bound) / bound)
        return self.since >= o["min_gap"] and self.last_size <= bound

    def chosen_rank(self, s):
        lost = 1 - np.cumsum(s * s) / np.sum(s * s)
        decided(np.abs(lost[:-1] - self.o["energy"]) / self.o["energy"])
        rank = 1 + int(np.argmax(lost <= self.o["energy"]))
        return max(min(rank, self.space.rank), min(self.o["min_rank"], self.space.rank))

    def refresh(self, g):
        vectors, s = self.space.vectors(g)
        old, new = self.space.basis, vectors[:, : self.chosen_rank(s)]
        known = 0 if old is None else min(old.shape[1], new.shape[1])
        parts = [align(new[:, :known], old[:, :known])] if known else []
        parts += [align(new[:, known:], None)] if known < new.shape[1] else []
        self.space.basis = np.concatenate(parts, axis=1)
        if old is not None:
            turn = old.T @ self.space.basis
            self.rule.m = self.space.turned(self.rule.m, turn)
            self.rule.v = self.space.turned(self.rule.v, turn * turn)

    def direction(self, g):
        due = self.due()
        if due:
            self.refresh(g)
        r = self.space.project(g)
        self.done, self.since, self.last_size = self.done + 1, 1 if due else self.since + 1, norm(r)
        self.first_size = self.last_size if due else self.first_size
        return self.o["scale"] * self.space.back(self.rule.direction(r))


def make(weight, o):
    return AdaRankGrad(weight, o) if weight.role == "targeted" else adamw_of(o)
