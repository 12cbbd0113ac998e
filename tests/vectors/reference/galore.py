"""GaLore over AdamW (Zhao et al. 2024, arXiv 2403.03507) in bases that galore_torch does not have: see common.Subspace.

R = project(G);  W -= eta scale back(N), N = AdamW(R) with eps before the bias correction;  decay after.
moment_transport: M and V move into the new coordinates before the update's gradient is seen (common.AdamW.transport).
The other weights get the same AdamW.
"""

from . import golore
from .common import BASIS, GALORE_ADAMW

PRESETS = {"galore_adamw": {**BASIS, **GALORE_ADAMW, "moment_transport": False, "scale": 0.25, "decay": "after"}}

make = golore.make
