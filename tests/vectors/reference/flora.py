"""Flora (Hao et al. 2024, arXiv 2402.03293): Adafactor with a first moment in a random projection, targeted matrices.

1. U = G / sqrt(factored second moment): Adafactor's, before its clipping, full size (beta2_t = 1 - t^-0.8, eps 1e-30)
2. At a refresh (updates 1, T + 1, ...): new basis A of N(0, 1/r) numbers; M <- project_new(back_old(M))
3. D = b1 back(M) + (1 - b1) U;   M = b1 M + (1 - b1) project(U)
4. D /= max(1, RMS(D));  W *= 1 - eta wd;  W -= eta D.    (back(project(X)) is X on average.)
Departures: the authors multiply eta by the root mean square of the weight by default and resample after updates T, 2 T, ...
The other weights get Adafactor without a first moment.
"""

import math

from .common import BASIS, Adafactor, norm, subspace_of

PRESETS = {"flora": {**BASIS, "update_proj_gap": 1000, "subspace": "random", "beta1": 0.9, "decay": "before"}}


class Flora:
    def __init__(self, weight, o):
        self.o, self.subspace, self.rule, self.m = o, subspace_of(weight, o), Adafactor(clip=0), 0.0

    def direction(self, g):
        s, beta1 = self.subspace, self.o["beta1"]
        u = self.rule.direction(g)
        s.advance(g)
        if s.turn is not None:
            self.m = s.turned(self.m, s.turn)
        before = s.back(self.m) if s.done > 1 else 0.0
        direction = beta1 * before + (1 - beta1) * u
        self.m = beta1 * self.m + (1 - beta1) * s.project(u)
        return direction / max(1.0, norm(direction) / math.sqrt(g.size))


def make(weight, o):
    return Flora(weight, o) if weight.role == "targeted" else Adafactor()
