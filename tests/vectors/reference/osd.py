"""Online Subspace Descent (Liang et al. 2024, arXiv 2408.12857): a basis that learns by Adam.

P (left: m x r; the right side is the same with G^T). First update: leading singular vectors, largest entries positive.
1. R = P^T G;  N as in galore_adamw;  W -= eta scale P N;  decay after.
2. From the second update on, after P was used (at the first update its loss is minimal, and Adam would follow rounding):
   g = G / |G|_F,  E = P P^T g - g,   loss = |E|^2 + lambda |P^T P - I|^2
   gradient of P = 2 (E g^T P + g E^T P) + 4 lambda P (P^T P - I)
   P -= osd_lr * Adam's direction of it: betas 0.9 and 0.999, textbook eps 1e-8, no weight decay, counting its own updates
P drifts from orthonormality, and nothing corrects it. The other weights get galore_adamw's AdamW.
"""

import numpy as np

from .common import GALORE_ADAMW, AdamW, Subspace, adamw_of, norm

PRESETS = {"osd_adamw": {**GALORE_ADAMW, "rank": 128, "scale": 0.25, "osd_lr": 0.005, "osd_lambda": 0.1, "decay": "after"}}


class Osd:
    def __init__(self, weight, o):
        self.o, self.rule, self.rule_of_basis = o, adamw_of(o), AdamW()
        self.space = Subspace(weight.shape, weight.name, o["rank"])

    def moved_basis(self, gradient):
        p, g = self.space.basis, (gradient if self.space.left else gradient.T) / norm(gradient)
        e = p @ (p.T @ g) - g
        slope = 2 * (e @ (g.T @ p) + g @ (e.T @ p))
        slope = slope + 4 * self.o["osd_lambda"] * p @ (p.T @ p - np.eye(p.shape[1], dtype=p.dtype))
        return p - self.o["osd_lr"] * self.rule_of_basis.direction(slope)

    def direction(self, g):
        first = self.space.basis is None
        if first:
            self.space.basis = self.space.found(g, None)
        direction = self.o["scale"] * self.space.back(self.rule.direction(self.space.project(g)))
        if not first:
            self.space.basis = self.moved_basis(g)
        return direction


def make(weight, o):
    return Osd(weight, o) if weight.role == "targeted" else adamw_of(o)
