#!/usr/bin/env python3
"""Supervised fine-tuning by TRL with a layer-wise optimizer."""

import datasets
import trl
from hf_trainer import rows, small_model

import galore_cpp as galore


def main(folder: str = "/tmp/galore-cpp-example", optim: str = "galore_adamw_8bit_layerwise") -> list[dict[str, float]]:
    """Trains for three updates and returns the log."""
    model = small_model()
    data = datasets.Dataset.from_list([{"input_ids": row["input_ids"].tolist()} for row in rows()])
    args = trl.SFTConfig(output_dir=folder, per_device_train_batch_size=2, gradient_accumulation_steps=2, max_steps=3,
                         logging_steps=1, report_to=[], use_cpu=True, disable_tqdm=True, bf16=False, max_length=None,
                         dataset_kwargs={"skip_prepare_dataset": True}, gradient_checkpointing=False)
    from transformers import PreTrainedTokenizerFast
    from tokenizers import Tokenizer, models
    words = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"<pad>": 0}, "<pad>")), pad_token="<pad>",
                                    eos_token="<pad>")
    trainer = trl.SFTTrainer(model, args, train_dataset=data, processing_class=words,
                             **galore.hf.trainer(model, optim, rank=4))
    trainer.train()
    return trainer.state.log_history


if __name__ == "__main__":
    print(main())
