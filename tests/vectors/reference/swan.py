"""SWAN (Ma et al. 2024, arXiv 2412.13148), targeted matrices, no state.

1. G~: each row minus its mean, divided by its standard deviation (divisor n); a row without deviation becomes 0
2. O = (G~ G~^T)^-1/2 G~, approximately: Muon's Newton-Schulz iteration (reference/muon.py), ns_steps times, in fp32
3. O *= |G~|_F / |O|_F.   4. W *= 1 - eta wd;  W -= eta scale O.   The other weights get AdamW.
The paper names another Newton-Schulz iteration; Muon's whitens as far in five steps.
"""

import numpy as np

from .common import PLAIN_ADAMW, adamw_of, norm
from .muon import newton_schulz

PRESETS = {"swan": {**PLAIN_ADAMW, "ns_steps": 5, "scale": 1.0, "decay": "before"}}


class Swan:
    def __init__(self, o):
        self.o = o

    def direction(self, g):
        centred = g - g.mean(axis=1, keepdims=True)
        deviation = np.sqrt(np.mean(np.square(centred), axis=1, keepdims=True))
        normal = np.divide(centred, deviation, out=np.zeros_like(g), where=deviation > 0)
        white = newton_schulz(normal, self.o["ns_steps"])
        return self.o["scale"] * norm(normal) / norm(white) * white


def make(weight, o):
    return Swan(o) if weight.role == "targeted" else adamw_of(o)
