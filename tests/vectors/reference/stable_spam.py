"""Stable-SPAM (Huang et al. 2025, arXiv 2502.17055), every tensor, in the order of the authors' code.

s = 1, or with total_steps = T: 0.5 + 0.25 (1 + cos(pi min(t, T + 1) / (T + 1))), t = 1, 2, ... counting all updates.
0. W *= 1 - eta wd.   n += 1
1. top = max|g|; M = g3 M + (1 - g3) top; bound = M / (1 - g3^n).   2. |g_i| > bound: g_i *= bound / top
3. nu = |g|; a = g1 s a + (1 - g1 s) nu; b = g2 b + (1 - g2) nu^2
4. g = g / nu * [a / (1 - (g1 s)^n)] / (sqrt(b / (1 - g2^n)) + eps), if nu > 0
5. Adam with beta1' = b1 s and the textbook's eps: W -= eta / (1 - beta1'^n) m / (sqrt(v) / sqrt(1 - b2^n) + eps)
Every `interval` updates (t mod interval = 0) moments are reset, between steps 4 and 5:
  counters=shared (the authors' code): n = 1 for every correction from here on; this update still uses the old moments, with
  corrections for n = 1, and its new moments are dropped: zero moments are kept. (The next update counts n = 2.)
  counters=separate: corrections of M, a and b count every update; moments are zero before this update and have a count of
  their own, which is 1 at this update.
"""

import math

import numpy as np

from .common import PLAIN_ADAMW, decided, norm

PRESETS = {"stable_spam_adamw": {**PLAIN_ADAMW, "gamma1": 0.85, "gamma2": 0.99999, "gamma3": 0.999, "interval": 1000,
                                 "total_steps": 0, "counters": "shared", "decay": "before"}}


class StableSpam:
    def __init__(self, o):
        self.o, self.t, self.n, self.n_moments = o, 0, 0, 0
        self.top, self.a, self.b, self.m, self.v = 0.0, 0.0, 0.0, 0.0, 0.0

    def scheduled(self):
        total = self.o["total_steps"]
        return 0.5 + 0.25 * (1 + math.cos(math.pi * min(self.t, total + 1) / (total + 1))) if total > 0 else 1.0

    def normed(self, g, g1):
        o = self.o
        top = float(np.abs(g).max())
        self.top = o["gamma3"] * self.top + (1 - o["gamma3"]) * top
        bound = self.top / (1 - o["gamma3"]**self.n)
        # The first bound is the largest entry itself, which stays unchanged whatever the comparison gives.
        large = np.abs(g) > bound
        if self.n > 1:
            decided(np.abs(np.abs(g) - bound) / bound)
        g = np.where(large, g * (bound / top), g) if top > 0 else g
        nu = norm(g)
        self.a = g1 * self.a + (1 - g1) * nu
        self.b = o["gamma2"] * self.b + (1 - o["gamma2"]) * nu * nu
        if nu == 0:
            return g
        mean, square = self.a / (1 - g1**self.n), self.b / (1 - o["gamma2"]**self.n)
        return g * (mean / (math.sqrt(square) + o["adam_epsilon"]) / nu)

    def direction(self, g):
        o = self.o
        self.t, self.n, self.n_moments = self.t + 1, self.n + 1, self.n_moments + 1
        s = self.scheduled()
        g = self.normed(g, o["gamma1"] * s)
        reset = o["interval"] > 0 and self.t % o["interval"] == 0
        if reset and o["counters"] == "shared":
            self.n = 1
        if reset and o["counters"] == "separate":
            self.m, self.v, self.n_moments = 0.0, 0.0, 1
        n = self.n if o["counters"] == "shared" else self.n_moments
        beta1, beta2 = o["adam_beta1"] * s, o["adam_beta2"]
        self.m = beta1 * self.m + (1 - beta1) * g
        self.v = beta2 * self.v + (1 - beta2) * g * g
        direction = self.m / (np.sqrt(self.v) / math.sqrt(1 - beta2**n) + o["adam_epsilon"]) / (1 - beta1**n)
        if reset and o["counters"] == "shared":
            self.m, self.v = 0.0, 0.0
        return direction


def make(weight, o):
    return StableSpam(o)
