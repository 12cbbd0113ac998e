"""Natural GaLore (2024, arXiv 2410.16029): GaLore with the low-rank gradient multiplied by an inverse Fisher matrix.

R = project(G), g = R flattened;  H = the last `history` such g, this one included, as columns
z solves (I + H^T H / damping) z = H^T g;   g~ = g / damping - H z / damping^2 = (damping I + H H^T)^-1 g
Adam as in galore_adamw on g~;  W -= eta scale back(N);  decay after. At a refresh history and moments stay as they are, in
their coordinates. The other weights get galore_adamw's AdamW.
"""

import numpy as np

from .common import BASIS, GALORE_ADAMW, adamw_of, subspace_of

PRESETS = {"natural_galore_adamw": {**BASIS, **GALORE_ADAMW, "scale": 0.25, "history": 20, "damping": 1e-3, "decay": "after"}}


class NaturalGalore:
    def __init__(self, weight, o):
        self.o, self.subspace, self.rule, self.kept = o, subspace_of(weight, o), adamw_of(o), []

    def direction(self, g):
        self.subspace.advance(g)
        r, damping = self.subspace.project(g), self.o["damping"]
        self.kept = (self.kept + [r.reshape(-1)])[-self.o["history"]:]
        h = np.stack(self.kept, axis=1)
        z = np.linalg.solve(np.eye(h.shape[1], dtype=h.dtype) + h.T @ h / damping, h.T @ r.reshape(-1))
        natural = (r.reshape(-1) / damping - h @ z / damping**2).reshape(r.shape)
        return self.o["scale"] * self.subspace.back(self.rule.direction(natural))


def make(weight, o):
    return NaturalGalore(weight, o) if weight.role == "targeted" else adamw_of(o)
