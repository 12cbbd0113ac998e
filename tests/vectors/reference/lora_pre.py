"""LoRA-Pre (Wang et al. 2026, arXiv 2602.24283): both moments of Adam as products of thin matrices, targeted matrices.

sqrt(b1) = 1 - g1, b2^(1/4) = 1 - g2.  B m x r, A r x n for the first moment of G; C, D likewise for |G|.
From the second update on, all from the factors of the update before:
  B <- (1 - g1) B + g1 G A^T (A A^T)^-1     A <- (1 - g1) A + g1 (B^T B)^-1 B^T G      (C, D with g2 and |G|)
m = b1 B A + (1 - b1) G;   v = b2 (C D)^2 + (1 - b2) G^2   (squares elementwise); at the first update B A = C D = 0
W = (1 - eta wd) W - eta [m / (1 - b1^t)] / (sqrt(v / (1 - b2^t)) + eps)
After the first update: B = X sqrt(S), A = sqrt(S) Y^T of (1 - b1) G = X S Y^T, the first r triples; C and D of
sqrt(1 - b2) |G|, so that m and v continue as averages would (the paper's start is not known). Every Gram matrix K that is
inverted gets 1e-6 trace(K) / r added to its diagonal. The other weights get AdamW.
"""

import math

import numpy as np

from .common import PLAIN_ADAMW, adamw_of

PRESETS = {"lora_pre": {**PLAIN_ADAMW, "rank": 128, "decay": "before"}}


class Product:
    """The product B A, which follows an average of matrices."""

    def __init__(self, rank, rate):
        self.rank, self.rate, self.left, self.right = rank, rate, None, None

    def start(self, x):
        u, s, vt = np.linalg.svd(x, full_matrices=False)
        root = np.sqrt(s[: self.rank])
        self.left, self.right = u[:, : self.rank] * root, root[:, None] * vt[: self.rank]

    def solve(self, gram, x):
        return np.linalg.solve(gram + 1e-6 * np.trace(gram) / len(gram) * np.eye(len(gram), dtype=gram.dtype), x)

    def follow(self, x):
        b, a, rate = self.left, self.right, self.rate
        self.left = (1 - rate) * b + rate * self.solve(a @ a.T, a @ x.T).T
        self.right = (1 - rate) * a + rate * self.solve(b.T @ b, b.T @ x)

    def value(self):
        return self.left @ self.right


class LoraPre:
    def __init__(self, o, shape):
        self.o, self.t, rank = o, 0, min(o["rank"], *shape)
        self.first = Product(rank, 1 - math.sqrt(o["adam_beta1"]))
        self.second = Product(rank, 1 - o["adam_beta2"] ** 0.25)

    def direction(self, g):
        beta1, beta2 = self.o["adam_beta1"], self.o["adam_beta2"]
        self.t += 1
        m, v = (1 - beta1) * g, (1 - beta2) * g * g
        if self.t == 1:
            self.first.start((1 - beta1) * g)
            self.second.start(math.sqrt(1 - beta2) * np.abs(g))
        else:
            self.first.follow(g)
            self.second.follow(np.abs(g))
            m, v = m + beta1 * self.first.value(), v + beta2 * np.square(self.second.value())
        return m / (1 - beta1**self.t) / (np.sqrt(v) / math.sqrt(1 - beta2**self.t) + self.o["adam_epsilon"])


def make(weight, o):
    return LoraPre(o, weight.shape) if weight.role == "targeted" else adamw_of(o)
