#!/usr/bin/env python3
"""A script for the Trainer of transformers: two lines differ from one with AdamW."""

import torch
import transformers

import galore_cpp as galore  # the first line


def small_model() -> transformers.PreTrainedModel:
    """Returns a LLaMA of two layers."""
    torch.manual_seed(0)
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=32))


def rows(count: int = 30) -> list[dict[str, torch.Tensor]]:
    """Returns rows of random tokens."""
    ids = torch.randint(0, 64, (count, 16), generator=torch.Generator().manual_seed(1))
    return [{"input_ids": row, "labels": row} for row in ids]


def trainer(folder: str, optim: str, model: transformers.PreTrainedModel, **arguments: object) -> transformers.Trainer:
    """Returns a trainer for eight updates."""
    given: dict[str, object] = dict(
        output_dir=folder, per_device_train_batch_size=2, max_steps=8, save_steps=4, learning_rate=1e-2,
        lr_scheduler_type="cosine", logging_steps=1, report_to=[], use_cpu=True, disable_tqdm=True, weight_decay=0.01)
    args = transformers.TrainingArguments(**{**given, **arguments})
    return transformers.Trainer(model, args, train_dataset=rows(),
                                **galore.hf.trainer(model, optim, rank=4, update_proj_gap=3))  # the second line


if __name__ == "__main__":
    trainer("/tmp/galore-cpp-example", "galore_adamw_8bit_layerwise", small_model()).train()
