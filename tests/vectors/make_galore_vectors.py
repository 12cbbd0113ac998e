#!/usr/bin/env python3
"""Makes the frozen vectors of tests/vectors/data with other implementations.

    python -m venv V && V/bin/pip install -r tests/vectors/requirements.txt
    V/bin/python tests/vectors/make_galore_vectors.py            writes data/
    V/bin/python tests/vectors/make_galore_vectors.py --check    compares with data/, writes nothing

data/trace_*.safetensors is an input of `galore replay`: weights/<name> (F32) and
gradients/<step>/<name> (F32 or BF16, steps 0 to 11). data/<case>.safetensors is the expected output
of `galore replay` for the steps kept: weights/<step>/<name>, F32, the weights after that step.
data/manifest.json:

  versions       of the packages that computed the vectors
  traces         {trace: {"file", "parameters": {name: shape}, "projected": [name]}}
  cases          list of
    name, file, trace
    reference    "galore_torch", "torch" or "exact_8bit" (exact_8bit.py in this folder)
    signs        "aligned": every new basis vector has a positive inner product with its predecessor;
                 at the first refresh its entry of largest magnitude is positive (for proj_type full,
                 separately in both bases). "lapack": the unchanged package, with the signs that its
                 SVD gives.  "none": no basis
    optim, optim_args, learning_rate, weight_decay, adam_beta1, adam_beta2, adam_epsilon,
    optim_target_modules
                 arguments of `galore replay`; weight decay acts on every tensor
    steps        the steps kept in the file
    noise        {step: {name: largest relative error of the displacement (weights after that step
                 minus the first weights) when every gradient element is moved by one unit in the last
                 place, over several draws, or the error of rounding the weights themselves if it is
                 larger (norms start at 1)}}
    tolerance    {step: {name: the tolerance}}: 10 x noise, at least 1e-6 (8-bit: at least one flipped
                 code, see FLIP)

The gradients drift: orthogonal factors rotate a little at every step, with a decaying spectrum. So
singular vectors are well separated and keep their order, but LAPACK's signs flip at some refreshes.
"""

import argparse
import json
import pathlib
import sys

import galore_torch
import numpy as np
import torch
from galore_torch.galore_projector import GaLoreProjector
from safetensors.torch import load_file, save_file

import exact_8bit
from frozen import share_of_tolerance, turned

DATA = pathlib.Path(__file__).resolve().parent / "data"
STEPS, GAP = 12, 4
PROJ_TYPES = ("std", "reverse_std", "left", "right", "full")
# A rounding error can turn a moment's code into its neighbour. The element of the direction then
# moves by one step of the code book, 1.4 % of the block's largest value in the upper decade. One
# such element of about 5000, for the rest of the run, is 5e-4 of the displacement.
FLIP = 5e-4
SMALL = {
    "model.embed_tokens.weight": (32, 24),
    "model.layers.0.self_attn.q_proj.weight": (24, 24),
    "model.layers.0.mlp.up_proj.weight": (48, 20),
    "model.layers.0.mlp.down_proj.weight": (20, 48),
    "model.norm.weight": (24,),
}
# At rank 16, up and down have 4608 projected elements (8-bit) and q has 768 (fp32). The embedding
# has 4800, so that the last block is short for both block sizes.
WIDE = {
    "model.embed_tokens.weight": (200, 24),
    "model.layers.0.self_attn.q_proj.weight": (48, 48),
    "model.layers.0.mlp.up_proj.weight": (288, 24),
    "model.layers.0.mlp.down_proj.weight": (24, 288),
    "model.norm.weight": (24,),
}
TARGETS = ("self_attn", "mlp")
smallest_margin = 1.0  # the smallest margin of all sign decisions during alignment


def gradient_series(shape, random, decay):
    """Returns STEPS drifting gradients of about 1e-3 per element in fp64."""
    if len(shape) == 1:
        base = random.standard_normal(shape)
        return [1e-2 * (base + 0.5 * random.standard_normal(shape)) for _ in range(STEPS)]
    rows, columns, size = *shape, min(shape)
    u = np.linalg.qr(random.standard_normal((rows, size)))[0]
    v = np.linalg.qr(random.standard_normal((columns, size)))[0]
    spectrum = 0.1 * decay ** np.arange(size)
    series = []
    for _ in range(STEPS):
        u, v = turned(u, random, 0.15), turned(v, random, 0.15)
        series.append(u * (spectrum * random.uniform(0.95, 1.05)) @ v.T)
    return series


def make_trace(shapes, seed, decay, dtype):
    random = np.random.default_rng(seed)
    trace = {}
    for name, shape in shapes.items():
        start = np.ones(shape) if len(shape) == 1 else 0.02 * random.standard_normal(shape)
        trace[f"weights/{name}"] = torch.from_numpy(start).float()
        series = gradient_series(shape, random, decay)
        if shapes is WIDE and "embed" in name:
            series = with_rare_rows(series)
        for step, gradient in enumerate(series):
            trace[f"gradients/{step}/{name}"] = torch.from_numpy(gradient).to(dtype)
    return {name: value.contiguous() for name, value in trace.items()}


def with_rare_rows(series):
    """Sets embedding rows of tokens that never occur to zero, and makes some rows so rare that
    their moments round to the code of zero.
    """
    for gradient in series:
        gradient[:4] = 0
        gradient[14:22] *= 1e-7
    return series


def split(trace):
    """Returns (weights, gradients of each step) in fp32."""
    weights = {n[len("weights/"):]: t.float() for n, t in trace.items() if n.startswith("weights/")}
    gradients = [{n: trace[f"gradients/{s}/{n}"].float() for n in weights} for s in range(STEPS)]
    return weights, gradients


def projected_names(weights):
    return [n for n in weights if weights[n].ndim == 2 and any(t in n for t in TARGETS)]


def with_signs(new, old):
    """Returns `new` (columns are basis vectors) with aligned signs, and records how clear the
    decisions were.
    """
    global smallest_margin
    if old is None:
        positive, negative = new.max(dim=0).values, -new.min(dim=0).values
        margin = (positive - negative).abs() / torch.maximum(positive, negative)
        signs = torch.where(positive >= negative, 1.0, -1.0)
    else:
        products = (new * old).sum(dim=0)
        margin, signs = products.abs(), torch.where(products >= 0, 1.0, -1.0)
    smallest_margin = min(smallest_margin, margin.min().item())
    return new * signs


class AlignedProjector(GaLoreProjector):
    """The package's projector with aligned signs of the basis."""

    def get_orthogonal_matrix(self, weights, rank, type):
        new, old = super().get_orthogonal_matrix(weights, rank, type), self.ortho_matrix
        if type == "right":
            return with_signs(new.t(), None if old is None else old.t()).t()
        if type == "left":
            return with_signs(new, old)
        left = with_signs(new[0], None if old is None else old[0])
        return [left, with_signs(new[1].t(), None if old is None else old[1].t()).t()]


def torch_optimizer(case, parameters, projected):
    rate, decay, o = case["learning_rate"], case["weight_decay"], case["options"]
    groups = [{"params": [p for n, p in parameters.items() if n not in projected]}]
    if case["optim"].startswith("galore_"):
        keys = ("rank", "update_proj_gap", "scale", "proj_type")
        groups.append({"params": [parameters[n] for n in projected], **{k: o[k] for k in keys}})
    else:
        groups[0]["params"] = list(parameters.values())
    betas = (case["adam_beta1"], case["adam_beta2"])
    if case["optim"] == "galore_adamw":
        return galore_torch.GaLoreAdamW(groups, lr=rate, betas=betas, eps=case["adam_epsilon"], weight_decay=decay,
                                        no_deprecation_warning=True)
    if case["optim"] in ("galore_adafactor", "adafactor"):
        return galore_torch.GaLoreAdafactor(groups, lr=rate, eps=(1e-30, 1e-3), clip_threshold=1.0, decay_rate=-0.8,
                                            beta1=o.get("beta1"), weight_decay=decay, scale_parameter=False,
                                            relative_step=False, warmup_init=False)
    if case["optim"] == "adamw_torch":
        return torch.optim.AdamW(groups, lr=rate, betas=betas, eps=case["adam_epsilon"], weight_decay=decay)
    return torch.optim.SGD(groups, lr=rate, momentum=o["momentum"], weight_decay=decay)


def run_torch(case, weights, gradients):
    parameters = {n: torch.nn.Parameter(w.clone()) for n, w in weights.items()}
    modules = [sys.modules["galore_torch.adamw"], sys.modules["galore_torch.adafactor"]]
    for module in modules:
        module.GaLoreProjector = AlignedProjector if case["signs"] == "aligned" else GaLoreProjector
    optimizer = torch_optimizer(case, parameters, set(projected_names(weights)))
    after = []
    for gradient_of in gradients:
        for name, parameter in parameters.items():
            parameter.grad = gradient_of[name].clone()
        optimizer.step()
        after.append({n: p.detach().clone() for n, p in parameters.items()})
    return after


def run_exact(case, weights, gradients):
    options = {**case["options"], "learning_rate": case["learning_rate"], "weight_decay": case["weight_decay"],
               "beta1": case["adam_beta1"], "beta2": case["adam_beta2"], "epsilon": case["adam_epsilon"]}
    projected = projected_names(weights) if case["optim"].startswith("galore_") else []
    after = exact_8bit.run({n: w.numpy() for n, w in weights.items()},
                           [{n: g.numpy() for n, g in of.items()} for of in gradients], projected, options)
    return [{n: torch.from_numpy(np.ascontiguousarray(w)) for n, w in of.items()} for of in after]


def run_case(case, weights, gradients):
    return (run_exact if case["reference"] == "exact_8bit" else run_torch)(case, weights, gradients)


def displacement_error(weights, expected, given):
    """Returns {name: |difference of displacements| / |displacement|}."""
    return {n: ((given[n] - expected[n]).double().norm() / (expected[n] - w).double().norm()).item()
            for n, w in weights.items()}


def moved_by_one_ulp(gradients, seed):
    random = torch.Generator().manual_seed(seed)

    def moved(g):
        up = torch.where(torch.rand(g.shape, generator=random) < 0.5, torch.inf, -torch.inf)
        return torch.where(g == 0, g, torch.nextafter(g, up))  # an exact zero is not a result of rounding

    return [{n: moved(g) for n, g in of.items()} for of in gradients]


def rounding_of_weights(weight, moved, step):
    """Returns half a unit in the last place, twice per step (decay, direction), which adds up like
    a random walk.
    """
    return 2.0**-24 * (2 * (step + 1)) ** 0.5 * (weight.norm() / (moved - weight).norm()).item()


def noise_of(case, weights, gradients, expected):
    runs = [run_case(case, weights, moved_by_one_ulp(gradients, seed)) for seed in range(5)]
    noise = {}
    for step in case["steps"]:
        errors = [displacement_error(weights, expected[step], run[step]) for run in runs]
        errors.append({n: rounding_of_weights(w, expected[step][n], step) for n, w in weights.items()})
        noise[step] = {n: float(f"{max(error[n] for error in errors):.3g}") for n in weights}
    return noise


def new_case(name, trace, reference, optim, options=None, **settings):
    options = options or {}
    return {"name": name, "file": f"{name}.safetensors", "trace": trace, "reference": reference, "optim": optim,
            "signs": "none", "optim_args": ",".join(f"{k}={v}" for k, v in options.items()),
            "learning_rate": 0.01, "weight_decay": 0.0, "adam_beta1": 0.9, "adam_beta2": 0.999, "adam_epsilon": 1e-8,
            "optim_target_modules": ",".join(TARGETS), "steps": [0, 5, STEPS - 1], "options": options, **settings}


def galore_options(proj_type, rank=8):
    return {"rank": rank, "update_proj_gap": GAP, "scale": 0.25, "proj_type": proj_type}


def galore_cases():
    for rule in ("adamw", "adafactor"):
        for proj_type in PROJ_TYPES:
            for decay in (0.0, 0.1):
                # Without a first moment Adafactor does not depend on signs.
                for signs in ("aligned", "lapack") if rule == "adamw" else ("aligned",):
                    name = f"galore_{rule}_{proj_type}{'_decay' if decay else ''}_{signs}"
                    yield new_case(name, "small", "galore_torch", f"galore_{rule}", galore_options(proj_type), signs=signs,
                                   weight_decay=decay, adam_epsilon=1e-3 if proj_type == "full" else 1e-6,
                                   steps=[0, 5, 11] if signs == "aligned" and not decay else [11])
    # A rank above both sides gives the whole space.
    yield new_case("galore_adamw_std_rank64_aligned", "small", "galore_torch", "galore_adamw",
                   galore_options("std", 64), signs="aligned", adam_epsilon=1e-6, steps=[11])
    for signs in ("aligned", "lapack"):
        yield new_case(f"galore_adafactor_std_beta1_{signs}", "small", "galore_torch", "galore_adafactor",
                       {**galore_options("std"), "beta1": 0.9}, signs=signs, steps=[11])


def plain_cases():
    yield new_case("adamw", "small", "torch", "adamw_torch", weight_decay=0.1)
    yield new_case("sgd_momentum", "small", "torch", "sgd", {"momentum": 0.9})
    yield new_case("adafactor", "small", "galore_torch", "adafactor", weight_decay=0.1)
    yield new_case("adafactor_beta1", "small", "galore_torch", "adafactor", {"beta1": 0.9}, steps=[11])


def exact_8bit_cases():
    for block_size in (256, 2048):
        sizes = {"block_size": block_size, "min_8bit_size": 4096}
        yield new_case(f"adamw_8bit_{block_size}", "wide", "exact_8bit", "adamw_8bit", sizes, steps=[1, 11],
                       weight_decay=0.1 if block_size == 256 else 0.0)
        for proj_type in ("std", "reverse_std") if block_size == 256 else ("std",):
            yield new_case(f"galore_adamw_8bit_{proj_type}_{block_size}_aligned", "wide", "exact_8bit",
                           "galore_adamw_8bit", {**galore_options(proj_type, 16), **sizes}, signs="aligned", steps=[1, 11],
                           weight_decay=0.1 if block_size == 2048 else 0.0)


def all_traces():
    return {"small": make_trace(SMALL, 1, 0.8, torch.float32), "wide": make_trace(WIDE, 2, 0.85, torch.bfloat16)}


def freeze(case, trace):
    weights, gradients = split(trace)
    after = run_case(case, weights, gradients)
    save_file({f"weights/{s}/{n}": after[s][n].contiguous() for s in case["steps"] for n in weights}, DATA / case["file"])
    floor = FLIP if case["reference"] == "exact_8bit" else 1e-6
    case["noise"] = noise_of(case, weights, gradients, after)
    case["tolerance"] = {step: {n: float(f"{max(10 * v, floor):.3g}") for n, v in of.items()}
                         for step, of in case["noise"].items()}
    case.pop("options")
    print(f"{case['name']:48s} noise {max(case['noise'][case['steps'][-1]].values()):.1e}")
    return case


def write():
    DATA.mkdir(exist_ok=True)
    traces = all_traces()
    manifest = {"versions": {"torch": torch.__version__, "galore_torch": "1.0", "numpy": np.__version__},
                "traces": {}, "cases": []}
    for name, trace in traces.items():
        save_file(trace, DATA / f"trace_{name}.safetensors")
        weights, _ = split(trace)
        manifest["traces"][name] = {"file": f"trace_{name}.safetensors", "projected": projected_names(weights),
                                    "parameters": {n: list(w.shape) for n, w in weights.items()}}
    for case in [*galore_cases(), *plain_cases(), *exact_8bit_cases()]:
        manifest["cases"].append(freeze(case, traces[case["trace"]]))
    # A sign decision as close as this could go the other way on another machine.
    assert smallest_margin > 1e-3, smallest_margin
    manifest["smallest_sign_margin"] = round(smallest_margin, 4)
    (DATA / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


def check():
    """Compares the frozen vectors with vectors that these packages compute on this machine."""
    manifest = json.loads((DATA / "manifest.json").read_text())
    cases = {c["name"]: c for c in [*galore_cases(), *plain_cases(), *exact_8bit_cases()]}
    worst = 0
    for frozen in manifest["cases"]:
        weights, gradients = split(load_file(DATA / manifest["traces"][frozen["trace"]]["file"]))
        after = run_case(cases[frozen["name"]], weights, gradients)
        expected = load_file(DATA / frozen["file"])
        worst = max(worst, share_of_tolerance(frozen, weights, expected, after, displacement_error))
    return 0 if worst <= 1 else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    torch.set_num_threads(1)
    sys.exit(check() if parser.parse_args().check else write())
