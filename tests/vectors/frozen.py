"""What both makers of frozen vectors share: how factors drift, and how near recomputed weights come."""

import numpy as np


def turned(factor, random, angle):
    """An orthogonal factor whose columns have moved by about `angle` (radians)."""
    return np.linalg.qr(factor + angle * random.standard_normal(factor.shape) / np.sqrt(factor.shape[0]))[0]


def share_of_tolerance(frozen, errors):
    """The largest over steps and weights, printed with the last step's error. errors: {step: {name: relative error}}"""
    share = max(error / frozen["tolerance"][str(step)][name]
                for step, by_name in errors.items() for name, error in by_name.items())
    print(f"{frozen['name']:48s} error {max(errors[frozen['steps'][-1]].values()):.1e}  of the tolerance {share:.3f}")
    return share
