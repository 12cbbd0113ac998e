"""Helpers of both scripts that make frozen vectors."""

import numpy as np


def turned(factor, random, angle):
    """Returns an orthogonal factor with columns that have moved by about `angle` (radians)."""
    return np.linalg.qr(factor + angle * random.standard_normal(factor.shape) / np.sqrt(factor.shape[0]))[0]


def share_of_tolerance(frozen, weights, expected, after, displacement_error):
    """Returns the largest share over steps and weights, and prints it with the last step's error.
    expected: the frozen file; after: {step: weights}
    """
    share = 0
    for step in frozen["steps"]:
        error = displacement_error(weights, {n: expected[f"weights/{step}/{n}"] for n in weights}, after[step])
        share = max(share, *(error[n] / frozen["tolerance"][str(step)][n] for n in weights))
    print(f"{frozen['name']:48s} error {max(error.values()):.1e}  of the tolerance {share:.3f}")
    return share
