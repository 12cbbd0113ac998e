#!/usr/bin/env python3
"""Compares the scripts of reference/ with published optimizer packages.

    python -m venv V
    V/bin/pip install numpy safetensors torch transformers fira apollo-torch pytorch-optimizer ...
    V/bin/python tests/vectors/crosscheck_packages.py

It prints lines for family/crosscheck.md. Both get the same trace and the same options. Bases of
singular vectors are taken from the package at every step, because signs are arbitrary and the
package has its own random numbers; all other numbers are computed twice. The script prints the
largest relative difference of displacements over all tensors and 12 steps, fp32 against fp64
(expected: about 1e-5).
"""

import importlib.metadata
import sys

import numpy as np
import torch

from family_cases import projected_names
from make_family_vectors import F64, FAMILY, displacement_error, split
from reference import adalomo, adam_mini, alice, apollo, badam, common, fira, flora, muon, racs, spam, stable_spam

torch.set_num_threads(1)
RATE, GAP, RANK = 0.01, 4, 4
SVD = {"rank": RANK, "update_proj_gap": GAP}


def basis_in_projector(optimizer, parameter):
    matrix = optimizer.state[parameter]["projector"].ortho_matrix.numpy().astype(F64)
    return matrix.T if matrix.shape[0] < matrix.shape[1] else matrix


def compare(package, what, make, module, preset, options, trace="main", decay=0.0, basis=None, only=None, prepare=None,
            step_of=None):
    """make(targeted parameters, others, {name: parameter}) -> the package's optimizer. basis(optimizer, parameter) -> B.

    prepare(reference objects, their weights) may change them before the first step. step_of(optimizer) replaces step().
    """
    weights, gradients = split(FAMILY / f"trace_{trace}.safetensors")
    if only:
        weights = {n: w for n, w in weights.items() if only(n)}
    parameters = {n: torch.nn.Parameter(torch.from_numpy(w.copy())) for n, w in weights.items()}
    projected = projected_names(weights)
    optimizer = make([parameters[n] for n in projected], [p for n, p in parameters.items() if n not in projected], parameters)
    settings = {**module.PRESETS[preset], **options}
    methods = {n: module.make(common.Weight(n, w.shape, n in projected, list(weights)), settings) for n, w in weights.items()}
    if basis:
        for n in projected:
            methods[n].subspace.found = lambda g, old, n=n: basis(optimizer, parameters[n])
    ours, worst, where = {n: w.astype(F64) for n, w in weights.items()}, 0, ""
    if prepare:
        prepare(methods, ours)
    for step, gradient_of in enumerate(gradients):
        for n, p in parameters.items():
            p.grad = torch.from_numpy(gradient_of[n].copy())
        (step_of or type(optimizer).step)(optimizer)
        for n, value in ours.items():
            direction = methods[n].direction(gradient_of[n].astype(F64))
            if direction is None:
                continue
            kept = 1 - RATE * decay
            value = value * kept if settings["decay"] == "before" else value
            value = value - RATE * direction
            ours[n] = value * kept if settings["decay"] == "after" else value
        theirs = {n: p.detach().numpy() for n, p in parameters.items()}
        errors = displacement_error(weights, ours, theirs)
        name = max(errors, key=errors.get)
        if errors[name] > worst:
            worst, where = errors[name], f"{name}, step {step}"
    version = importlib.metadata.version(package)
    print(f"| {preset} | {package} {version} | {what} | {worst:.1e} | {len(gradients)} | {where} |", flush=True)


def groups(targeted, others, **own):
    return [{"params": others}, {"params": targeted, **own}]


def first_groups():
    from apollo_torch import APOLLOAdamW
    from fira import FiraAdamW
    from pytorch_optimizer import load_optimizer

    compare("fira", "released, column, scale 0.25, decay", lambda t, o, _: FiraAdamW(
        groups(t, o, rank=RANK, update_proj_gap=GAP, alpha=0.25, proj_type="std"), lr=RATE, weight_decay=0.1,
        no_deprecation_warning=True), fira, "fira_adamw", SVD, decay=0.1, basis=basis_in_projector)
    for what, own, options, disabled in (
            ("random, channel", {"proj": "random"}, {}, False),
            ("random, channel, disable_nl", {"proj": "random"}, {"disable_nl": True}, True),
            ("svd, channel", {"proj": "svd"}, {"proj": "svd"}, False),
            ("svd, tensor, scale 4", {"proj": "svd", "scale_type": "tensor", "scale": 4},
             {"proj": "svd", "scale_type": "tensor", "scale": 4}, False)):
        full = {"rank": RANK, "update_proj_gap": GAP, "scale": 1, "scale_type": "channel", "proj_type": "std", **own}
        compare("apollo-torch", what + ", decay", lambda t, o, _: APOLLOAdamW(
            groups(t, o, **full), lr=RATE, weight_decay=0.1, disable_nl=disabled), apollo, "apollo_adamw",
            {**SVD, **options}, decay=0.1, basis=basis_in_projector)
    mini = {"rank": 1, "update_proj_gap": GAP, "scale": 128, "scale_type": "tensor", "proj_type": "std", "proj": "random"}
    for front in (False, True):
        compare("apollo-torch", f"scale_front {front}", lambda t, o, _: APOLLOAdamW(
            groups(t, o, **mini), lr=RATE, scale_front=front), apollo, "apollo_mini",
            {"update_proj_gap": GAP, "scale_front": front}, basis=basis_in_projector)
    spam_class, stable_class = load_optimizer("spam"), load_optimizer("stablespam")
    for trace in ("main", "spikes"):
        compare("pytorch-optimizer", f"{trace}, interval 6, warmup 0, holdoff 2", lambda t, o, _: spam_class(
            t + o, lr=RATE, warmup_epoch=0, grad_accu_steps=2, update_proj_gap=6, weight_decay=0.1), spam, "spam_adamw",
            {"interval": 6, "warmup_steps": 0, "holdoff": 2}, trace=trace, decay=0.1)
        for counters in ("separate", "shared"):
            compare("pytorch-optimizer", f"{trace}, {counters}, interval 5, decay", lambda t, o, _: stable_class(
                t + o, lr=RATE, gamma1=0.85, gamma2=0.99999, theta=0.999, update_proj_gap=5, weight_decay=0.1), stable_spam,
                "stable_spam_adamw", {"interval": 5, "counters": counters}, trace=trace, decay=0.1)


def is_targeted(name):
    return name.endswith("proj.weight")


def third_group():
    from pytorch_optimizer import load_optimizer

    for nesterov in (True, False):
        compare("torch", f"bfloat16, nesterov {nesterov}, decay", lambda t, o, _: torch.optim.Muon(
            t, lr=RATE, weight_decay=0.1, nesterov=nesterov), muon, "muon", {"nesterov": nesterov}, decay=0.1,
            only=is_targeted)
    compare("pytorch-optimizer", "decay", lambda t, o, _: load_optimizer("racs")(t, lr=RATE, weight_decay=0.1), racs, "racs",
            {}, decay=0.1, only=is_targeted)


def basis_of_flora(optimizer, parameter):
    from flora_opt.optimizers.torch import flora as package

    left, right = package.split_seed(optimizer.state[parameter]["seed"])
    if parameter.shape[0] < parameter.shape[1]:
        return package.stable_randn((RANK, parameter.shape[0]), seed=left).T.numpy().astype(F64) / RANK**0.5
    return package.stable_randn((parameter.shape[1], RANK), seed=right).numpy().astype(F64) / RANK**0.5


def last_group():
    from adam_mini import Adam_mini
    from badam import BlockOptimizer
    from flora_opt.optimizers.torch.flora import Flora
    from pytorch_optimizer import load_optimizer

    for decay, what in ((0.1, "mlp"), (0.0, "bias")):
        compare("adam-mini", f"{what}, decay {decay}", lambda t, o, named: Adam_mini(
            list(named.items()), lr=RATE, weight_decay=decay, dim=16, n_heads=4, n_kv_heads=4, verbose=False), adam_mini,
            "adam_mini", {}, decay=decay, only=lambda n: what in n)
    prefixes = [[f"model.layers.{i}."] for i in range(3)]

    def shifted(methods, _):  # the package gives the first layer one update fewer than the others
        for method in methods.values():
            method.t, method.rule = 1, common.AdamW()

    compare("badam", "layers, switch every 2, ascending, the first turn one update short", lambda t, o, named: BlockOptimizer(
        torch.optim.AdamW(named.values(), lr=RATE, weight_decay=0), list(named.items()), prefixes, switch_block_every=2,
        switch_mode="ascending", verbose=0), badam, "badam", {"switch_every": 2}, trace="layers",
        only=lambda n: "layers." in n, prepare=shifted)
    compare("flora-opt", "no resampling", lambda t, o, _: Flora(
        t, lr=RATE, rank=RANK, beta1=0.9, scale_parameter=False, kappa=1000), flora, "flora",
        {"rank": RANK, "update_proj_gap": 1000}, basis=basis_of_flora, only=is_targeted)
    compare("pytorch-optimizer", "left matrix, the package's basis at update 1, no switching", lambda t, o, _: load_optimizer(
        "alice")(t, lr=RATE, betas=(0.9, 0.9, 0.999), rank=RANK, leading_basis=RANK, update_interval=1000, weight_decay=0.1),
        alice, "alice", {"rank": RANK, "update_proj_gap": 1000, "leading": RANK}, decay=0.1,
        basis=lambda optimizer, p: optimizer.state[p]["U"].numpy().astype(F64), only=lambda n: "down" in n)


class Bilinear(torch.nn.Module):
    """A model with a loss whose gradients are those that its parameters hold in .grad."""

    def __init__(self, parameters):
        super().__init__()
        self.held = torch.nn.ParameterList(parameters)

    def loss(self):
        gradients = [p.grad.clone() for p in self.held]
        for p in self.held:
            p.grad = None
        return sum((p * g).sum() for p, g in zip(self.held, gradients))


def adalomo_group():
    from pytorch_optimizer import load_optimizer

    def times_size_of_weight(methods, ours):
        for n, method in methods.items():
            raw = method.raw
            method.direction = lambda g, n=n, raw=raw: max(1e-3, common.norm(ours[n]) / ours[n].size**0.5) * raw(g)

    def step(optimizer):
        optimizer.fused_backward(optimizer.model.loss(), lr=RATE)

    compare("pytorch-optimizer", "the weight's root mean square put into the reference", lambda t, o, named: load_optimizer(
        "adalomo")(Bilinear(named.values()), lr=RATE), adalomo, "adalomo", {}, prepare=times_size_of_weight, step_of=step)


if __name__ == "__main__":
    for chosen in sys.argv[1:] or ("first_groups", "third_group", "last_group", "adalomo_group"):
        globals()[chosen]()
