#!/usr/bin/env python3
"""Times one optimizer step at the shapes of a 60m LLaMA, for galore and for Python packages.

    scripts/bench-peers --optimizers [--only NAME ...] [--rounds 1] [--no-shares] [--no-peers]
                                     [--ours OPTIONS] [--out FILE]

step    compares every preset that has a peer: `galore bench` with 16 tokens and full gradients
        against the peer's step() on random gradients of the same shapes; rank 128, gap 200, fp32,
        two threads. The result is the mean over a refresh interval: the median step without a
        refresh plus the additional time of a refresh divided by the gap. Ours is the first refresh,
        the dearest, because it has no old basis; the peers' is their second one, when memory is
        allocated.
share   gives for every preset the share of the optimizer and the refresh (divided by the gap) in the
        whole step, with 2,048 tokens and default options

Peers are the authors' packages if the Python index has one that runs on a CPU, otherwise PyTorch's
own optimizers, otherwise pytorch-optimizer's. The packages of Q-GaLore and LOMO are not compared,
because they need a CUDA device. Prints one JSON object per line on stdout, the machine first, then
a table on stderr. It takes about a quarter of an hour.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time

from peers import ROOT, environment_of, last_json, machine

HIDDEN, INTERMEDIATE, LAYERS, VOCABULARY, RANK, GAP = 512, 1376, 8, 32000, 128, 200
PEER_GAP = 4  # updates between refreshes in the timed run: one refresh, three steps without, one refresh
LIMIT = 0.15  # of the time of a training step


def parameters(torch):
    """Returns {name: parameter with a gradient}. Gradients have a rank of about 128 plus noise,
    like gradients of many tokens.
    """
    shapes = {"model.embed_tokens.weight": (VOCABULARY, HIDDEN), "lm_head.weight": (VOCABULARY, HIDDEN),
              "model.norm.weight": (HIDDEN,)}
    for layer in range(LAYERS):
        name = f"model.layers.{layer}"
        shapes |= {f"{name}.self_attn.{x}_proj.weight": (HIDDEN, HIDDEN) for x in "qkvo"}
        shapes |= {f"{name}.mlp.{x}_proj.weight": (INTERMEDIATE, HIDDEN) for x in ("gate", "up")}
        shapes |= {f"{name}.mlp.down_proj.weight": (HIDDEN, INTERMEDIATE), f"{name}.input_layernorm.weight": (HIDDEN,),
                   f"{name}.post_attention_layernorm.weight": (HIDDEN,)}
    found = {name: torch.nn.Parameter(0.02 * torch.randn(shape)) for name, shape in shapes.items()}
    for parameter in found.values():
        parameter.grad = 1e-3 * torch.randn(parameter.shape)
    return found


def groups(found, **projected):
    """Returns two groups: the projected matrices with these settings, and all other parameters."""
    inside = {n for n, p in found.items() if p.ndim == 2 and ("attn" in n or "mlp" in n)}
    return [{"params": [p for n, p in found.items() if n not in inside]},
            {"params": [found[n] for n in found if n in inside], **projected}]


LOW_RANK = {"rank": RANK, "update_proj_gap": PEER_GAP, "proj_type": "std"}
APOLLO = {**LOW_RANK, "proj": "random", "scale_type": "channel", "scale": 1.0}
APOLLO_MINI = {**APOLLO, "rank": 1, "scale_type": "tensor", "scale": 128}


def of_torch(name, **options):
    def make(found):
        import torch

        return getattr(torch.optim, name)(found.values(), lr=1e-3, **options)
    return "torch", make


def of_package(package, name, settings, **options):
    """Returns a package's optimizer. settings: options of the projected group; None puts all
    parameters into one group.
    """
    def make(found):
        module = __import__(package)
        chosen = list(found.values()) if settings is None else groups(found, **settings)
        return getattr(module, name)(chosen, lr=1e-3, **options)
    return package, make


def beside_adamw(found, make):
    """Uses another optimizer for the matrices and AdamW for embedding, head and vectors, as galore
    does and as Muon's authors advise.
    """
    import torch

    rest, matrices = (group["params"] for group in groups(found))
    return Both(make(matrices, lr=1e-3), torch.optim.AdamW(rest, lr=1e-3))


def make_muon(found):
    import torch

    return beside_adamw(found, torch.optim.Muon)


def make_racs(found):
    """Returns RACS. The package takes one step towards the fixed point, the paper five."""
    import pytorch_optimizer

    return beside_adamw(found, pytorch_optimizer.RACS)


def make_adam_mini(found):
    from adam_mini import Adam_mini

    return Adam_mini(found.items(), lr=1e-3, dim=HIDDEN, n_heads=8, verbose=False)


def make_badam(found):
    import torch
    from badam import BlockOptimizer

    base = torch.optim.AdamW(found.values(), lr=1e-3)
    no_layers = [name for name in found if ".layers." not in name]  # ours trains these in every update
    return BlockOptimizer(base, list(found.items()), switch_block_every=GAP, switch_mode="ascending", active_modules=no_layers,
                          verbose=0)


def make_bitsandbytes(found):
    import bitsandbytes

    return bitsandbytes.optim.AdamW8bit(found.values(), lr=1e-3)


class Both:
    def __init__(self, *parts):
        self.parts = parts

    def step(self):
        for part in self.parts:
            part.step()


GALORE = {**LOW_RANK, "scale": 0.25}
PEERS = {
    "adamw_torch": of_torch("AdamW"), "sgd": of_torch("SGD", momentum=0.9), "rmsprop": of_torch("RMSprop"),
    "adafactor": of_torch("Adafactor"), "muon": ("torch", make_muon), "adamw_8bit": ("bitsandbytes", make_bitsandbytes),
    "galore_adamw": of_package("galore_torch", "GaLoreAdamW", GALORE, no_deprecation_warning=True),
    "galore_adafactor": of_package("galore_torch", "GaLoreAdafactor", GALORE, relative_step=False, scale_parameter=False),
    "apollo_adamw": of_package("apollo_torch", "APOLLOAdamW", APOLLO),
    "apollo_mini": of_package("apollo_torch", "APOLLOAdamW", APOLLO_MINI),
    "fira_adamw": of_package("fira", "FiraAdamW", {**LOW_RANK, "alpha": 0.25}, no_deprecation_warning=True),
    "adam_mini": ("adam_mini", make_adam_mini), "badam": ("badam", make_badam),
    "spam_adamw": of_package("pytorch_optimizer", "SPAM", None),
    "stable_spam_adamw": of_package("pytorch_optimizer", "StableSPAM", None),
    "racs": ("pytorch_optimizer", make_racs),
}
OURS = {"sgd": "momentum=0.9"}
REFRESHES = ("galore_adamw", "galore_adafactor", "apollo_adamw", "apollo_mini", "fira_adamw")


def peer_worker(args):
    """Measures one peer in this process: its step without a refresh, and the additional time of a
    refresh.
    """
    import torch

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    found = parameters(torch)
    gradients = {name: parameter.grad for name, parameter in found.items()}
    optimizer, times = PEERS[args.worker][1](found), []
    for _ in range(PEER_GAP + 1):
        for name, parameter in found.items():
            # because some optimizers change it
            parameter.grad = gradients[name].clone() if parameter.requires_grad else None
        start = time.perf_counter()
        optimizer.step()
        times.append(time.perf_counter() - start)
    plain = statistics.median(times[1:PEER_GAP])
    refresh = max(0.0, times[PEER_GAP] - plain) if args.worker in REFRESHES else 0.0
    return {"mean_seconds": plain + refresh / GAP, "step_seconds": plain, "refresh_seconds": refresh}


def our_presets(args):
    """Returns {name: its update_proj_gap, or GAP}."""
    listed = subprocess.run([args.galore, "methods", "--markdown"], stdout=subprocess.PIPE, text=True, check=True).stdout
    found = {}
    for section in listed.split("\n## ")[1:]:
        gap = re.search(r"^\| update_proj_gap \| (\d+) \|", section, re.M)
        found[section.split("\n", 1)[0].strip()] = int(gap.group(1)) if gap else GAP
    return found


def our_step(args, name, gap, rows, length, steps, *more):
    command = [args.galore, "bench", "--model_size", "60m", "--optim", name, "--learning_rate", "0.001",
               "--per_device_train_batch_size", str(rows), "--max_length", str(length), "--threads", str(args.threads),
               "--bench_steps", str(steps), "--json", *more]
    command += ["--optim_args", OURS[name]] if name in OURS else []
    result = last_json(command + args.ours.split(), environment_of(args))
    result["mean_seconds"] = result["optimizer_seconds"] + result["refresh_seconds"] / gap
    return result


def beside_peers(args, presets):
    rows = {}
    for name in (n for n in args.only or PEERS if n in PEERS):
        runs = {"peer": [], "ours": []}
        for number in range(args.rounds):
            command = [sys.executable, __file__, "--worker", name, "--threads", str(args.threads)]
            runs["peer"].append(last_json(command, environment_of(args)))
            runs["ours"].append(our_step(args, name, presets[name], 1, 16, 8, *([] if "--gradient" in args.ours else ["--gradient", "full"])))
            for side in runs:
                emit(args, {"step": name, "side": side, "package": PEERS[name][0], "round": number, **runs[side][-1]})
        rows[name] = {side: statistics.median(run["mean_seconds"] for run in of) for side, of in runs.items()}
    return rows


def shares(args, presets):
    found = {}
    for name in args.only or presets:
        result = our_step(args, name, presets[name], 8, 256, 1)
        refresh = result["refresh_seconds"] / presets[name]
        found[name] = result["mean_seconds"] / (result["step_seconds"] + refresh)
        emit(args, {"share": name, "optimizer_share": found[name], **result})
    return found


def emit(args, line):
    print(json.dumps(line), flush=True)
    if args.out:
        with open(args.out, "a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")


def table(beside, share):
    lines = ["| preset | step, ms | peer | its step, ms | times faster | share of a training step |", "|---|---|---|---|---|---|"]
    for name in dict.fromkeys([*beside, *share]):
        cells = ["", "", "", ""]
        if name in beside:
            ours, peer = beside[name]["ours"], beside[name]["peer"]
            cells = [f"{1e3 * ours:.0f}", PEERS[name][0], f"{1e3 * peer:.0f}", f"{peer / ours:.1f}"]
        part = f"{100 * share[name]:.0f} %{' (above the goal)' if share[name] > LIMIT else ''}" if name in share else ""
        lines.append(f"| {' | '.join([name, *cells, part])} |")
    return "\n".join(lines)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", help="presets")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-shares", action="store_true")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--ours", default="", help="more options for ours: --ours='--lift lazy --gradient projected'")
    parser.add_argument("--out", help="file that the lines are added to")
    parser.add_argument("--galore", default=str(ROOT / "build/release/galore"))
    parser.add_argument("--worker", choices=PEERS, help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    args = arguments()
    if args.worker:
        print(json.dumps(peer_worker(args)))
        return
    presets = our_presets(args)
    emit(args, {**machine(), "load": os.getloadavg()})
    beside = {} if args.no_peers else beside_peers(args, presets)
    print(table(beside, {} if args.no_shares else shares(args, presets)), file=sys.stderr)


if __name__ == "__main__":
    main()
