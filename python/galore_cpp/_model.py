"""Language models that the program has trained or can read: logits, losses, generated text,
conversations."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Optional, Union, overload

import torch

from galore_cpp import _library
from galore_cpp._tokenizer import Tokenizer
from galore_cpp._worker import Worker, keywords

Ids = Union[torch.Tensor, Sequence[int], Sequence[Sequence[int]]]


def _pieces(generation: Any) -> Iterator[str]:
    with Worker(generation) as worker:
        yield from worker.texts()


def _finished(generation: Any) -> Any:
    for _ in _pieces(generation):
        pass
    return generation


class Chat:
    """A conversation. The model computes each token of it once."""

    def __init__(self, handle: Any) -> None:
        """Is made by Model.chat()."""
        self._handle = handle

    def say(self, message: str) -> str:
        """Returns the reply to a message; both become part of the conversation."""
        return str(_finished(self._handle.answer(message)).text())

    def stream(self, message: str) -> Iterator[str]:
        """Gives the reply piece by piece. Leaving early leaves the conversation as it was before the
        message."""
        return _pieces(self._handle.answer(message))

    def reset(self) -> None:
        """Forgets everything but the system message."""
        self._handle.reset()


class Model:
    """A causal language model for evaluation and generation, without autograd."""

    def __init__(self, handle: Any) -> None:
        """Is made by load_model()."""
        self._handle = handle
        self.config: dict[str, Any] = json.loads(handle.config())  #: config.json
        #: None for a model without one
        self.tokenizer: Optional[Tokenizer] = Tokenizer(handle.tokenizer()) if handle.has_tokenizer() else None

    def logits(self, ids: Ids) -> torch.Tensor:
        """Returns the logits of the next token at each position in fp32, [rows, length, vocabulary] or,
        for one row, [length, vocabulary]."""
        rows = torch.as_tensor(ids, dtype=torch.long)
        found: torch.Tensor = _library.call_trainer(self._handle.logits, rows[None] if rows.dim() == 1 else rows)
        return found[0] if rows.dim() == 1 else found

    def loss(self, ids: Ids, labels: Optional[Ids] = None) -> float:
        """Returns the mean cross entropy of the labels, which are shifted here as in transformers; -100
        does not count. The ids are the labels if there are no others."""
        rows = torch.as_tensor(ids, dtype=torch.long)
        targets = rows if labels is None else torch.as_tensor(labels, dtype=torch.long)
        if targets.shape != rows.shape:
            raise ValueError(f"[labels] expected the shape of ids, {list(rows.shape)}, given {list(targets.shape)}")
        size = (1, -1) if rows.dim() == 1 else rows.shape
        total, count = _library.call_trainer(self._handle.loss, rows.reshape(size), targets.reshape(size))
        return float(total / count) if count else float("nan")

    def _generation(self, prompt: Union[str, Sequence[int]], options: dict[str, Any]) -> Any:
        if isinstance(prompt, str):
            return _library.call_trainer(self._handle.continue_text, prompt, keywords(options))
        return _library.call_trainer(self._handle.continue_ids, [int(i) for i in prompt], keywords(options))

    @overload
    def generate(self, prompt: str, **options: Any) -> str: ...

    @overload
    def generate(self, prompt: Sequence[int], **options: Any) -> list[int]: ...

    def generate(self, prompt: Union[str, Sequence[int]], **options: Any) -> Union[str, list[int]]:
        """Continues a text, or a sequence of ids, and returns what is new.

        options are those of `galore generate`: max_new_tokens, do_sample, temperature, top_h,
        top_k, top_p, min_p, repetition_penalty, stop_strings, seed. Defaults come from
        generation_config.json.
        """
        found = _finished(self._generation(prompt, options))
        return str(found.text()) if isinstance(prompt, str) else list(found.ids())

    def stream(self, prompt: Union[str, Sequence[int]], **options: Any) -> Iterator[str]:
        """Gives the new text piece by piece, as generate() does at once. Leaving the loop ends the
        generation."""
        if self.tokenizer is None:
            raise ValueError("[generate] expected a model with a tokenizer, or tokenizer_name")
        return _pieces(self._generation(prompt, options))

    def chat(self, system: str = "", **options: Any) -> Chat:
        """Begins a conversation. options are those of generate(), chat_template, and
        chat_template_kwargs."""
        template = options.get("chat_template_kwargs")
        if isinstance(template, dict):
            options["chat_template_kwargs"] = json.dumps(template)
        return Chat(_library.call_trainer(self._handle.chat, keywords({"system": system, **options})))


def load_model(path: Union[str, "os.PathLike[str]"], *, threads: Optional[int] = None, **options: Any) -> Model:
    """Loads a language model from a folder as transformers writes it, or from a checkpoint of
    train().

    options are those of `galore generate`: tokenizer_name, adapter_name_or_path, dtype ("float32"
    or "bfloat16"), device, and those of quantization. threads is the number of processors; None:
    torch's number now.
    """
    chosen = {"model_name_or_path": path, "threads": torch.get_num_threads() if threads is None else threads, **options}
    handle = _library.call_trainer(_library.trainer().Model, keywords(chosen))
    for note in handle.notes():
        warnings.warn(note, stacklevel=2)
    return Model(handle)
