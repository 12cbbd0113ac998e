"""COAP (Xiao et al. 2024, arXiv 2412.00071), in the order of the authors' code; moments keep their coordinates.

The formulas are for the right side, P n x r; differences for the left side are noted. m x n = shape of G.
First update: the singular vectors of G.
On updates T + 1, 2 T + 1, ... (u = updates done, a multiple of T), before the gradient is projected:
1. u a multiple of T * reproject_factor: Y = G P (left: G^T P);  Q = orthonormal factor of Y;  P = right singular vectors of
   Q^T G (left: of Q^T G^T), signs aligned with the old P.
2. otherwise one step of gradient descent:  P -= coap_rate * slope * min(1, 1 / (|slope| + 1e-6)), of the loss  A B,
   A = mean (G P P^T - G)^2   (left: P P^T G - G)
   B = 1 - mean over rows i of cos(X_i, G_i),  X = M P^T  (left: P M), M the first moment;  both norms at least 1e-8
3. R = G P;  N as in galore_adamw;  W -= eta scale N P^T;  decay after.
Defaults: T 32, reproject_factor 5, coap_rate 0.1, scale 1. The other weights get galore_adamw's AdamW.
"""

import numpy as np

from .common import GALORE_ADAMW, Subspace, adamw_of, align, norm

PRESETS = {"coap_adamw": {**GALORE_ADAMW, "rank": 128, "update_proj_gap": 32, "reproject_factor": 5, "coap_rate": 0.1,
                          "scale": 1.0, "decay": "after"}}


class CoapSubspace(Subspace):
    def __init__(self, weight, o, rule):
        super().__init__(weight.shape, weight.name, o["rank"], o["update_proj_gap"])
        self.rule, self.factor, self.rate = rule, o["reproject_factor"], o["coap_rate"]

    def slope(self, g, p):
        h = g if self.left else g.T  # P multiplies h from the left
        error = p @ (p.T @ h) - h
        loss = np.mean(np.square(error))
        slope_of_loss = 2 / g.size * (error @ (h.T @ p) + h @ (error.T @ p))
        x = self.back(self.rule.m)
        size_x = np.maximum(np.sqrt(np.sum(x * x, axis=1, keepdims=True)), 1e-8)
        size_g = np.maximum(np.sqrt(np.sum(g * g, axis=1, keepdims=True)), 1e-8)
        cosine = np.sum(x * g, axis=1, keepdims=True) / (size_x * size_g)
        of_x = (g / (size_x * size_g) - cosine * x / size_x**2) / len(g)  # slope of the mean cosine
        slope_of_cosine = of_x @ self.rule.m.T if self.left else of_x.T @ self.rule.m
        return slope_of_loss * (1 - cosine.mean()) - loss * slope_of_cosine

    def found(self, g, old):
        if old is None:
            return super().found(g, None)
        if self.done % (self.gap * self.factor) == 0:
            h = g.T if self.left else g
            q = np.linalg.qr(h @ old)[0]
            return align(np.linalg.svd(q.T @ h, full_matrices=False)[2].T, old)
        slope = self.slope(g, old)
        return old - self.rate * min(1.0, 1 / (norm(slope) + 1e-6)) * slope


class Coap:
    def __init__(self, weight, o):
        self.o, self.rule = o, adamw_of(o)
        self.subspace = CoapSubspace(weight, o, self.rule)

    def direction(self, g):
        self.subspace.advance(g)
        return self.o["scale"] * self.subspace.back(self.rule.direction(self.subspace.project(g)))


def make(weight, o):
    return Coap(weight, o) if weight.role == "targeted" else adamw_of(o)
