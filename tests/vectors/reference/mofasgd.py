"""MoFaSGD (Mahdavinia and Mahdavi 2025, arXiv 2507.08091): a momentum kept as U diag(sigma) V^T of rank r.

First update: U, sigma, V = the first r singular triples of G.  Later:
  [U, G V] = Q_U R_U,  [V, G^T U] = Q_V R_V   (reduced QR)
  core = R_U [[beta diag(sigma) - U^T G V, I], [I, 0]] R_V^T,  its first r singular triples S_U, sigma, S_V
  U <- Q_U S_U,  V <- Q_V S_V        (best rank r of beta U diag(sigma) V^T + G's part in U or V)
W *= 1 - eta wd;  W -= eta scale U V^T.  Signs cancel in U V^T. The other weights get AdamW.
"""

import numpy as np

from .common import PLAIN_ADAMW, adamw_of

PRESETS = {"mofasgd": {**PLAIN_ADAMW, "rank": 128, "momentum": 0.95, "scale": 1.0, "decay": "before"}}


class Mofasgd:
    def __init__(self, o, shape):
        self.o, self.rank, self.u, self.sigma, self.v = o, min(o["rank"], *shape), None, None, None

    def truncated(self, x):
        u, sigma, vt = np.linalg.svd(x, full_matrices=False)
        return u[:, : self.rank], sigma[: self.rank], vt[: self.rank].T

    def direction(self, g):
        if self.u is None:
            self.u, self.sigma, self.v = self.truncated(g)
        else:
            u, v, one = self.u, self.v, np.eye(self.rank, dtype=g.dtype)
            q_u, r_u = np.linalg.qr(np.hstack([u, g @ v]))
            q_v, r_v = np.linalg.qr(np.hstack([v, g.T @ u]))
            inner = self.o["momentum"] * np.diag(self.sigma) - u.T @ g @ v
            s_u, self.sigma, s_v = self.truncated(r_u @ np.block([[inner, one], [one, 0 * one]]) @ r_v.T)
            self.u, self.v = q_u @ s_u, q_v @ s_v
        return self.o["scale"] * self.u @ self.v.T


def make(weight, o):
    return Mofasgd(o, weight.shape) if weight.role == "targeted" else adamw_of(o)
