"""Freezes the NF4 codes of bitsandbytes, with double quantization.

Usage: python make_nf4_vectors.py OUTPUT_FILE

Made with torch 2.11.0 and bitsandbytes 0.50.2 on the CPU. The file holds a matrix of 262 groups, so
that the scales have two blocks and the last group is short, and what bitsandbytes makes of it: codes,
codes of the scales, fp32 scales, offset, the two tables of values, and the decoded matrix. One group
is zero and one is tiny.
"""

import sys

import bitsandbytes.functional as bnb
import torch
from safetensors.torch import save_file


def main():
    torch.manual_seed(3)
    matrix = torch.randn(40, 418) * torch.rand(40, 1)
    matrix.view(-1)[:64] = 0
    matrix.view(-1)[64:128] *= 1e-6
    matrix = matrix.bfloat16().float()
    codes, state = bnb.quantize_4bit(matrix, blocksize=64, compress_statistics=True, quant_type="nf4")
    save_file({"matrix": matrix.bfloat16(), "codes": codes.view(-1), "scale_codes": state.absmax,
               "scales": state.state2.absmax, "offset": state.offset.view(1), "values": state.code,
               "map": state.state2.code, "decoded": bnb.dequantize_4bit(codes, state)}, sys.argv[1])


if __name__ == "__main__":
    main()
