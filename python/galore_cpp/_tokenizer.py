"""The program's tokenizers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Optional, Union, overload

from galore_cpp import _library

Ids = Sequence[int]
Message = Mapping[str, Any]


class Tokenizer:
    """Turns text into token ids and back. The ids equal those of transformers' AutoTokenizer for the
    same files."""

    def __init__(self, handle: Any) -> None:
        """Is made by from_pretrained()."""
        self._handle = handle
        named = handle.named_ids()
        self.bos_token_id: Optional[int] = named.get("bos")  #: begins a text
        self.eos_token_id: Optional[int] = named.get("eos")  #: ends a text
        self.pad_token_id: Optional[int] = named.get("pad")  #: fills rows
        self.mask_token_id: Optional[int] = named.get("mask")  #: stands for a hidden token
        self.all_special_ids: list[int] = list(handle.special_ids())  #: in ascending order
        self.vocab_size: int = handle.vocab_size()  #: every id is below it; added tokens count

    @classmethod
    def from_pretrained(cls, path: Union[str, "os.PathLike[str]"]) -> Tokenizer:
        """Loads a folder as transformers writes it, or a tokenizer.json or tokenizer.model alone."""
        return cls(_library.call_trainer(_library.trainer().Tokenizer, os.fspath(path)))

    def __len__(self) -> int:
        return self.vocab_size

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        """Returns the ids of a text, with the tokens around it that the tokenizer's configuration asks
        for."""
        return self.encode_batch([text], add_special_tokens)[0]

    def encode_batch(self, texts: Iterable[str], add_special_tokens: bool = True) -> list[list[int]]:
        """Returns the ids of each text. Threads of torch share the work."""
        return [list(ids) for ids in _library.call_trainer(self._handle.encode, list(texts), add_special_tokens)]

    def decode(self, ids: Ids, skip_special_tokens: bool = False) -> str:
        """Returns the text of ids. Bytes that are not valid UTF-8 become U+FFFD."""
        return self.decode_batch([ids], skip_special_tokens)[0]

    def decode_batch(self, rows: Iterable[Ids], skip_special_tokens: bool = False) -> list[str]:
        """Returns the text of each row of ids."""
        plain = [[int(i) for i in row] for row in rows]
        return list(_library.call_trainer(self._handle.decode, plain, skip_special_tokens))

    @overload
    def apply_chat_template(self, messages: Sequence[Message], *, tools: Optional[Sequence[Mapping[str, Any]]] = None,
                            add_generation_prompt: bool = False, tokenize: Literal[True] = True,
                            chat_template: Optional[str] = None, **variables: Any) -> list[int]: ...

    @overload
    def apply_chat_template(self, messages: Sequence[Message], *, tools: Optional[Sequence[Mapping[str, Any]]] = None,
                            add_generation_prompt: bool = False, tokenize: Literal[False],
                            chat_template: Optional[str] = None, **variables: Any) -> str: ...

    def apply_chat_template(self, messages: Sequence[Message], *, tools: Optional[Sequence[Mapping[str, Any]]] = None,
                            add_generation_prompt: bool = False, tokenize: bool = True,
                            chat_template: Optional[str] = None, **variables: Any) -> Union[list[int], str]:
        """Returns the ids of a conversation, or its text without tokenize, as transformers does.

        chat_template is the name of one of the tokenizer's templates or the path of a file; variables are more
        variables of the template.
        """
        chat = {"messages": list(messages), "tools": None if tools is None else list(tools), "variables": variables}
        text: str = _library.call_trainer(self._handle.chat_text, json.dumps(chat, ensure_ascii=False), chat_template or "",
                                          add_generation_prompt)
        return self.encode(text, add_special_tokens=False) if tokenize else text
