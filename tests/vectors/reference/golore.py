"""GoLore (He et al. 2024, arXiv 2410.11289): GaLore in subspaces drawn at random from the Stiefel manifold.

1. At a refresh: B = Q of the QR decomposition (R with a positive diagonal) of normal numbers, then signs aligned with the
   old basis as for singular vectors (without effect when moments move).  moment_transport: M and V move into the new
   coordinates as in LDAdam (common.AdamW.transport), before the update's gradient is seen.
2. R = project(G);  Adam as in galore_adamw;  W -= eta scale back(N);  decay after.
subspace=svd: the same with singular vectors. The other weights get galore_adamw's AdamW.
"""

from .common import BASIS, GALORE_ADAMW, adamw_of, subspace_of

PRESETS = {"golore_adamw": {**BASIS, **GALORE_ADAMW, "subspace": "orthogonal", "moment_transport": True, "scale": 0.25,
                            "decay": "after"}}


class Golore:
    def __init__(self, weight, o):
        self.o, self.subspace, self.rule = o, subspace_of(weight, o), adamw_of(o)

    def direction(self, g):
        self.subspace.advance(g)
        if self.o["moment_transport"] and self.subspace.turn is not None:
            self.rule.transport(self.subspace, self.subspace.turn)
        return self.o["scale"] * self.subspace.back(self.rule.direction(self.subspace.project(g)))


def make(weight, o):
    return Golore(weight, o) if weight.role == "targeted" else adamw_of(o)
