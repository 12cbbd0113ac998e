"""A run that moves between the program and Python, by the program's own files."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest
import torch

import galore_cpp as galore

PROGRAM = os.environ.get("GALORE_PROGRAM", "")
SIZES = {"model_type": "llama", "vocab_size": 384, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
         "num_attention_heads": 4, "max_position_embeddings": 64}
OPTIONS = "rank=4,update_proj_gap=3,min_8bit_size=0"


def train(folder, steps, *more):
    words = {"config_name": folder / "config.json", "train_file": folder / "rows.jsonl", "packing": "false", "max_length": 32,
             "per_device_train_batch_size": 2, "max_steps": steps, "save_steps": 2, "optim": "galore_adamw_8bit", "optim_args": OPTIONS,
             "optim_target_modules": "all-linear", "learning_rate": 1e-2, "lr_scheduler_type": "constant", "threads": 1,
             "output_dir": folder / "out", "cache_dir": folder / "cache", "disable_tqdm": "true"}
    command = [PROGRAM, "train", *(str(word) for pair in words.items() for word in ("--" + pair[0], pair[1])), *more]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return found


@pytest.mark.skipif(not PROGRAM, reason="GALORE_PROGRAM is not set")
def test_a_run_moves_to_python_and_back(tmp_path):
    transformers = pytest.importorskip("transformers")
    (tmp_path / "config.json").write_text(json.dumps(SIZES))
    rows = [{"input_ids": [(7 * i + 13 * j) % 300 + 3 for i in range(32)]} for j in range(40)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    train(tmp_path, 4)
    saved = tmp_path / "out" / "checkpoint-2"
    model = transformers.LlamaForCausalLM.from_pretrained(saved, dtype=torch.float32)
    optimizer = galore.optim.GaLoreAdamW8bit(model, lr=1e-2, rank=4, update_proj_gap=3, min_8bit_size=0)
    fresh = set(optimizer._engine.state())
    optimizer.load(saved / "optimizer.safetensors")
    loaded = optimizer._engine.state()
    assert fresh <= set(loaded) and int(loaded["optimizer.num_updates"]) == 2
    ids = torch.arange(64).reshape(2, 32)
    model(ids, labels=ids).loss.backward()
    optimizer.step()
    assert optimizer.state[model.lm_head.weight]["step"] == 3
    optimizer.save(saved / "optimizer.safetensors")
    model.save_pretrained(saved)
    shutil.rmtree(tmp_path / "out" / "checkpoint-4")
    found = train(tmp_path, 4, "--resume_from_checkpoint", str(saved))
    assert pathlib.Path(tmp_path / "out" / "checkpoint-4").exists(), found.stderr
