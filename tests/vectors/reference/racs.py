"""RACS (Gong et al. 2025, arXiv 2502.07752, Algorithm 1 and eq. 16), targeted matrices.

1. Fixed point, from q = 1 (m ones), `iterations` times:  s = (G^2)^T q / |q|^2;  q = G^2 s / |s|^2   (squares elementwise)
2. s_t = beta s_{t-1} + (1 - beta) s,  q_t likewise; both start at zero, no bias correction
3. G~_ij = G_ij / sqrt(q_t,i s_t,j);  0 where q_t,i s_t,j = 0 (the gradient is 0 there)
4. norm-growth limiter; the first G~ passes.   5. W *= 1 - eta wd;  W -= eta scale G~
The other weights get AdamW. A gradient of zeros gives s = q = 0.
"""

import numpy as np

from .common import PLAIN_ADAMW, Limiter, adamw_of

PRESETS = {"racs": {**PLAIN_ADAMW, "racs_beta": 0.9, "iterations": 5, "scale": 0.05, "limiter": 1.01, "decay": "before"}}


class Racs:
    def __init__(self, o):
        self.o, self.s, self.q, self.limit = o, 0.0, 0.0, Limiter(o["limiter"])

    def direction(self, g):
        squares, q, s = g * g, np.ones_like(g[:, 0]), np.zeros_like(g[0])
        for _ in range(self.o["iterations"]):
            s = squares.T @ q / max(q @ q, 1e-300)
            q = squares @ s / max(s @ s, 1e-300)
        beta = self.o["racs_beta"]
        self.s = beta * self.s + (1 - beta) * s
        self.q = beta * self.q + (1 - beta) * q
        root = np.sqrt(self.q)[:, None] * np.sqrt(self.s)
        return self.o["scale"] * self.limit(np.divide(g, root, out=np.zeros_like(g), where=root > 0))


def make(weight, o):
    return Racs(o) if weight.role == "targeted" else adamw_of(o)
