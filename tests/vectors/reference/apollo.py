"""APOLLO and APOLLO-Mini (Zhu et al. 2024, arXiv 2412.05270), in the order of the authors' code.

1. R = G P or P^T G; P random N(0, 1/r), not orthonormal, drawn anew at each refresh (proj=random), or singular vectors
   (proj=svd). Moments are kept across refreshes.
2. N = M / (sqrt(V) + eps), without bias correction.
3. s_j = |N_j| / (|R_j| + 1e-8): one for each row of a right-projected matrix, each column of a left-projected one
   (channel), or one of Frobenius norms (tensor).  U = G s.
4. U *= sqrt(scale) before the limiter (scale_front) or after it. disable_nl passes U without limit.
5. W -= eta c U; decay after.
"""

import math

from .common import BASIS, GALORE_ADAMW, Limiter, adamw_of, column_norms, norm, subspace_of

OWN = {**BASIS, **GALORE_ADAMW, "proj": "random", "scale": 1.0, "scale_type": "channel", "scale_front": False,
       "disable_nl": False, "limiter": 1.01, "decay": "after"}
PRESETS = {"apollo_adamw": OWN, "apollo_mini": {**OWN, "rank": 1, "scale_type": "tensor", "scale": 128.0}}


class Apollo:
    def __init__(self, weight, o, corrected=False):
        """corrected: N includes the bias correction, so that the limiter sees c (Q-APOLLO)."""
        self.o, self.rule, self.corrected = o, adamw_of(o), corrected
        self.subspace = subspace_of(weight, {**o, "subspace": "random" if o["proj"] == "random" else o["subspace"]})
        self.limit = Limiter(0 if o["disable_nl"] else o["limiter"])

    def direction(self, g):
        s, o = self.subspace, self.o
        s.advance(g)
        r = s.project(g)
        n, rest = self.rule.raw(r), self.rule.correction
        if self.corrected:
            n, rest = rest * n, 1.0
        if o["scale_type"] == "channel":
            u = g * (column_norms(n, s.left) / (column_norms(r, s.left) + 1e-8))
        else:
            u = g * (norm(n) / (norm(r) + 1e-8))
        scale = math.sqrt(o["scale"])
        u = self.limit(u * scale) if o["scale_front"] else self.limit(u) * scale
        return rest * u


def make(weight, o):
    return Apollo(weight, o) if weight.role == "targeted" else adamw_of(o)
