#!/usr/bin/env python3
"""Makes the frozen vectors of tests/vectors/family with the scripts of reference/.

    python -m venv V && V/bin/pip install numpy safetensors
    V/bin/python tests/vectors/make_family_vectors.py [--check] [NAME ...]

--check recomputes the vectors, compares them with family/ and writes nothing. With names of presets
or cases, only those are made and the others stay. The format is that of data/manifest.json
(make_galore_vectors.py), except:

  reference      the script that computed the case
  optim_args     the complete text for `galore replay --optim_args`; options that it leaves out are
                 tested with their defaults
  adam_beta1, adam_beta2, adam_epsilon     null: the preset's own
  noise          largest relative error of the displacement when every gradient element is moved by
                 one unit in the last place, in fp64 and in fp32, over several draws. For singular
                 vectors the matrix is also moved by four units in the norm, because a decomposition
                 has an error of a few units. If rounding the weights causes a larger error, that one
  tolerance      10 x noise, at least 1e-6 (8-bit: at least one flipped code). The factor is ten,
                 because noise has a few draws of an error whose size depends on the order of sums, and
                 because a library's decompositions have errors of several units
  floor          another smallest tolerance, if any: see family_cases.py

References compute in fp64 from the fp32 gradients.
"""

import argparse
import json
import pathlib
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

from family_cases import STEPS, all_cases, all_traces, decomposes, projected_names
from frozen import share_of_tolerance
from reference import common

FAMILY = pathlib.Path(__file__).resolve().parent / "family"
F32, F64 = np.float32, np.float64
FLIP = 5e-4  # one 8-bit code, see make_galore_vectors.py


def from_bfloat16(path):
    """Reads bfloat16 traces of data/ by hand, because numpy has no bfloat16."""
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header, tensors = json.loads(raw[8 : 8 + size]), {}
    for name, info in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + size + offset for offset in info["data_offsets"])
        if info["dtype"] == "BF16":
            bits = np.frombuffer(raw[begin:end], dtype=np.uint16).astype(np.uint32) << np.uint32(16)
            tensors[name] = bits.view(F32).reshape(info["shape"])
        else:
            tensors[name] = np.frombuffer(raw[begin:end], dtype=F32).reshape(info["shape"])
    return tensors


def split(path):
    """Returns (weights, gradients of each step) in fp32."""
    trace = from_bfloat16(path)
    weights = {n[len("weights/"):]: t for n, t in sorted(trace.items()) if n.startswith("weights/")}
    return weights, [{n: trace[f"gradients/{s}/{n}"] for n in weights} for s in range(STEPS)]


def run_case(case, weights, gradients, dtype=F64):
    cast = [{n: g.astype(dtype) for n, g in of.items()} for of in gradients]
    start = {n: w.astype(dtype) for n, w in weights.items()}
    projected = projected_names(weights, case["optim_target_modules"].split(","))
    return common.run(case["module"], case["optim"], case["options"], start, cast, projected, case["learning_rate"],
                      case["weight_decay"])


def displacement_error(weights, expected, given):
    """Returns {name: |difference of displacements| / |displacement|}."""
    errors = {}
    for name, start in weights.items():
        size, error = common.norm(expected[name] - start.astype(F64)), common.norm(given[name] - expected[name])
        errors[name] = error / size if size > 0 else error
    return errors


def moved_by_one_ulp(gradients, seed):
    random = np.random.default_rng(seed)

    def moved(g):
        up = np.where(random.random(g.shape) < 0.5, F32(np.inf), F32(-np.inf))
        return np.where(g == 0, g, np.nextafter(g, up))  # an exact zero is not a result of rounding

    return [{n: moved(g) for n, g in of.items()} for of in gradients]


def moved_in_norm(gradients, projected, seed):
    """Adds noise to projected gradients with a norm of four units in the last place of their norm.
    """
    random = np.random.default_rng(seed)

    def moved(g):
        noise = random.standard_normal(g.shape)
        return (g + noise * (2.0**-21 * common.norm(g) / common.norm(noise))).astype(F32)

    return [{n: moved(g) if n in projected else g for n, g in of.items()} for of in gradients]


def rounding_of_weights(weight, moved, step):
    """Returns half a unit in the last place, twice per step (decay, direction), which adds up like
    a random walk.
    """
    displacement = common.norm(moved - weight.astype(F64))
    return 2.0**-24 * (2 * (step + 1)) ** 0.5 * common.norm(weight) / displacement if displacement > 0 else 0


def noise_of(case, weights, gradients, expected):
    moved = [moved_by_one_ulp(gradients, seed) for seed in range(6)]
    if decomposes(case):
        moved += [moved_in_norm(gradients, projected_names(weights), seed) for seed in range(6)]
    runs = [run_case(case, weights, of, dtype) for of in moved for dtype in (F64, F32)]
    noise = {}
    for step in case["steps"]:
        errors = [displacement_error(weights, expected[step], run[step]) for run in runs]
        errors.append({n: rounding_of_weights(w, expected[step][n], step) for n, w in weights.items()})
        noise[step] = {n: float(f"{max(error[n] for error in errors):.3g}") for n in weights}
    return noise


def freeze(case, trace):
    common.smallest_margin[0] = 1.0
    weights, gradients = split(FAMILY / trace["file"])
    after = run_case(case, weights, gradients)
    # A decision as close as this could go the other way on another machine.
    margin = common.smallest_margin[0]
    assert margin > 1e-3, (case["name"], margin)
    save_file({f"weights/{s}/{n}": after[s][n].astype(F32) for s in case["steps"] for n in weights},
              FAMILY / case["file"])
    floor = case.get("floor", FLIP if "8bit" in case["optim"] else 1e-6)
    case = {**case, "noise": noise_of(case, weights, gradients, after), "smallest_margin": round(margin, 4)}
    case["tolerance"] = {step: {n: float(f"{max(10 * v, floor):.3g}") for n, v in of.items()}
                         for step, of in case["noise"].items()}
    print(f"{case['name']:48s} noise {max(case['noise'][case['steps'][-1]].values()):.1e}  margin {margin:.3f}")
    return {key: value for key, value in case.items() if key not in ("options", "module")}


def write_traces():
    described = {}
    for name, (file, tensors) in all_traces().items():
        if tensors is not None:
            save_file(tensors, FAMILY / file)
        weights, _ = split(FAMILY / file)
        described[name] = {"file": file, "projected": projected_names(weights),
                           "parameters": {n: list(w.shape) for n, w in weights.items()}}
    return described


def named(case, names):
    return not names or case["optim"] in names or case["name"] in names


def write(names):
    FAMILY.mkdir(exist_ok=True)
    path, kept = FAMILY / "manifest.json", {}
    if path.exists() and names:
        kept = {c["name"]: c for c in json.loads(path.read_text())["cases"] if not named(c, names)}
    manifest = {"versions": {"numpy": np.__version__}, "traces": write_traces(), "cases": []}
    for case in all_cases():
        if case["name"] in kept:
            manifest["cases"].append(kept[case["name"]])
        else:
            manifest["cases"].append(freeze(case, manifest["traces"][case["trace"]]))
    path.write_text(json.dumps(manifest, indent=1) + "\n")


def check(names):
    """Compares the frozen vectors with vectors that are computed on this machine."""
    manifest = json.loads((FAMILY / "manifest.json").read_text())
    cases, worst = {c["name"]: c for c in all_cases()}, 0
    assert [c["name"] for c in manifest["cases"]] == list(cases), "the manifest has other cases than family_cases.py"
    for frozen in manifest["cases"]:
        if not named(frozen, names):
            continue
        weights, gradients = split(FAMILY / manifest["traces"][frozen["trace"]]["file"])
        after = run_case(cases[frozen["name"]], weights, gradients)
        expected = load_file(FAMILY / frozen["file"])
        worst = max(worst, share_of_tolerance(frozen, weights, expected, after, displacement_error))
    return 0 if worst <= 1 else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("names", nargs="*", help="presets or cases")
    arguments = parser.parse_args()
    sys.exit((check if arguments.check else write)(arguments.names))
