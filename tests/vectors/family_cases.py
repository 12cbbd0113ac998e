"""The traces and cases of make_family_vectors.py."""

import numpy as np

from frozen import turned
from reference import (adalomo, adam_mini, adarankgrad, alice, apollo, badam, coap, fira, flora, foam, frugal, galore,
                       galore_sgd, golore, gwt, ldadam, lomo, lora_pre, mofasgd, muon, natural_galore, osd, q_galore, racs, rmsprop, scale,
                       sinkgd, spam, stable_spam, subtrack, sumo, swan)

STEPS, GAP, RANK = 12, 4, 4
TARGETS = ("self_attn", "mlp")
# The shapes are square, tall and wide, with widths that no power of two divides, and contain every
# kind of tensor that a method may treat differently.
SHAPES = {
    "model.embed_tokens.weight": (20, 16),
    "model.layers.0.self_attn.q_proj.weight": (16, 16),
    "model.layers.0.self_attn.q_proj.bias": (16,),
    "model.layers.0.mlp.up_proj.weight": (36, 14),
    "model.layers.0.mlp.down_proj.weight": (14, 36),
    "model.norm.weight": (16,),
    "lm_head.weight": (20, 16),
}
LAYERS = {"model.embed_tokens.weight": (12, 8), "model.norm.weight": (8,), "lm_head.weight": (12, 8)}
for layer in range(3):
    LAYERS |= {f"model.layers.{layer}.self_attn.q_proj.weight": (8, 8), f"model.layers.{layer}.mlp.up_proj.weight": (12, 8),
               f"model.layers.{layer}.input_layernorm.weight": (8,)}
SPIKES = (4, 6, 9)  # steps, counted from 0


def projected_names(weights, targets=TARGETS):
    return [n for n in weights if weights[n].ndim == 2 and any(t in n for t in targets)]


def gradient_series(shape, random, decay_of):
    """Returns drifting gradients of about 1e-3 per element: orthogonal factors that rotate a
    little, with a decaying spectrum.
    """
    if len(shape) == 1:
        base = random.standard_normal(shape)
        return [1e-2 * (base + 0.5 * random.standard_normal(shape)) for _ in range(STEPS)]
    rows, columns, size = *shape, min(shape)
    u = np.linalg.qr(random.standard_normal((rows, size)))[0]
    v = np.linalg.qr(random.standard_normal((columns, size)))[0]
    series = []
    for step in range(STEPS):
        u, v = turned(u, random, 0.15), turned(v, random, 0.15)
        series.append(u * (0.1 * decay_of(step) ** np.arange(size) * random.uniform(0.9, 1.1)) @ v.T)
    return series


def with_spikes(series, random):
    """Multiplies three elements of some steps by 300."""
    for step in SPIKES:
        flat = series[step].reshape(-1)
        flat[random.choice(flat.size, 3, replace=False)] *= 300
    return series


def make_trace(seed, decay_of, spikes=False, shapes=None):
    random, trace = np.random.default_rng(seed), {}
    for name, shape in (shapes or SHAPES).items():
        start = np.ones(shape) if name.endswith("norm.weight") else 0.02 * random.standard_normal(shape)
        trace[f"weights/{name}"] = start.astype(np.float32)
        series = [np.ascontiguousarray(g) for g in gradient_series(shape, random, decay_of)]
        for step, gradient in enumerate(with_spikes(series, random) if spikes else series):
            trace[f"gradients/{step}/{name}"] = gradient.astype(np.float32)
    return trace


def all_traces():
    """Returns {name: (file, tensors)}; None as tensors means a file of data/."""
    return {
        "main": ("trace_main.safetensors", make_trace(11, lambda step: 0.8)),
        "spikes": ("trace_spikes.safetensors", make_trace(12, lambda step: 0.8, spikes=True)),
        "falling": ("trace_falling.safetensors", make_trace(13, lambda step: 0.85 - 0.04 * step)),
        "layers": ("trace_layers.safetensors", make_trace(14, lambda step: 0.8, shapes=LAYERS)),
        "wide": ("../data/trace_wide.safetensors", None),
    }


def text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def case(name, module, optim, options=None, trace="main", rate=0.01, decay=0.0, steps=(0, 5, 11), **more):
    options = options or {}
    written = {**options, "signs": "aligned"} if options.get("subspace") == "svd" else options
    return {"name": name, "file": f"{name}.safetensors", "trace": trace, "optim": optim, "options": options,
            "module": module, "reference": f"reference/{module.__name__.split('.')[-1]}.py",
            "signs": "aligned" if options.get("subspace") in ("svd", "orthogonal") else "none",
            "optim_args": ",".join(f"{k}={text(v)}" for k, v in written.items()),
            "learning_rate": rate, "weight_decay": decay, "adam_beta1": None, "adam_beta2": None, "adam_epsilon": None,
            "optim_target_modules": ",".join(TARGETS), "steps": list(steps), **more}


def decomposes(case):
    """Returns whether the case computes singular vectors or a similar decomposition."""
    own = (adarankgrad, alice, coap, ldadam, lora_pre, mofasgd, osd, subtrack, sumo)
    return case["options"].get("subspace") in ("svd", "i3s") or case["module"] in own


SVD = {"rank": RANK, "update_proj_gap": GAP, "subspace": "svd"}
LAST = (11,)


def fira_cases():
    for variant in ("released", "paper"):
        for scaling in ("column", "matrix"):
            yield case(f"fira_adamw_{variant}_{scaling}", fira, "fira_adamw",
                       {**SVD, "variant": variant, "scaling": scaling}, steps=(0, 5, 11) if scaling == "column" else LAST)
        yield case(f"fira_adafactor_{variant}", fira, "fira_adafactor", {**SVD, "variant": variant}, decay=0.1)
        beta = {"rms_beta": 0.95} if variant == "paper" else {}
        yield case(f"fira_rmsprop_{variant}", fira, "fira_rmsprop", {**SVD, "variant": variant, **beta}, decay=0.1)
        yield case(f"fira_adamw_{variant}_decay", fira, "fira_adamw", {**SVD, "variant": variant, "scale": 0.5}, decay=0.1,
                   steps=LAST)
        yield case(f"fira_adamw_8bit_{variant}", fira, "fira_adamw_8bit", {**SVD, "rank": 16, "variant": variant},
                   trace="wide", decay=0.1, steps=(1, 11))
    yield case("fira_adamw_unlimited", fira, "fira_adamw", {**SVD, "limiter": 0}, steps=LAST)
    yield case("fira_adamw_spikes", fira, "fira_adamw", {**SVD, "limiter": 1.1}, trace="spikes", steps=LAST)
    yield case("fira_adamw_full_rank", fira, "fira_adamw", {**SVD, "rank": 64}, steps=LAST)


def apollo_cases():
    random = {"rank": RANK, "update_proj_gap": GAP}
    yield case("apollo_adamw", apollo, "apollo_adamw", random)
    yield case("apollo_adamw_decay", apollo, "apollo_adamw", {**random, "scale": 4}, decay=0.1, steps=LAST)
    yield case("apollo_adamw_tensor", apollo, "apollo_adamw", {**random, "scale_type": "tensor"}, steps=LAST)
    yield case("apollo_adamw_front", apollo, "apollo_adamw", {**random, "scale": 4, "scale_front": True}, steps=LAST)
    yield case("apollo_adamw_disable_nl", apollo, "apollo_adamw", {**random, "disable_nl": True}, steps=LAST)
    yield case("apollo_adamw_spikes", apollo, "apollo_adamw", random, trace="spikes", steps=LAST)
    yield case("apollo_adamw_svd", apollo, "apollo_adamw", {"proj": "svd", **SVD})
    yield case("apollo_adamw_svd_tensor", apollo, "apollo_adamw",
               {"proj": "svd", **SVD, "scale_type": "tensor", "disable_nl": True}, steps=LAST)
    yield case("apollo_mini", apollo, "apollo_mini", {"update_proj_gap": GAP}, decay=0.1)


def spam_cases():
    # Clipping, hold-off and reset all happen: there are spikes at updates 5 (clipped), 7 (held off
    # after the reset at 6) and 10.
    short = {"interval": 6, "warmup_steps": 3, "holdoff": 2}
    yield case("spam_adamw", spam, "spam_adamw", short, trace="spikes", steps=(0, 4, 5, 6, 9, 11))
    yield case("spam_adamw_defaults", spam, "spam_adamw", trace="spikes", steps=LAST)
    yield case("spam_adamw_decay", spam, "spam_adamw", {**short, "threshold": 2000}, trace="spikes", decay=0.1, steps=LAST)
    yield case("spam_adamw_never_reset", spam, "spam_adamw", {"interval": 0, "holdoff": 0}, trace="spikes", steps=LAST)
    yield case("spam_adamw_sparse", spam, "spam_adamw", {**short, "density": 0.3}, trace="spikes", decay=0.1)
    yield case("galore_spam_adamw", spam, "galore_spam_adamw", {**SVD, **short}, trace="spikes", decay=0.1)


def stable_spam_cases():
    for counters in ("shared", "separate"):
        yield case(f"stable_spam_adamw_{counters}", stable_spam, "stable_spam_adamw", {"interval": 5, "counters": counters},
                   trace="spikes", decay=0.1, steps=(0, 3, 4, 5, 11))
    yield case("stable_spam_adamw_scheduled", stable_spam, "stable_spam_adamw",
               {"gamma1": 0.7, "gamma2": 0.9, "gamma3": 0.99, "interval": 5, "total_steps": 12}, trace="spikes", steps=LAST)
    yield case("stable_spam_adamw_defaults", stable_spam, "stable_spam_adamw", steps=LAST)


def foam_and_gwt_cases():
    # down_proj has 36 columns and up_proj 14: level 2 pads up_proj's rows, level 3 pads both.
    for name, module in (("foam_adamw", foam), ("gwt_adamw", gwt)):
        yield case(name, module, name, decay=0.1)
        yield case(f"{name}_level3", module, name, {"level": 3, "scale": 1}, steps=LAST)
        yield case(f"{name}_spikes", module, name, {"level": 1}, trace="spikes", steps=LAST)
    yield case("foam_adamw_residual", foam, "foam_adamw", {"residual_scale": 0.5, "adam_beta2": 0.999}, steps=LAST)
    yield case("gwt_adamw_unlimited", gwt, "gwt_adamw", {"limiter": 0}, trace="spikes", steps=LAST)


def muon_cases():
    for dtype in ("float32", "bfloat16"):
        # Newton-Schulz in bfloat16 amplifies differences in rounding: torch.optim.Muon differs by
        # 2e-2 from the reference.
        floor = {"floor": 5e-2} if dtype == "bfloat16" else {}
        yield case(f"muon_{dtype}", muon, "muon", {"ns_dtype": dtype}, decay=0.1, **floor)
    yield case("muon_heavy_ball", muon, "muon", {"ns_dtype": "float32", "nesterov": False, "momentum": 0.9, "ns_steps": 3,
                                                 "scale": 0.5}, steps=LAST)


def racs_and_scale_cases():
    yield case("racs", racs, "racs", decay=0.1)
    yield case("racs_spikes", racs, "racs", {"iterations": 2, "racs_beta": 0.8, "scale": 0.1}, trace="spikes", steps=LAST)
    yield case("racs_unlimited", racs, "racs", {"limiter": 0}, steps=LAST)
    yield case("scale", scale, "scale", decay=0.1)
    yield case("scale_momentum", scale, "scale", {"head_momentum": 0.5}, trace="spikes", steps=LAST)


def adarankgrad_cases():
    wide = {**SVD, "rank": 10}
    # Ranks are 5, 4, 3 and similar. A small max_rank cuts them, and min_rank keeps them from
    # falling.
    yield case("adarankgrad_adamw", adarankgrad, "adarankgrad_adamw", wide, trace="falling", decay=0.1)
    yield case("adarankgrad_adamw_bounded", adarankgrad, "adarankgrad_adamw", {**wide, "min_rank": 4, "max_rank": 6},
               trace="falling", steps=LAST)
    yield case("adarankgrad_adamw_energy", adarankgrad, "adarankgrad_adamw", {**wide, "energy": 0.3, "scale": 1},
               trace="falling", steps=LAST)
    yield case("adarankgrad_adamw_criterion", adarankgrad, "adarankgrad_adamw",
               {**wide, "inner_criterion": 0.8, "min_gap": 2, "max_gap": 5}, trace="falling")


def other_subspace_cases():
    yield case("ldadam_adamw", ldadam, "ldadam_adamw", {"rank": RANK}, decay=0.1)
    yield case("ldadam_adamw_rho", ldadam, "ldadam_adamw", {"rank": 2, "rho": 0.5, "adam_beta1": 0.9}, steps=LAST)
    yield case("frugal_adamw", frugal, "frugal_adamw", SVD, decay=0.1)
    yield case("frugal_adamw_orthogonal", frugal, "frugal_adamw",
               {"rank": 6, "update_proj_gap": GAP, "subspace": "orthogonal", "sign_scale": 0.1}, steps=LAST)
    random = {"rank": RANK, "update_proj_gap": GAP}
    yield case("golore_adamw", golore, "golore_adamw", random, decay=0.1)
    yield case("golore_adamw_untransported", golore, "golore_adamw", {**random, "moment_transport": False}, steps=LAST)
    yield case("golore_adamw_svd", golore, "golore_adamw", {**SVD, "scale": 1}, steps=LAST)


def moving_subspace_cases():
    yield case("sumo", sumo, "sumo", SVD, rate=0.001, decay=0.1)
    yield case("sumo_momentum", sumo, "sumo", {**SVD, "momentum": 0.5, "scale": 0.2, "limiter": 0}, steps=LAST)
    yield case("subtrack_adamw", subtrack, "subtrack_adamw", SVD, decay=0.1)
    yield case("subtrack_adamw_step", subtrack, "subtrack_adamw", {**SVD, "step_size": 0.5, "scale": 1, "limiter": 1.1},
               steps=LAST)
    yield case("mofasgd", mofasgd, "mofasgd", {"rank": RANK}, decay=0.1)
    yield case("mofasgd_momentum", mofasgd, "mofasgd", {"rank": 2, "momentum": 0.8, "scale": 0.5}, steps=LAST)
    yield case("osd_adamw", osd, "osd_adamw", {"rank": RANK}, decay=0.1)
    yield case("osd_adamw_fast", osd, "osd_adamw", {"rank": RANK, "osd_lr": 0.05, "osd_lambda": 0, "scale": 1}, steps=LAST)


def stateless_cases():
    yield case("swan", swan, "swan", decay=0.1)
    yield case("swan_steps", swan, "swan", {"ns_steps": 3, "scale": 0.1}, trace="spikes", steps=LAST)
    yield case("sinkgd", sinkgd, "sinkgd", decay=0.1)
    yield case("sinkgd_iterations", sinkgd, "sinkgd", {"iterations": 1, "scale": 0.1}, trace="spikes", steps=LAST)


def block_cases():
    yield case("adam_mini", adam_mini, "adam_mini", decay=0.1)
    yield case("badam", badam, "badam", {"switch_every": 2}, trace="layers", decay=0.1, steps=(0, 2, 6, 11))
    yield case("badam_one_layer", badam, "badam", {"switch_every": 5}, steps=LAST)
    yield case("adalomo", adalomo, "adalomo", decay=0.1)
    yield case("lomo", lomo, "lomo", rate=1.0)
    yield case("rmsprop", rmsprop, "rmsprop")
    yield case("galore_sgd", galore_sgd, "galore_sgd", {**SVD, "momentum": 0.9}, rate=1.0)


def alice_cases():
    basis = {"rank": RANK, "update_proj_gap": GAP}
    yield case("alice", alice, "alice", {**basis, "leading": 2}, decay=0.1)
    yield case("alice_0", alice, "alice", {**basis, "leading": 3, "basis_beta": 0, "scale": 1, "complement_scale": 0.1},
               steps=LAST)
    yield case("alice_unswitched", alice, "alice", {**basis, "leading": 4, "limiter": 0}, trace="spikes", steps=LAST)
    yield case("alice_high_rank", alice, "alice", {**basis, "rank": 10, "leading": 3, "adam_beta1": 0.8}, steps=LAST)


def last_cases():
    basis = {"rank": RANK, "update_proj_gap": 2}
    yield case("coap_adamw", coap, "coap_adamw", {**basis, "reproject_factor": 3}, decay=0.1)
    yield case("coap_adamw_fast", coap, "coap_adamw", {**basis, "reproject_factor": 2, "coap_rate": 1000, "scale": 0.25},
               steps=LAST)
    random = {"rank": RANK, "update_proj_gap": GAP}
    yield case("flora", flora, "flora", random, decay=0.1)
    yield case("flora_beta", flora, "flora", {**random, "beta1": 0.5}, trace="spikes", steps=LAST)
    yield case("natural_galore_adamw", natural_galore, "natural_galore_adamw", SVD, decay=0.1)
    yield case("natural_galore_adamw_short", natural_galore, "natural_galore_adamw",
               {**SVD, "history": 3, "damping": 0.1, "scale": 1}, steps=LAST)
    yield case("lora_pre", lora_pre, "lora_pre", {"rank": RANK}, decay=0.1)
    yield case("lora_pre_betas", lora_pre, "lora_pre", {"rank": 2, "adam_beta2": 0.95}, steps=LAST)


def coded_weight_cases():
    # At these rates no rounding of a small matrix is a close decision.
    yield case("q_galore_adamw_8bit", q_galore, "q_galore_adamw_8bit", {**SVD, "update_proj_gap": 2, "queue_size": 2},
               decay=0.1)
    # A random rounding that goes the other way moves a weight by one code, some 5e-4 of the
    # displacement.
    yield case("q_galore_adamw_8bit_wide", q_galore, "q_galore_adamw_8bit", {**SVD, "rank": 15, "update_proj_gap": 7},
               trace="wide", steps=(1, 11), floor=5e-3)
    yield case("q_galore_adamw_8bit_nearest", q_galore, "q_galore_adamw_8bit",
               {**SVD, "stochastic_round": False, "proj_bits": 8, "proj_group_size": 32, "weight_group_size": 64,
                "cos_threshold": 0, "scale": 1}, steps=LAST, rate=0.014)
    random = {"rank": RANK, "update_proj_gap": GAP}
    yield case("q_apollo_adamw", q_galore, "q_apollo_adamw", random, decay=0.1, rate=0.013)
    yield case("q_apollo_mini", q_galore, "q_apollo_mini", {"update_proj_gap": GAP, "weight_group_size": 64}, steps=LAST,
               rate=0.012)


def chosen_basis_cases():
    dct, i3s = ({"rank": RANK, "update_proj_gap": GAP, "subspace": name} for name in ("dct", "i3s"))
    yield case("galore_adamw_dct", galore, "galore_adamw", dct, decay=0.1)
    yield case("galore_adamw_dct_transport", galore, "galore_adamw", {**dct, "moment_transport": True, "scale": 1},
               trace="spikes", steps=LAST)
    yield case("galore_adamw_i3s", galore, "galore_adamw", i3s, decay=0.1)
    yield case("galore_adamw_i3s_transport", galore, "galore_adamw", {**i3s, "rank": 5, "moment_transport": True}, steps=LAST)
    yield case("fira_adamw_dct", fira, "fira_adamw", dct, steps=LAST)


def all_cases():
    for cases in (fira_cases, apollo_cases, spam_cases, stable_spam_cases, foam_and_gwt_cases, muon_cases,
                  racs_and_scale_cases, adarankgrad_cases, other_subspace_cases, moving_subspace_cases,
                  stateless_cases, block_cases, alice_cases, last_cases, coded_weight_cases,
                  chosen_basis_cases):
        yield from cases()
