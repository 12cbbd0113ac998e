"""Reads and writes safetensors files (https://github.com/huggingface/safetensors, README,
"Format")."""

from __future__ import annotations

import ctypes
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Union

import torch

Path = Union[str, "os.PathLike[str]"]

_NAMES = {torch.float64: "F64", torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16", torch.int64: "I64",
          torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL"}
_TYPES = {name: dtype for dtype, name in _NAMES.items()}


def _memory(tensor: torch.Tensor) -> memoryview:
    size = tensor.numel() * tensor.element_size()
    return memoryview((ctypes.c_char * size).from_address(tensor.data_ptr())).cast("B") if size else memoryview(b"")


def write(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Writes a file of tensors beside its place and renames it, so that no reader sees half of
    it."""
    # Tensors with larger elements come first, so that every tensor is aligned.
    ordered = sorted(tensors.items(), key=lambda item: -item[1].element_size())
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, tensor in ordered:
        size = tensor.numel() * tensor.element_size()
        header[name] = {"dtype": _NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    target = pathlib.Path(path)
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with open(beside, "wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for _, tensor in ordered:
                whole = tensor.detach().cpu().contiguous()
                file.write(_memory(whole))
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def read(path: Path) -> dict[str, torch.Tensor]:
    """Returns the tensors of a file by name, on the CPU."""
    tensors = {}
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        total = os.fstat(file.fileno()).st_size
        if size > total - 8:
            raise ValueError(f"[state] {path}: expected a safetensors file, given one with a header of {size} bytes")
        header = json.loads(file.read(size))
        header.pop("__metadata__", None)
        for name, entry in header.items():
            begin, end = entry["data_offsets"]
            tensor = torch.empty(entry["shape"], dtype=_TYPES[entry["dtype"]])
            if end - begin != tensor.numel() * tensor.element_size() or 8 + size + end > total:
                raise ValueError(f"[state] {path}: {name}: expected {tensor.numel()} numbers, given another size")
            file.seek(8 + size + begin)
            file.readinto(_memory(tensor))
            tensors[name] = tensor
    return tensors
