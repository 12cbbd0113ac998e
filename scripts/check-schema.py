#!/usr/bin/env python3
"""Checks the schema of `galore schema`, and that it accepts every configuration in configs/.

    python3 -m venv venv && venv/bin/pip install jsonschema pyyaml && venv/bin/python scripts/check-schema.py

It was last run with jsonschema 4.26.0.
"""

import json
import pathlib
import subprocess
import sys

import jsonschema
import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
VALID = [
    {"bf16": "auto", "max_steps": -1, "adam_beta1": 0.9},
    {"bf16": True, "learning_rate": "1e-4", "max_train_tokens": "1.1B", "lr": 0.01, "resume_from_checkpoint": True},
    {"optim": {"rule": "adamw", "rank": 64}, "optim_overrides": [{"pattern": "down_proj", "rank": 8}]},
    {"optim": "galore_adamw_8bit_layerwise", "optim_target_modules": ["attn", "mlp"], "eval_strategy": False},
]
INVALID = [
    {"no_such_key": 1},
    {"learning_rate": "fast"},
    {"optim": "no_such_optimizer"},
    {"lr_scheduler_type": "cosinus"},
    {"bf16": "maybe"},
    {"max_steps": -2},
    {"max_steps": 1.5},
    {"adam_beta1": 1.5},
    {"threads": 5000},
    {"max_steps": [1]},
]


def main():
    text = subprocess.run([ROOT / "build/release/galore", "schema"], check=True, capture_output=True).stdout
    schema = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    faults = 0
    for path in sorted((ROOT / "configs").glob("*.yaml")):
        for error in validator.iter_errors(yaml.safe_load(path.read_text(encoding="utf-8"))):
            print(f"{path.name}: {error.json_path}: {error.message}")
            faults += 1
    for config in VALID:
        for error in validator.iter_errors(config):
            print(f"{config}: {error.json_path}: {error.message}")
            faults += 1
    for config in INVALID:
        if validator.is_valid(config):
            print(f"{config}: expected to be refused")
            faults += 1
    print(f"check-schema: {len(schema['properties'])} keys, {faults} faults", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
