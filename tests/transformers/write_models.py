"""Trains one tiny model of every architecture with the program, each with a tokenizer of its own.

    python write_models.py GALORE FOLDER

Each model becomes FOLDER/models/NAME, with FOLDER/expected/NAME.json beside it: the loss of the
program on some rows, a greedy continuation, and the ids of hostile texts.
"""
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tokenizers"))
import hostile_texts  # noqa: E402

SIZES = {"vocab_size": 448, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 2, "max_position_embeddings": 64, "initializer_range": 0.2}
GPT2 = {"vocab_size": 448, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64, "initializer_range": 0.2}
LLAMA3 = {"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}
LONGROPE = {"rope_type": "longrope", "short_factor": [1.0, 1.1, 1.2, 1.3], "long_factor": [1.5, 2.0, 3.0, 4.0]}
MODELS = {
    "llama": ({"model_type": "llama", **SIZES}, "sentencepiece"),
    "llama_tied_rope": ({"model_type": "llama", **SIZES, "tie_word_embeddings": True, "rope_scaling": LLAMA3}, "byte_level_bpe"),
    "mistral": ({"model_type": "mistral", **SIZES, "sliding_window": 8}, "sentencepiece"),
    "qwen2": ({"model_type": "qwen2", **SIZES}, "byte_level_bpe"),
    "qwen3": ({"model_type": "qwen3", **SIZES, "head_dim": 12}, "byte_level_bpe"),
    "qwen3_moe": ({"model_type": "qwen3_moe", **SIZES, "head_dim": 8, "num_experts": 5, "num_experts_per_tok": 2,
                   "moe_intermediate_size": 24, "norm_topk_prob": True}, "byte_level_bpe"),
    "gpt2": ({"model_type": "gpt2", **GPT2}, "byte_level_bpe"),
    "gpt_neox": ({"model_type": "gpt_neox", **SIZES, "rotary_pct": 0.5}, "byte_level_bpe"),
    "gpt_neox_tied": ({"model_type": "gpt_neox", **SIZES, "rotary_pct": 1.0, "use_parallel_residual": False,
                       "tie_word_embeddings": True}, "byte_level_bpe"),
    "olmo2": ({"model_type": "olmo2", **SIZES}, "byte_level_bpe"),
    "olmo3": ({"model_type": "olmo3", **SIZES, "sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"],
               "rope_scaling": YARN}, "byte_level_bpe"),
    "smollm3": ({"model_type": "smollm3", **SIZES, "num_hidden_layers": 4, "pad_token_id": None}, "byte_level_bpe"),
    "granite": ({"model_type": "granite", **SIZES, "embedding_multiplier": 3.0, "residual_multiplier": 0.4,
                 "logits_scaling": 2.5, "attention_multiplier": 0.2}, "byte_level_bpe"),
    "ernie4_5": ({"model_type": "ernie4_5", **SIZES, "head_dim": 8}, "sentencepiece"),
    "phi3": ({"model_type": "phi3", **SIZES, "pad_token_id": None}, "sentencepiece"),
    "phi3_longrope": ({"model_type": "phi3", **SIZES, "pad_token_id": None, "original_max_position_embeddings": 16,
                       "rope_scaling": LONGROPE}, "sentencepiece"),
    "gemma2": ({"model_type": "gemma2", **SIZES, "head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": 8,
                "attn_logit_softcapping": 3.0, "final_logit_softcapping": 4.0}, "sentencepiece"),
    "gemma3_text": ({"model_type": "gemma3_text", **SIZES, "head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": 8,
                     "layer_types": ["sliding_attention", "full_attention"], "rope_local_base_freq": 500.0,
                     "rope_scaling": {"rope_type": "linear", "factor": 4.0}}, "sentencepiece"),
}
TEXTS = hostile_texts.texts(40, seed=11)
ROWS = [[(7 * i + 13 * j * j) % 300 + 3 for i in range(24)] for j in range(4)]
PROMPT = [1, 40, 77, 120, 5, 260]


def run(*words):
    result = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))}: {result.stderr}")
    return result.stdout


def write_model(galore, folder, name, config, kind):
    source, output = folder / f"{name}.json", folder / "models" / name
    source.write_text(json.dumps(config))
    run(galore, "train", "--config_name", source, "--tokenizer_name", folder / kind, "--train_file", folder / "text.txt",
        "--max_length", 32, "--per_device_train_batch_size", 2, "--max_steps", 2, "--learning_rate", "1e-3", "--threads", 1,
        "--output_dir", output, "--cache_dir", folder / "cache", "--disable_tqdm", "true")
    loss = json.loads(run(galore, "eval", "--model_name_or_path", output, "--eval_file", folder / "rows.jsonl", "--packing", "false",
                          "--max_length", 32, "--threads", 1, "--json"))
    greedy = json.loads(run(galore, "generate", "--model_name_or_path", output, "--prompt_ids", ",".join(map(str, PROMPT)),
                            "--max_new_tokens", 8, "--threads", 1, "--json"))
    run(galore, "tokenize", "--model_name_or_path", output, "--input", folder / "texts.jsonl", "--output", folder / "ids.jsonl")
    ids = [json.loads(line)["input_ids"] for line in (folder / "ids.jsonl").read_text().splitlines()]
    expected = {"loss": loss["eval_loss"], "rows": ROWS, "prompt": PROMPT, "greedy": greedy["output_ids"], "texts": TEXTS, "ids": ids}
    (folder / "expected" / f"{name}.json").write_text(json.dumps(expected))


def main():
    galore, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    for name in ("models", "expected"):
        (folder / name).mkdir()
    license_text = (pathlib.Path(__file__).resolve().parents[2] / "LICENSE").read_text()
    (folder / "text.txt").write_text(license_text)
    (folder / "rows.jsonl").write_text("".join(json.dumps({"input_ids": row, "labels": row}) + "\n" for row in ROWS))
    (folder / "texts.jsonl").write_text("".join(json.dumps({"text": one}) + "\n" for one in TEXTS))
    for kind in ("sentencepiece", "byte_level_bpe"):
        run(galore, "train-tokenizer", "--type", kind, "--input", folder / "text.txt", "--vocab_size", 440, "--output", folder / kind)
    for name, (config, kind) in MODELS.items():
        write_model(galore, folder, name, config, kind)


if __name__ == "__main__":
    main()
