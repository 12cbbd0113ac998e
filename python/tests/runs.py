"""Runs of the trainer that several tests share."""

import json
import os
import subprocess

PROGRAM = os.environ.get("GALORE_PROGRAM", "")
SIZES = {"model_type": "llama", "vocab_size": 384, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
         "num_attention_heads": 4, "max_position_embeddings": 64}


def settings(folder):
    """Returns a run of a second. Its rows count, so that it learns."""
    (folder / "config.json").write_text(json.dumps(SIZES))
    rows = [{"input_ids": [(7 * i + 13 * j) % 300 + 3 for i in range(32)]} for j in range(40)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return {"config_name": folder / "config.json", "train_file": [folder / "rows.jsonl"], "packing": False, "max_length": 32,
            "per_device_train_batch_size": 2, "max_steps": 6, "save_steps": 4, "optim": "galore_adamw_8bit", "bf16": True,
            "optim_args": {"rank": 4, "update_proj_gap": 3, "min_8bit_size": 0}, "optim_target_modules": "all-linear",
            "learning_rate": 1e-2, "threads": 1, "output_dir": folder / "out", "cache_dir": folder / "cache",
            "logging_steps": 1, "val_size": 4, "eval_steps": 3}


def program(*words):
    """Runs a command of the program and returns what it prints."""
    found = subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout
