"""Adam-mini (Zhang et al. 2024, arXiv 2406.16793): one second moment for each output row.

m = b1 m + (1 - b1) G;  v_i = b2 v_i + (1 - b2) mean_j G_ij^2;  W *= 1 - eta wd
W_i -= eta [m_i / (1 - b1^t)] / (sqrt(v_i / (1 - b2^t)) + eps)
This holds for every matrix but embedding and head. These and tensors of one dimension get AdamW.
"""

import math

import numpy as np

from .common import PLAIN_ADAMW, adamw_of

PRESETS = {"adam_mini": {**PLAIN_ADAMW, "decay": "before"}}


class AdamMini:
    def __init__(self, o):
        self.o, self.t, self.m, self.v = o, 0, 0.0, 0.0

    def direction(self, g):
        beta1, beta2 = self.o["adam_beta1"], self.o["adam_beta2"]
        self.t += 1
        self.m = beta1 * self.m + (1 - beta1) * g
        self.v = beta2 * self.v + (1 - beta2) * np.mean(np.square(g), axis=1, keepdims=True)
        root = np.sqrt(self.v) / math.sqrt(1 - beta2**self.t) + self.o["adam_epsilon"]
        return self.m / (1 - beta1**self.t) / root


def make(weight, o):
    return AdamMini(o) if weight.role in ("targeted", "matrix") else adamw_of(o)
