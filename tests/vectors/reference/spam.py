"""SPAM (Huang et al. 2025, arXiv 2501.06842), with sparse momentum, and GaLore with SPAM in front of its rule.

Update t = 1, 2, ...; k = updates since the last reset.
0. sigma = 1 - 0.99 (1 + cos(pi k / (N + 1))) / 2 for k < N, else 1; before the first reset 1.
1. t mod interval = 0: M = V = 0, k = 0. Interval 0: never.
2. t >= h and (t mod interval) >= h: each g_i with g_i^2 > theta v_i and v_i > 0 becomes sign(g_i) sqrt(theta v_i); v_i is
   the raw moment before this update.
3. Adam, eps before the bias correction; t is not reset.   4. W -= eta sigma c M / (sqrt(V) + eps).   5. Decay after.

density < 1, targeted matrices only: moments and update of K = floor(density m n) elements; the others rest (decay acts on
all). The elements with the K smallest words of the stream (seed, "refresh", name, updates done before) are drawn, at the
first update and at every reset. Element i has word i; a tie goes to the lower i.

galore_spam_adamw: targeted matrices run steps 0 to 4 on R with GaLore's subspace, W -= eta sigma c alpha back(N).
"""

import math

import numpy as np

from .common import BASIS, GALORE_ADAMW, SEED, adamw_of, subspace_of
from . import philox

OWN = {**GALORE_ADAMW, "threshold": 5000.0, "interval": 500, "warmup_steps": 150, "holdoff": 20, "decay": "after"}
PRESETS = {"spam_adamw": {**OWN, "density": 1.0}, "galore_spam_adamw": {**OWN, **BASIS, "scale": 0.25}}


class Spam:
    def __init__(self, o):
        self.o, self.rule, self.t, self.k = o, adamw_of(o), 0, o["warmup_steps"]

    def begin(self):
        """Counts an update; returns True if moments were reset."""
        self.t, self.k = self.t + 1, self.k + 1
        reset = self.o["interval"] > 0 and self.t % self.o["interval"] == 0
        if reset:
            self.rule.reset()
            self.k = 0
        return reset

    def clipped(self, g):
        o, v = self.o, self.rule.v
        since = self.t % o["interval"] if o["interval"] > 0 else self.t
        if self.t < o["holdoff"] or since < o["holdoff"] or np.isscalar(v):
            return g
        bound = o["threshold"] * v
        spikes = (g * g > bound) & (v > 0)
        return np.where(spikes, np.sign(g) * np.sqrt(bound), g)

    def after_begin(self, g):
        warmup = self.o["warmup_steps"]
        sigma = 1 - 0.99 * 0.5 * (1 + math.cos(math.pi * self.k / (warmup + 1))) if self.k < warmup else 1.0
        return sigma * self.rule.direction(self.clipped(g))

    def direction(self, g):
        self.begin()
        return self.after_begin(g)


class SparseSpam(Spam):
    def __init__(self, o, name):
        super().__init__(o)
        self.name, self.kept = name, None

    def direction(self, g):
        if self.begin() or self.kept is None:
            order = np.argsort(philox.words(SEED, "refresh", self.name, self.t - 1, g.size), kind="stable")
            self.kept = np.sort(order[: int(self.o["density"] * g.size)])
        direction = np.zeros_like(g).reshape(-1)
        direction[self.kept] = self.after_begin(g.reshape(-1)[self.kept])
        return direction.reshape(g.shape)


class GaLoreSpam(Spam):
    def __init__(self, weight, o):
        super().__init__(o)
        self.subspace = subspace_of(weight, o)

    def direction(self, g):
        self.subspace.advance(g)
        return self.o["scale"] * self.subspace.back(super().direction(self.subspace.project(g)))


def make(weight, o):
    if weight.role == "targeted" and "rank" in o:
        return GaLoreSpam(weight, o)
    if weight.role == "targeted" and o["density"] < 1:
        return SparseSpam(o, weight.name)
    return Spam(o)
