"""GaLore (Zhao et al. 2024, arXiv 2403.03507) over SGD: B = momentum B + project(G);  W -= eta scale back(B).

The average keeps its coordinates at a refresh. The other weights: B = momentum B + G, W -= eta B.
"""

from .common import BASIS, subspace_of

PRESETS = {"galore_sgd": {**BASIS, "scale": 0.25, "momentum": 0.0, "decay": "before"}}


class Sgd:
    def __init__(self, momentum):
        self.momentum, self.average = momentum, 0.0

    def direction(self, g):
        self.average = self.momentum * self.average + g
        return self.average


class GaloreSgd:
    def __init__(self, weight, o):
        self.scale, self.subspace, self.rule = o["scale"], subspace_of(weight, o), Sgd(o["momentum"])

    def direction(self, g):
        self.subspace.advance(g)
        return self.scale * self.subspace.back(self.rule.direction(self.subspace.project(g)))


def make(weight, o):
    return GaloreSgd(weight, o) if weight.role == "targeted" else Sgd(o["momentum"])
