"""The optimizers, one class each, and functions that choose one by name."""

from galore_cpp import _library
from galore_cpp.optim._optimizer import GaloreOptimizer as GaloreOptimizer
from galore_cpp.optim._optimizer import Params as Params
from galore_cpp.optim._optimizer import UpdateReport as UpdateReport
from galore_cpp.optim._plan import Plan as Plan
from galore_cpp.optim._plan import plan as plan
from galore_cpp.optim._presets import *  # noqa: F403
from galore_cpp.optim._presets import CLASSES as CLASSES
from galore_cpp.optim._products import project_gradients as project_gradients
from galore_cpp.optim._spec import from_name as from_name
from galore_cpp.optim._spec import from_spec as from_spec

_library.load()
