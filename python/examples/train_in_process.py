#!/usr/bin/env python3
"""Trains a tiny LLaMA in this process, interrupts and resumes it, and lets it go on with a
sequence."""

import json
import pathlib
import sys

import galore_cpp as galore

MODEL = {"model_type": "llama", "vocab_size": 64, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
         "num_attention_heads": 4, "max_position_embeddings": 64}


def write_inputs(folder: pathlib.Path) -> None:
    """Writes a model's configuration, and rows of ids that count."""
    (folder / "model.json").write_text(json.dumps(MODEL))
    rows = [{"input_ids": [(row + i) % 64 for i in range(32)]} for row in range(64)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))


def main(folder: str) -> list[int]:
    """Returns what the model says after 10, 11, 12, 13."""
    place = pathlib.Path(folder)
    write_inputs(place)
    config = {"config_name": place / "model.json", "train_file": place / "rows.jsonl", "output_dir": place / "run",
              "optim": "galore_adamw_8bit", "optim_args": {"rank": 8, "update_proj_gap": 20}, "learning_rate": 2e-2,
              "max_length": 32, "per_device_train_batch_size": 8, "max_steps": 60, "threads": 1}

    def stop_early(event: dict) -> None:
        if event["event"] == "step" and event["step"] >= 20:
            raise KeyboardInterrupt  # as Ctrl-C and the stop button of a notebook do

    try:
        galore.train(config, callback=stop_early, progress=False)
    except KeyboardInterrupt:
        print("stopped; a checkpoint is saved", file=sys.stderr)
    result = galore.train(config, resume_from_checkpoint="auto", progress=False)
    print(f"loss {result.loss:.3f} after {result.steps} updates", file=sys.stderr)
    model = galore.load_model(result.output_dir)
    return model.generate([10, 11, 12, 13], max_new_tokens=4)


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
