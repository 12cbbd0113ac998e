"""Trains tiny models with value heads and compares their values with those that transformers gives.

    python check_value_heads.py GALORE FOLDER

A saved model loads as a ...ForSequenceClassification without a missing or unused name, and the
read-outs of its logits, made as docs/value-heads.md says, are those of `galore score`.
"""
import json
import pathlib
import sys

import torch
import transformers

from write_models import GPT2, SIZES, run

BERT = {"vocab_size": 320, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
        "max_position_embeddings": 66, "hidden_act": "gelu", "layer_norm_eps": 1e-12}
ENCODERS = {"bert": {**BERT, "type_vocab_size": 2}, "roberta": {**BERT, "type_vocab_size": 1, "pad_token_id": 1},
            "distilbert": {"vocab_size": 320, "dim": 32, "hidden_dim": 48, "n_layers": 2, "n_heads": 4, "activation": "gelu",
                           "max_position_embeddings": 64}}

# Sums of 32 products in fp32 in another order.
TOLERANCE = 2e-5
ROWS = [[(5 * i + 11 * j * j) % 300 + 3 for i in range(3 + 2 * j)] for j in range(4)]
HEADS = [("value", name) for name in ("mse", "two_hot", "hl_gauss", "c51", "quantile")] + [("q_value", "mse"), ("q_value", "hl_gauss")]


def rows_of(task):
    for j, ids in enumerate(ROWS):
        if task == "value":
            yield {"input_ids": ids, "label": j - 1.5}
        else:
            yield {"input_ids": ids, "rewards": [None] + [float((i + j) % 3) for i in range(1, len(ids))], "gamma": 0.5}


def read_out(logits, head):
    """Returns the value of outputs (... x m)."""
    logits, kind = logits.double(), head["type"]
    if kind in ("mse", "quantile"):
        return logits.mean(-1)
    bins, low, high = head["num_bins"], head["v_min"], head["v_max"]
    places = torch.linspace(low, high, bins, dtype=torch.float64)
    if kind == "hl_gauss":
        edges = torch.linspace(low, high, bins + 1, dtype=torch.float64)
        places = (edges[1:] + edges[:-1]) / 2
    return logits.softmax(-1) @ places


def check(galore, folder, name, config, task, kind):
    output = folder / f"{name}-{task}-{kind}"
    (folder / f"{name}.json").write_text(json.dumps(config))
    rows = folder / f"{task}.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in rows_of(task)))
    run(galore, "train", "--config_name", folder / f"{name}.json", "--task", task, "--value_head", kind,
        "--value_head_args", "v_min=-3,v_max=3,num_bins=7", "--train_file", rows, "--max_steps", 4, "--learning_rate", "0.02",
        "--max_length", 32, "--threads", 1, "--output_dir", output, "--disable_tqdm", "true")
    lines = run(galore, "score", rows, "--model_name_or_path", output, "--threads", 1).splitlines()
    model, info = transformers.AutoModelForSequenceClassification.from_pretrained(output, output_loading_info=True, dtype="float32")
    for what, names in info.items():
        assert not names, f"{output}: {what}: {names}"
    head = json.loads((output / "config.json").read_text())["value_head"]
    assert head["type"] == kind
    for ids, line in zip(ROWS, lines, strict=True):
        given = json.loads(line)
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([ids])).logits[0]
        values = read_out(logits.view(head.get("num_actions", 1), -1), head)
        expected = given["best_value"][0] if task == "q_value" else given["value"]
        assert abs(values.max().item() - expected) < TOLERANCE * max(1, abs(expected)), f"{output}: {values} and {given}"
        if task == "q_value":
            assert given["best_action"][0] == values.argmax().item(), output


def main():
    galore, folder = sys.argv[1], pathlib.Path(sys.argv[2]) / f"value_heads_{transformers.__version__}"
    folder.mkdir()
    transformers.logging.disable_progress_bar()
    for name, config in (("llama", {"model_type": "llama", **SIZES}), ("gpt2", {"model_type": "gpt2", **GPT2})):
        for task, kind in HEADS:
            check(galore, folder, name, config, task, kind)
    for name, config in ENCODERS.items():
        for kind in ("mse", "hl_gauss"):
            check(galore, folder, name, {"model_type": name, **config}, "value", kind)
    count = 2 * len(HEADS) + 2 * len(ENCODERS)
    print(f"transformers {transformers.__version__}: {count} value heads are equal")


if __name__ == "__main__":
    main()
