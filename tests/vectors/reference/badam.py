"""BAdam (Luo et al. 2024, arXiv 2404.02827): one decoder layer at a time.

Layer number of a weight: the number after "layers." in its name, of L layers. At update t the layer with number
((t - 1) / switch_every, rounded down) mod L is trained, all its tensors, by AdamW. Its moments and count of updates start from
zero each time that the layer's turn begins (with one layer, every switch_every updates). The other layers rest: they are
neither moved nor decayed. Weights of no layer (embedding, last norm, head) get AdamW in every update. W *= 1 - eta wd before
the update.
"""

import re

from .common import PLAIN_ADAMW, adamw_of

PRESETS = {"badam": {**PLAIN_ADAMW, "switch_every": 100, "decay": "before"}}


def layer_of(name):
    found = re.search(r"layers\.(\d+)\.", name)
    return int(found[1]) if found else None


class Badam:
    def __init__(self, weight, o):
        self.o, self.layer, self.t, self.rule = o, layer_of(weight.name), 0, None
        self.layers = len({layer_of(n) for n in weight.all_names} - {None})

    def direction(self, g):
        turn, begun = divmod(self.t, self.o["switch_every"])
        self.t += 1
        if turn % self.layers != self.layer:
            return None
        if begun == 0:
            self.rule = adamw_of(self.o)
        return self.rule.direction(g)


def make(weight, o):
    return adamw_of(o) if layer_of(weight.name) is None else Badam(weight, o)
