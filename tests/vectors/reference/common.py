"""Parts that the references share: subspace, update rules, limiter, order of decay, loop.

The code is written only from the published formulas and shares none with src/. Everything is
computed in the number format of the given gradients: fp64 for the frozen numbers, fp32 to measure
the effect of rounding.

Notation: G is m x n (out x in). A basis B has `rank` columns; right: R = G B (m x r), back(R) = R
B^T; left: R = B^T G (r x n), back(R) = B R. Updates are counted from 1. A refresh happens on
updates 1, T + 1, 2T + 1, ... with the gradient of that update, which is then projected with the new
basis.
"""

import math

import numpy as np

import exact_8bit
from . import philox

SEED = 42
smallest_margin = [1.0]  # the smallest relative margin of all decisions on signs, ranks and orders; see decided()


def decided(margin):
    """Records how clear a decision was. A decision as close as rounding could go the other way on
    another machine.
    """
    smallest_margin[0] = min(smallest_margin[0], float(np.min(margin)))


def norm(x):
    return math.sqrt(float(np.sum(np.square(x, dtype=np.float64))))


def column_norms(x, left):
    """Returns one norm for each column, 1 x n, if left, and one for each row, m x 1, if right."""
    return np.sqrt(np.sum(np.square(x), axis=0 if left else 1, keepdims=True))


def align(new, old):
    """Gives the columns of `new` the signs of those they replace. In the first basis the largest
    entry becomes positive.
    """
    if old is None:
        high, low = new.max(axis=0), -new.min(axis=0)
        decided(np.abs(high - low) / np.maximum(high, low))
        return new * np.where(high >= low, 1, -1).astype(new.dtype)
    products = (new * old).sum(axis=0)
    decided(np.abs(products))
    return new * np.where(products < 0, -1, 1).astype(new.dtype)


def positive_qr(a):
    """Returns the Q of the QR decomposition in which R has a positive diagonal."""
    q, r = np.linalg.qr(a)
    return q * np.where(np.diag(r) < 0, -1, 1).astype(a.dtype)


class Subspace:
    """kind is svd, random (N(0, 1/r), not orthonormal), orthogonal (its QR factor), i3s or dct.
    turn = old^T new after a refresh.

    i3s (arXiv 2502.05790): singular vectors drawn without replacement, each time with probabilities
    proportional to their singular values, as a race of exponential times; in falling order.

    dct (arXiv 2505.17967): the columns of the orthogonal matrix Q[i][j] = c_i cos(pi i (2j + 1) /
    2n) with the largest l1 norms in H Q (H: G, left G^T). Columns that are chosen again keep their
    places; the others follow in rising order.
    """

    def __init__(self, shape, name, rank=4, gap=4, kind="svd", square_right=True):
        self.left = shape[0] < shape[1] or (shape[0] == shape[1] and not square_right)
        self.shape, self.name, self.rank, self.gap, self.kind = shape, name, min(rank, *shape), gap, kind
        self.basis, self.turn, self.done, self.chosen = None, None, 0, None

    def numbers(self, gradient, deviation):
        rows = self.shape[0 if self.left else 1]
        stream = (SEED, "refresh", self.name, self.done)
        return philox.normal((rows, self.rank), deviation, *stream).astype(gradient.dtype)

    def vectors(self, gradient):
        """Returns all singular vectors of the projected side, as columns, and the singular values.
        """
        u, s, vt = np.linalg.svd(gradient, full_matrices=False)
        return (u if self.left else vt.T), s

    def drawn(self, gradient):
        vectors, values = self.vectors(gradient)
        numbers = philox.normal((len(values), 2), 1, SEED, "refresh", self.name, self.done).astype(np.float64)
        arrival = (numbers**2).sum(axis=1) / 2 / values
        order = np.argsort(arrival)
        if self.rank < len(order):
            decided(arrival[order[self.rank]] / arrival[order[self.rank - 1]] - 1)
        return vectors[:, np.sort(order[: self.rank])]

    def columns(self, gradient):
        """Returns all columns of Q, and the places of the chosen ones."""
        h = gradient.T if self.left else gradient
        n = h.shape[1]
        i, j = np.arange(n)[:, None], np.arange(n)[None, :]
        q = np.sqrt(np.where(i == 0, 1, 2) / n) * np.cos(np.pi * i * (2 * j + 1) / (2 * n))
        sizes = np.abs(h @ q).sum(axis=0)
        order = np.argsort(-sizes, kind="stable")
        if self.rank < n:
            decided(1 - sizes[order[self.rank]] / sizes[order[self.rank - 1]])
        chosen = sorted(int(column) for column in order[: self.rank])
        old = self.chosen or [-1] * self.rank
        fresh = iter(column for column in chosen if column not in old)
        return q, [column if column in chosen else next(fresh) for column in old]

    def found(self, gradient, old):
        if self.kind == "i3s":
            return align(self.drawn(gradient), old)
        if self.kind == "dct":
            q, self.chosen = self.columns(gradient)
            return q[:, self.chosen].astype(gradient.dtype)
        if self.kind == "random":
            return self.numbers(gradient, 1 / math.sqrt(self.rank))
        if self.kind == "orthogonal":
            return align(positive_qr(self.numbers(gradient, 1)), old)
        return align(self.vectors(gradient)[0][:, : self.rank], old)

    def advance(self, gradient):
        """Counts an update, refreshes if a refresh is due, and returns whether it did."""
        due, self.turn = self.done % self.gap == 0, None
        if due:
            old, self.basis = self.basis, self.found(gradient, self.basis)
            self.turn = None if old is None else old.T @ self.basis
        self.done += 1
        return due

    def project(self, gradient):
        return self.basis.T @ gradient if self.left else gradient @ self.basis

    def back(self, low_rank):
        return self.basis @ low_rank if self.left else low_rank @ self.basis.T

    def turned(self, state, turn):
        return turn.T @ state if self.left else state @ turn


class AdamW:
    """raw() = M / (sqrt(V) + eps) without bias correction; correction = sqrt(1 - b2^t) / (1 -
    b1^t).

    before: eps is added to sqrt(V) before the bias correction (galore_torch). Otherwise it is the
    textbook's, which equals eps sqrt(1 - b2^t) at this place.
    """

    def __init__(self, beta1=0.9, beta2=0.999, eps=1e-8, before=False):
        self.beta1, self.beta2, self.eps, self.before = beta1, beta2, eps, before
        self.t, self.m, self.v, self.correction = 0, 0.0, 0.0, 1.0

    def raw(self, g):
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.v = self.beta2 * self.v + (1 - self.beta2) * g * g
        known2 = math.sqrt(1 - self.beta2**self.t)
        self.correction = known2 / (1 - self.beta1**self.t)
        return self.m / (np.sqrt(self.v) + self.eps * (1 if self.before else known2))

    def direction(self, g):
        raw = self.raw(g)
        return self.correction * raw

    def reset(self):
        """Sets the moments to zero; the count of updates goes on."""
        self.m, self.v = 0.0, 0.0

    def transport(self, subspace, turn):
        """Rotates the moments as LDAdam does: V with the squares of the rotation, on unbiased
        moments, as if coordinates were independent.
        """
        if self.t == 0:
            return
        known1, known2 = 1 - self.beta1**self.t, 1 - self.beta2**self.t
        variance = self.v / known2 - (self.m / known1) ** 2
        self.m = subspace.turned(self.m, turn)
        self.v = known2 * np.abs(subspace.turned(variance, turn**2) + (self.m / known1) ** 2)


class Adam8bit:
    """exact_8bit's Adam with block-wise 8-bit moments (textbook eps), always in fp32."""

    def __init__(self, shape, block_size=256, min_8bit_size=4096):
        self.adam = exact_8bit.Adam(shape, {"block_size": block_size, "min_8bit_size": min_8bit_size, "beta1": 0.9,
                                            "beta2": 0.999, "epsilon": 1e-8})

    def direction(self, g):
        return self.adam.direction(g)

    def raw(self, g):
        direction, t = self.direction(g), self.adam.step
        self.correction = math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        return direction / np.float32(self.correction)


class RmsProp:
    """RMSProp without bias correction: N = G / (sqrt(average of G^2) + eps)."""

    def __init__(self, beta=0.9, eps=1e-6):
        self.beta, self.eps, self.average, self.correction = beta, eps, 0.0, 1.0

    def raw(self, g):
        self.average = self.beta * self.average + (1 - self.beta) * g * g
        return g / (np.sqrt(self.average) + self.eps)

    direction = raw


class Adafactor:
    """Adafactor with a given learning rate, without first moment, and with directions clipped to a
    root mean square of 1 (clip=0: not clipped).
    """

    def __init__(self, clip=1.0):
        self.clip, self.correction = clip, 1.0
        self.t, self.row, self.column, self.square = 0, 0.0, 0.0, 0.0

    def raw(self, g):
        self.t += 1
        beta2 = 1 - self.t**-0.8
        u = g * g + 1e-30
        if g.ndim == 2:
            self.row = beta2 * self.row + (1 - beta2) * u.mean(axis=1, keepdims=True)
            self.column = beta2 * self.column + (1 - beta2) * u.mean(axis=0, keepdims=True)
            direction = g / np.sqrt(self.row / self.row.mean()) / np.sqrt(self.column)
        else:
            self.square = beta2 * self.square + (1 - beta2) * u
            direction = g / np.sqrt(self.square)
        return direction / max(1.0, self.clip * norm(direction) / math.sqrt(g.size))

    direction = raw


class Limiter:
    """Lets the norm grow by at most the factor gamma per step. A previous norm of 0 limits nothing.
    """

    def __init__(self, gamma=1.01):
        self.gamma, self.previous, self.factor = gamma, 0.0, 1.0

    def __call__(self, x):
        size, self.factor = norm(x), 1.0
        if self.gamma > 0 and self.previous > 0:
            self.factor = max(size / (self.previous + 1e-8), self.gamma) / self.gamma
        self.previous = size / self.factor
        return x / self.factor


def run(module, preset, options, weights, gradients, projected, rate, decay):
    """Returns the weights after every update, [{name: array}], from weights {name: array} and
    gradients [{name: array}].

    module.PRESETS[preset] holds the defaults. Its "decay" is the place of W *= 1 - rate decay:
    before or after the update. module.make(weight, options) returns an object with a function
    direction(G) that is called once per update; None lets the weight rest. An object with start and
    write holds the weight itself (group_codes.CodedWeight).
    """
    settings = {**module.PRESETS[preset], **options}
    weights, methods, after = dict(weights), {}, []
    for name, value in weights.items():
        methods[name] = module.make(Weight(name, value.shape, name in projected, list(weights)), settings)
        if hasattr(methods[name], "start"):
            weights[name] = methods[name].start(value)
    for gradient_of in gradients:
        for name, value in weights.items():
            direction = methods[name].direction(gradient_of[name])
            if direction is None:
                continue
            before, after_it = (1 - rate * decay if settings["decay"] == place else 1 for place in ("before", "after"))
            if hasattr(methods[name], "write"):
                weights[name] = methods[name].write(value, direction, rate, before, after_it)
            else:
                weights[name] = (value * before - rate * direction) * after_it
        after.append(dict(weights))
    return after


class Weight:
    """A weight. role: targeted, embedding, head, matrix (any other matrix) or vector."""

    def __init__(self, name, shape, targeted, all_names=()):
        self.name, self.shape, self.all_names = name, shape, all_names
        self.role = ("targeted" if targeted else "vector" if len(shape) == 1 else "embedding" if "embed" in name else
                     "head" if "lm_head" in name else "matrix")


def subspace_of(weight, o, **more):
    return Subspace(weight.shape, weight.name, o["rank"], o["update_proj_gap"], o["subspace"], **more)


def adamw_of(o):
    return AdamW(o["adam_beta1"], o["adam_beta2"], o["adam_epsilon"], o["before"])


# the settings of galore_torch's AdamW, and those of the textbook's
GALORE_ADAMW = {"adam_beta1": 0.9, "adam_beta2": 0.999, "adam_epsilon": 1e-6, "before": True}
PLAIN_ADAMW = {**GALORE_ADAMW, "adam_epsilon": 1e-8, "before": False}
BASIS = {"rank": 128, "update_proj_gap": 200, "subspace": "svd"}
