"""The optimizers, one class each, and functions that choose one by name."""

from galore_cpp.optim._optimizer import GaloreOptimizer, Params, UpdateReport
from galore_cpp.optim._presets import *  # noqa: F403
from galore_cpp.optim._presets import CLASSES
from galore_cpp.optim._plan import plan
from galore_cpp.optim._products import project_gradients
from galore_cpp.optim._spec import from_name, from_spec

__all__ = ["CLASSES", "GaloreOptimizer", "Params", "UpdateReport", "from_name", "from_spec", "plan",
           "project_gradients"] + [kind.__name__ for kind in dict.fromkeys(CLASSES.values())]
