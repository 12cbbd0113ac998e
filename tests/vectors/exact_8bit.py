"""AdamW with block-wise dynamic 8-bit moments, plain and inside GaLore.

It uses numpy, with every step in fp32 and one rule for each element.

It is written only from the published formulas (Dettmers et al. 2022, arXiv 2110.02861, and the CUDA
kernel of bitsandbytes; Zhao et al. 2024, arXiv 2403.03507, Algorithm 2) as an independent
reference, and shares no code with src/.

For each block of a moment, with codes c1, c2 and the block's largest magnitudes a1, a2 (all 0 at
first):
  m = b1 Q1[c1] a1 + (1 - b1) g          v = b2 Q2[c2] a2 + (1 - b2) g^2
  direction = corr2 / corr1 * m / (sqrt(v) + corr2 eps),   corr1 = 1 - b1^t, corr2 = sqrt(1 - b2^t)
  a1 = max |m|, a2 = max |v|;  c1 = nearest(Q1, m / a1), c2 = nearest(Q2, v / a2); a code of the
  other sign moves by one
The factors of beta and t are computed in fp64 and rounded once. (The CUDA kernel's own 1.0f - beta2
has a relative error of 1.3e-5, less than any code.) The direction uses the moments before they are
rounded. Decay comes last, on the updated weight: W -= eta wd W.
"""

import numpy as np

F = np.float32


def dynamic_code_book(signed):
    """Returns 256 sorted values: for i = 0..6, the midpoints of k_i equal parts of [0.1, 1], times
    10^(i-6); 0; 1.
    """
    values = []
    for i in range(7):
        edges = np.linspace(0.1, 1.0, (2**i if signed else 2 ** (i + 1)) + 1)
        middle = (edges[:-1] + edges[1:]) / 2 * 10.0 ** (i - 6)
        values += list(middle) + (list(-middle) if signed else [])
    book = np.array(sorted(values + [0.0, 1.0]), dtype=F)
    assert len(book) == 256 and len(set(book)) == 256
    return book


SIGNED, UNSIGNED = dynamic_code_book(True), dynamic_code_book(False)
assert np.allclose(SIGNED[[0, 127, 128, 129, 254]], [-0.99296875, 0, 5.5e-7, 3.25e-6, 0.99296875], rtol=1e-6)
assert np.allclose(UNSIGNED[[0, 1, 2, 3, 254]], [0, 3.25e-7, 7.75e-7, 2.125e-6, 0.996484375], rtol=1e-6)


class Moment8:
    """One moment in codes, cut into blocks over its flat row-major elements."""

    def __init__(self, size, block_size, signed):
        self.book = SIGNED if signed else UNSIGNED
        self.signed = signed
        self.starts = np.arange(0, size, block_size)
        self.block_of = np.arange(size) // block_size
        self.codes = np.zeros(size, dtype=np.int64)
        self.scales = np.zeros(len(self.starts), dtype=F)

    def read(self):
        return self.book[self.codes] * self.scales[self.block_of]

    def write(self, value):
        self.scales = np.maximum.reduceat(np.abs(value), self.starts)
        scale = self.scales[self.block_of]
        relative = np.divide(value, scale, out=np.zeros_like(value), where=scale > 0)
        midpoints = (self.book[:-1] + self.book[1:]) * F(0.5)
        self.codes = np.searchsorted(midpoints, relative, side="left")
        if self.signed:
            other_sign = np.signbit(self.book[self.codes]) != np.signbit(value)
            self.codes += np.where(other_sign, np.where(value > 0, 1, -1), 0)


class Moment32:
    def __init__(self, size):
        self.value = np.zeros(size, dtype=F)

    def read(self):
        return self.value

    def write(self, value):
        self.value = value


class Adam:
    """Computes the direction of one tensor. Moments below min_8bit_size elements stay in fp32."""

    def __init__(self, shape, options):
        size = int(np.prod(shape))
        if size < options["min_8bit_size"]:
            self.first, self.second = Moment32(size), Moment32(size)
        else:
            self.first = Moment8(size, options["block_size"], signed=True)
            self.second = Moment8(size, options["block_size"], signed=False)
        self.beta1, self.beta2, self.epsilon = options["beta1"], options["beta2"], F(options["epsilon"])
        self.step = 0

    def direction(self, gradient):
        self.step += 1
        g = np.ascontiguousarray(gradient, dtype=F).reshape(-1)
        m = F(self.beta1) * self.first.read() + F(1 - self.beta1) * g
        v = F(self.beta2) * self.second.read() + F(1 - self.beta2) * g * g
        corr1 = F(1 - self.beta1**self.step)
        corr2 = F((1 - self.beta2**self.step) ** 0.5)
        direction = corr2 / corr1 * (m / (np.sqrt(v) + corr2 * self.epsilon))
        self.first.write(m)
        self.second.write(v)
        assert direction.dtype == F
        return direction.reshape(gradient.shape)


def align(new, old):
    """Gives each column of `new` the sign of the column of `old`; the first time, the largest entry
    becomes positive.
    """
    if old is None:
        signs = np.sign(new[np.abs(new).argmax(axis=0), np.arange(new.shape[1])])
    else:
        signs = np.sign((new * old).sum(axis=0))
    return new * np.where(signs == 0, F(1), signs).astype(F)


class Subspace:
    """GaLore's projection of one matrix by exact SVD; `basis` has orthonormal columns."""

    def __init__(self, shape, options):
        tall = shape[0] >= shape[1]
        kind = options["proj_type"]
        self.right = {"std": tall, "reverse_std": not tall, "right": True, "left": False}[kind]
        self.rank, self.basis = options["rank"], None

    def refresh(self, gradient):
        u, _, vt = np.linalg.svd(gradient, full_matrices=False)
        vectors = (vt.T if self.right else u)[:, : self.rank]
        self.basis = align(vectors, self.basis)

    def project(self, gradient):
        return gradient @ self.basis if self.right else self.basis.T @ gradient

    def lift(self, low_rank):
        return low_rank @ self.basis.T if self.right else self.basis @ low_rank


def run(weights, gradients, projected, options):
    """Returns the weights after every step, [{name: array}], from weights {name: array} and
    gradients [{name: array}].
    """
    rate, decay = F(options["learning_rate"]), F(options["weight_decay"])
    weights = {name: value.astype(F) for name, value in weights.items()}
    subspaces = {name: Subspace(weights[name].shape, options) for name in projected}
    rules, after = {}, []
    for step, gradient_of in enumerate(gradients):
        for name in weights:
            gradient = gradient_of[name].astype(F)
            subspace = subspaces.get(name)
            if subspace:
                if step % options["update_proj_gap"] == 0:
                    subspace.refresh(gradient)
                gradient = subspace.project(gradient)
            rule = rules.setdefault(name, None) or Adam(gradient.shape, options)
            rules[name] = rule
            update = rate * rule.direction(gradient)
            if subspace:
                update = F(options["scale"]) * subspace.lift(update)
            weight = weights[name] - update
            weights[name] = weight - rate * decay * weight if decay > 0 else weight
        after.append(dict(weights))
    return after
