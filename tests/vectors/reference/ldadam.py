"""LDAdam (Robert et al. 2024, arXiv 2410.16103): a new subspace at every update, moments moved, error feedback.

Square matrices are projected from the left. s = updates done before this one, t = s + 1; left side, the right is mirrored.
1. a = G + e
2. t = 1: P = the first `rank` singular vectors of a, signs with the largest entry positive.
   Later: b = rho P_old M / (1 - b1^s) + (1 - rho) a;  P = Q of QR(b (b^T P_old)), R's diagonal positive
3. R = P^T a;  C = P^T P_old;  M~ = C M     (t = 1: M~ = 0)
4. V~ = (1 - b2^s) | (C o C) (V / (1 - b2^s) - (M / (1 - b1^s))^2) + (M~ / (1 - b1^s))^2 |     (t = 1: 0)
5. e = a - P R + b1 / (1 - b1) (P_old M - P M~)
6. M = b1 M~ + (1 - b1) R;  V = b2 V~ + (1 - b2) R^2
7. W = (1 - eta wd) W - eta P [M / (1 - b1^t)] / (sqrt(V / (1 - b2^t)) + eps)
The other weights get AdamW with the same constants.
"""

import numpy as np

from .common import PLAIN_ADAMW, Subspace, adamw_of, positive_qr

PRESETS = {"ldadam_adamw": {**PLAIN_ADAMW, "adam_beta1": 0.908, "adam_beta2": 0.99, "rank": 16, "rho": 0.908,
                            "decay": "before"}}


class Ldadam:
    def __init__(self, weight, o):
        self.o, self.rule, self.error = o, adamw_of(o), 0.0
        self.space = Subspace(weight.shape, weight.name, o["rank"], gap=1, square_right=False)

    def moved_moments(self, b):
        """Does steps 2 to 4 after the first update; returns the part of M that the new coordinates cannot represent."""
        space, rule = self.space, self.rule
        old, unbiased = space.basis, space.back(rule.m)
        space.basis = positive_qr(b @ (b.T @ old) if space.left else b.T @ (b @ old))
        rule.transport(space, old.T @ space.basis)
        return unbiased - space.back(rule.m)

    def direction(self, g):
        space, rule, beta1 = self.space, self.rule, self.o["adam_beta1"]
        a, lost = g + self.error, np.zeros_like(g)
        if rule.t == 0:
            space.basis = space.found(a, None)
        else:
            rho = self.o["rho"]
            lost = self.moved_moments(rho * space.back(rule.m) / (1 - beta1**rule.t) + (1 - rho) * a)
        r = space.project(a)
        self.error = a - space.back(r) + beta1 / (1 - beta1) * lost
        return space.back(rule.direction(r))


def make(weight, o):
    return Ldadam(weight, o) if weight.role == "targeted" else adamw_of(o)
