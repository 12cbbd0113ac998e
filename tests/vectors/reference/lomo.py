"""LOMO (Lv et al. 2023, arXiv 2306.09782): SGD, each weight in the backward pass.  W -= eta G.  Every tensor."""

PRESETS = {"lomo": {"decay": "before"}}


class Lomo:
    def direction(self, g):
        return g


def make(weight, o):
    return Lomo()
