"""Compares the cost of training steps: all weights, adapters, factored layers, and LoRA by peft.

    python bench/adapters.py GALORE [--peft PYTHON] [--rounds 3] [--steps 2] [--threads 1] [--dtype float32]

Each round runs every case once, one after the other, and prints a JSON line for each. A step is 2,048 tokens of the model
130m. Its cost is processor seconds (user and system), which depend little on other programs that run beside: the
seconds of a run with STEPS more steps less those of a run without them. The last lines are medians over rounds of the
ratio to AdamW of the same round. PYTHON has torch, transformers and peft.
"""
import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys

ROWS, LENGTH = 8, 256
CASES = {
    "adamw": [],
    "lora r=16": ["--adapter", "lora", "--adapter_args", "r=16"],
    "cola r=256": ["--adapter", "cola", "--adapter_args", "r=256"],
    "cola r=192": ["--adapter", "cola", "--adapter_args", "r=192"],
    "sltrain stored": ["--adapter", "sltrain", "--adapter_args", "r=256"],
    "sltrain regenerated": ["--adapter", "sltrain", "--adapter_args", "r=256,support=regenerated"],
    "lora r=16, nf4": ["--adapter", "lora", "--adapter_args", "r=16", "--quantization", "nf4"],
}


def processor_seconds(command, environment):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)}: {result.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def cost(command_of, options):
    """Returns the processor seconds of a step."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads)}
    few, many = (processor_seconds(command_of(steps), environment) for steps in (1, 1 + options.steps))
    return (many - few) / options.steps


def galore_command(options, case):
    return lambda steps: [options.galore, "bench", "--model_size", "130m", "--max_length", str(LENGTH), "--dtype", options.dtype,
                          "--per_device_train_batch_size", str(ROWS), "--optim", "adamw_torch", "--threads", str(options.threads),
                          "--bench_steps", str(steps), "--json", *case]


def peft_command(options):
    return lambda steps: [options.peft, str(pathlib.Path(__file__).resolve()), options.galore, "--peft-steps", str(steps),
                          "--threads", str(options.threads), "--dtype", options.dtype]


def run_peft(options):
    """Runs steps of LoRA by peft on transformers, as its users would: eager layers, sdpa attention, AdamW."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM
    torch.set_num_threads(options.threads)
    config = LlamaConfig(vocab_size=32000, hidden_size=768, intermediate_size=2048, num_hidden_layers=12, num_attention_heads=12,
                         max_position_embeddings=1024)
    model = LlamaForCausalLM(config).to(getattr(torch, options.dtype))
    model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=16, lora_alpha=8, target_modules="all-linear"))
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=1e-4)
    for _ in range(options.peft_steps):
        ids = torch.randint(0, 32000, (ROWS, LENGTH))
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("galore")
    parser.add_argument("--peft")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--cases", default=",".join(CASES), help="names joined by commas outside of names")
    parser.add_argument("--peft-steps", type=int)
    options = parser.parse_args()
    if options.peft_steps:
        return run_peft(options)
    commands = {name: galore_command(options, case) for name, case in CASES.items() if name in options.cases}
    if options.peft:
        commands["peft lora r=16"] = peft_command(options)
    ratios = {name: [] for name in commands}
    for number in range(options.rounds):
        costs = {}
        for name, command in commands.items():
            costs[name] = cost(command, options)
            print(json.dumps({"round": number, "case": name, "dtype": options.dtype, "threads": options.threads,
                              "processor_seconds_per_step": round(costs[name], 3)}), flush=True)
            ratios[name].append(costs[name] / costs["adamw"])
    for name, values in ratios.items():
        print(json.dumps({"case": name, "of_adamw": round(statistics.median(values), 3), "rounds": [round(v, 3) for v in values]}))


if __name__ == "__main__":
    main()
