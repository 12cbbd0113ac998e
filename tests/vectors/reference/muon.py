"""Muon (Jordan et al. 2024, github.com/KellerJordan/Muon; torch.optim.Muon).

m = mu m + (1 - mu) G;  u = (1 - mu) G + mu m (nesterov) or m
X = u / (|u|_F + 1e-7), transposed if it has more rows than columns; ns_steps times
  A = X X^T;  B = b A + c A A;  X = a X + B X,   (a, b, c) = (3.4445, -4.7750, 2.0315)
W -= eta scale sqrt(max(1, rows / columns)) X;  W *= 1 - eta wd before it.
ns_dtype=bfloat16: X at the start, and each A, B and X as a whole (one rounding for each of the three lines, sums in fp32), are
rounded to bfloat16, to nearest even. m, u and the update are fp32.
The other weights get AdamW with betas 0.9 and 0.95, the textbook's eps 1e-10.
"""

import math

import numpy as np

from .common import PLAIN_ADAMW, adamw_of, norm

PRESETS = {"muon": {**PLAIN_ADAMW, "adam_beta2": 0.95, "adam_epsilon": 1e-10, "momentum": 0.95, "nesterov": True,
                    "ns_steps": 5, "ns_dtype": "bfloat16", "scale": 1.0, "decay": "before"}}
A, B, C = 3.4445, -4.7750, 2.0315


def bfloat16(x):
    bits = x.astype(np.float32).view(np.uint32)
    rounded = (bits + (np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)))) & np.uint32(0xFFFF0000)
    return rounded.view(np.float32).astype(x.dtype)


def newton_schulz(u, steps, dtype="float32"):
    rounded = bfloat16 if dtype == "bfloat16" else lambda x: x
    x = rounded(u / (norm(u) + 1e-7))
    x = np.ascontiguousarray(x.T) if u.shape[0] > u.shape[1] else x
    for _ in range(steps):
        gram = rounded(x @ x.T)
        x = rounded(A * x + rounded(B * gram + C * (gram @ gram)) @ x)
    return x.T if u.shape[0] > u.shape[1] else x


class Muon:
    def __init__(self, o):
        self.o, self.m = o, 0.0

    def direction(self, g):
        o, mu = self.o, self.o["momentum"]
        self.m = mu * self.m + (1 - mu) * g
        u = (1 - mu) * g + mu * self.m if o["nesterov"] else self.m
        factor = math.sqrt(max(1.0, g.shape[0] / g.shape[1]))
        return o["scale"] * factor * newton_schulz(u, o["ns_steps"], o["ns_dtype"])


def make(weight, o):
    return Muon(o) if weight.role == "targeted" else adamw_of(o)
