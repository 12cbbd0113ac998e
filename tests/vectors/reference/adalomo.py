"""AdaLomo (Lv et al. 2023, arXiv 2310.10195): Adafactor's factored second moment, without first moment.

beta2_t = 1 - t^-0.8;  row and column means of G^2 + 1e-30;  U = G / sqrt(row column / mean(row));  U /= max(1, RMS(U))
W *= 1 - eta wd;  W -= eta U.   Departure: eta is not multiplied by the root mean square of the weight. Every tensor.
"""

from .common import Adafactor

PRESETS = {"adalomo": {"decay": "before"}}


def make(weight, o):
    return Adafactor()
