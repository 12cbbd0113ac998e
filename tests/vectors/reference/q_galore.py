"""Q-GaLore (Zhang et al. 2024, arXiv 2407.08296) and Q-APOLLO (Zhu et al. 2024, arXiv 2412.05270): weights in 8-bit codes.

Targeted matrices are stored in codes (group_codes.py). At the start they are coded to nearest. Each update decodes, moves
in fp32, decays after that, and codes again, at random (stochastic_round) or to nearest.

q_galore_adamw_8bit: GaLore over 8-bit Adam (textbook eps), W -= eta scale back(N). At a refresh signs of the singular vectors
are aligned with the basis as it was kept, then it is kept in proj_bits: groups of proj_group_size over the vectors of a right
basis one after the other, over the rows of a left basis (elements of all vectors).
Lazy: gap = update_proj_gap at first; at every refresh but the first, |cos| of the new and the last first singular vector
(neither coded) enters a queue of queue_size; if it is full and its mean is at least cos_threshold, gap = int(gamma_proj gap).
A refresh is due when updates done mod gap = 0.

q_apollo_adamw, q_apollo_mini: APOLLO as in apollo.py, but with the bias correction inside N, so before the limiter.
"""

import numpy as np

from .common import BASIS, Adam8bit, Subspace, adamw_of, align
from . import apollo
from .group_codes import CodedWeight, coded

CODES = {"weight_group_size": 256, "stochastic_round": True}
APOLLO = {**CODES, "weight_group_size": 128}
PRESETS = {
    "q_galore_adamw_8bit": {**BASIS, **CODES, "scale": 0.25, "proj_bits": 4, "proj_group_size": 256, "cos_threshold": 0.4,
                            "gamma_proj": 2, "queue_size": 5, "decay": "after"},
    "q_apollo_adamw": {**apollo.PRESETS["apollo_adamw"], **APOLLO},
    "q_apollo_mini": {**apollo.PRESETS["apollo_mini"], **APOLLO},
}


class LazySubspace(Subspace):
    def __init__(self, weight, o):
        super().__init__(weight.shape, weight.name, o["rank"], o["update_proj_gap"])
        self.o, self.last, self.cosines = o, None, []

    def found(self, gradient, old):
        basis, o = align(self.vectors(gradient)[0][:, : self.rank], old), self.o
        if self.last is not None:
            self.cosines = (self.cosines + [abs(float(self.last @ basis[:, 0]))])[-o["queue_size"]:]
            if len(self.cosines) == o["queue_size"] and np.mean(self.cosines) >= o["cos_threshold"]:
                self.gap = int(o["gamma_proj"] * self.gap)
        self.last = basis[:, 0]
        if o["proj_bits"] == 16:
            return basis
        kept = coded(basis if self.left else basis.T, o["proj_bits"], o["proj_group_size"], computed=True)
        kept = kept.astype(gradient.dtype)
        return kept if self.left else kept.T


class QGalore(CodedWeight):
    def __init__(self, weight, o):
        super().__init__(weight.name, o["weight_group_size"], o["stochastic_round"])
        self.scale, self.subspace = o["scale"], LazySubspace(weight, o)
        rank = self.subspace.rank
        self.rule = Adam8bit((rank, weight.shape[1]) if self.subspace.left else (weight.shape[0], rank))

    def direction(self, g):
        self.subspace.advance(g)
        return self.scale * self.subspace.back(self.rule.direction(self.subspace.project(g)))


class QApollo(CodedWeight):
    def __init__(self, weight, o):
        super().__init__(weight.name, o["weight_group_size"], o["stochastic_round"])
        self.direction = apollo.Apollo(weight, o, corrected=True).direction


def make(weight, o):
    if weight.role != "targeted":
        return Adam8bit(weight.shape) if "proj_bits" in o else adamw_of(o)
    return QGalore(weight, o) if "proj_bits" in o else QApollo(weight, o)
