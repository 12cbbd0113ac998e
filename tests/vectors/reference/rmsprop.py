"""RMSProp (Tieleman and Hinton 2012) with torch's defaults: no bias correction, nothing centered. Every tensor.

V = beta V + (1 - beta) G^2;  W *= 1 - eta wd;  W -= eta G / (sqrt(V) + eps)
"""

from .common import RmsProp

PRESETS = {"rmsprop": {"rms_beta": 0.99, "rms_epsilon": 1e-8, "decay": "before"}}


def make(weight, o):
    return RmsProp(o["rms_beta"], o["rms_epsilon"])
