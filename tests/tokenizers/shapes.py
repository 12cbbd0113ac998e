"""Small tokenizers of every shape that tokenizer.json can have, trained with the Python package
`tokenizers`.

    python shapes.py OUTPUT_FOLDER TEXT_FILE

Writes one folder with a tokenizer.json for each shape. The text may be any English; the script adds
texts in other scripts.
"""
import json
import pathlib
import struct
import sys

from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors,
                        trainers)

GPT4 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
        r"|\s+(?!\S)|\s+")
QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
         r"|\s+(?!\S)|\s+")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
            r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
KIMI = (r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
OTHER_SCRIPTS = ["naïve café Ångström Straße ŒUVRE İstanbul", "Привет, мир! Съешь же ещё этих булок", "Ελληνικά Σίσυφος",
                 "你好，世界！今天天气很好。", "日本語のテキスト カタカナ ﾊﾝｶｸ", "안녕하세요 세계", "שלום עולם", "مرحبا بالعالم",
                 "नमस्ते दुनिया", "สวัสดีชาวโลก", "😀 😃 👨‍👩‍👧 🇩🇪 👍🏽", "1 12 123 1234 12345 ½ ② Ⅷ ٣٤"]
VOCABULARY = 1500
SPECIAL = ["<s>", "</s>", "<unk>", "<pad>", "<mask>"]
BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def lines(text):
    yield from text.splitlines()
    for _ in range(40):
        yield from OTHER_SCRIPTS


def byte_level_trainer(**more):
    return trainers.BpeTrainer(vocab_size=VOCABULARY, show_progress=False,
                               initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), **more)


def byte_level(text, pre_tokenizer, special, normalizer=None, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(lines(text), byte_level_trainer(special_tokens=special))
    return tokenizer


def split(pattern, **more):
    byte_level_part = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated", **more), byte_level_part])


def gpt2(text):
    return byte_level(text, pre_tokenizers.ByteLevel(add_prefix_space=False), ["<|endoftext|>"])


def gpt2_prefix_space(text):
    return byte_level(text, pre_tokenizers.ByteLevel(add_prefix_space=True), ["<|endoftext|>"])


def llama3(text):
    tokenizer = byte_level(text, split(GPT4), ["<|begin_of_text|>", "<|eot_id|>"], ignore_merges=True)
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A <|begin_of_text|>:1 $B:1",
                                      special_tokens=[("<|begin_of_text|>", 0)])])
    return tokenizer


def qwen2(text):
    return byte_level(text, split(QWEN2), ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], normalizers.NFC())


def o200k(text):
    return byte_level(text, split(O200K), ["<|endoftext|>"])


def deepseek(text):
    first = [pre_tokenizers.Split(Regex(r"\p{N}{1,3}"), "isolated"),
             pre_tokenizers.Split(Regex("[一-龥\u3040-ゟ゠-ヿ]+"), "isolated"),
             pre_tokenizers.Split(Regex(DEEPSEEK), "isolated")]
    last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return byte_level(text, pre_tokenizers.Sequence([*first, last]), ["<｜begin▁of▁sentence｜>"])


def kimi(text):
    return byte_level(text, split(KIMI), ["[BOS]"])


def starcoder(text):
    parts = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    return byte_level(text, pre_tokenizers.Sequence(parts), ["<|endoftext|>"])


def falcon(text):
    parts = [pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=False),
             pre_tokenizers.Digits(), pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")]
    return byte_level(text, pre_tokenizers.Sequence(parts), ["<|endoftext|>"])


def roberta(text):
    tokenizer = byte_level(text, pre_tokenizers.ByteLevel(add_prefix_space=False), SPECIAL)
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0), True, False)
    return tokenizer


def clip(text):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "),
                                                 normalizers.Lowercase()])
    pattern = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "removed", invert=True),
                                                       pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.BPEDecoder("</w>")
    tokenizer.train_from_iterator(lines(text), trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=SPECIAL, show_progress=False, end_of_word_suffix="</w>",
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return tokenizer


def llama_decoder():
    return decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                              decoders.Strip(" ", 1, 0)])


def byte_tokens():
    return [f"<0x{byte:02X}>" for byte in range(256)]


def spm_bpe(text, normalizer, pre_tokenizer=None, fallback=True):
    """Trained on words, and used without pre-tokenizer if the shape has none."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=fallback))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    special = ["<unk>", "<s>", "</s>"]
    tokenizer.train_from_iterator(lines(text), trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=special + (byte_tokens() if fallback else []), show_progress=False, limit_alphabet=150))
    if normalizer:
        tokenizer.normalizer = normalizer
    data = json.loads(tokenizer.to_str())
    data["pre_tokenizer"] = None
    data["added_tokens"] = [t for t in data["added_tokens"] if not t["content"].startswith("<0x")]
    tokenizer = Tokenizer.from_str(json.dumps(data))
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = llama_decoder()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1",
                                                             special_tokens=[("<s>", 1)])
    return tokenizer


def llama2(text):
    return spm_bpe(text, normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]))


def llama2_new(text):
    return spm_bpe(text, None, pre_tokenizers.Metaspace(prepend_scheme="first", split=False))


def gemma(text):
    return spm_bpe(text, normalizers.Replace(" ", "▁"), pre_tokenizers.Split(" ", "merged_with_previous"))


def spm_unknown(text):
    return spm_bpe(text, normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]), fallback=False)


def charsmap():
    """Returns a compiled table with a few of NFKC's rules in the layout of SentencePiece: a double
    array, then texts.
    """
    rules = {"\ufb01": "fi", "e\u0301": "é", "\u00a0": " ", "\u3000": " ", "\t": " ", "\n": " ", "\u200b": "", "Ａ": "A",
             "\uff76\uff9e": "ガ", "½": "1/2", "\r": ""}
    texts, offsets = b"", {}
    for source, target in rules.items():
        offsets[source.encode()] = len(texts)
        texts += target.encode() + b"\0"
    return struct.pack("<I", 4 * len(units := double_array(offsets))) + struct.pack(f"<{len(units)}I", *units) + texts


def double_array(values):
    units = {0: 0}
    used = {0}

    def place(node, keys, depth):
        labels = sorted({key[depth] if depth < len(key) else 0 for key in keys})
        base = next(b for b in range(1, 1 << 20) if all((b ^ label) not in used for label in labels) and (b ^ node) < 1 << 20)
        used.update(base ^ label for label in labels)
        units[node] |= (base ^ node) << 10
        for label in labels:
            child = base ^ label
            if label == 0:
                units[node] |= 1 << 8
                units[child] = 1 << 31 | values[next(key for key in keys if len(key) == depth)]
            else:
                units[child] = label
                place(child, [key for key in keys if depth < len(key) and key[depth] == label], depth + 1)

    place(0, list(values), 0)
    size = (max(units) | 255) + 1
    return [units.get(i, 0) for i in range(size)]


def unigram(text, normalizer, pre_tokenizer, special=("<unk>", "<pad>", "</s>"), **more):
    tokenizer = Tokenizer(models.Unigram())
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.train_from_iterator(lines(text), trainers.UnigramTrainer(
        vocab_size=VOCABULARY, special_tokens=list(special), unk_token="<unk>", show_progress=False, **more))
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def t5(text):
    table = normalizers.Precompiled(charsmap())
    tokenizer = unigram(text, normalizers.Sequence([table, normalizers.Replace(Regex(" {2,}"), " ")]),
                        pre_tokenizers.Metaspace())
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>",
                                                             special_tokens=[("</s>", 2)])
    return tokenizer


def albert(text):
    form = normalizers.Sequence([normalizers.Replace("``", '"'), normalizers.NFKD(), normalizers.StripAccents(),
                                 normalizers.Lowercase()])
    return unigram(text, form, pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]))


def unigram_bytes(text):
    tokenizer = unigram(text, normalizers.Nmt(), pre_tokenizers.Metaspace(prepend_scheme="first"))
    data = json.loads(tokenizer.to_str())
    data["model"]["vocab"] += [[token, -20.0] for token in byte_tokens()]
    data["model"]["byte_fallback"] = True
    tokenizer = Tokenizer.from_str(json.dumps(data))
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="first")])
    return tokenizer


def bert(text, lowercase=True, **more):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase, **more)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.train_from_iterator(lines(text), trainers.WordPieceTrainer(
        vocab_size=VOCABULARY, special_tokens=BERT_SPECIAL, show_progress=False, limit_alphabet=400))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return tokenizer


def bert_cased(text):
    tokenizer = bert(text, lowercase=False, strip_accents=False, handle_chinese_chars=False)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.enable_truncation(12)
    tokenizer.enable_padding(length=8, pad_token="[PAD]", pad_id=0)
    return tokenizer


def word_piece_other(text):
    tokenizer = bert(text)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Strip(), normalizers.NFKC(), normalizers.NFD(),
                                                 normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits(True)])
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    return tokenizer


def word_level(text):
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKD(), normalizers.Strip(left=True, right=False)])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.CharDelimiterSplit("e"), pre_tokenizers.Punctuation("merged_with_previous"),
        pre_tokenizers.Split(" ", "merged_with_next"), pre_tokenizers.FixedLength(4)])
    tokenizer.train_from_iterator(lines(text), trainers.WordLevelTrainer(
        vocab_size=VOCABULARY, special_tokens=SPECIAL, show_progress=False))
    return tokenizer


def ctc(text):
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"(?<=.)|(?=.)"), "isolated")
    tokenizer.train_from_iterator(lines(text), trainers.WordLevelTrainer(
        vocab_size=200, special_tokens=["<pad>", "<unk>", "|"], show_progress=False))
    tokenizer.decoder = decoders.CTC()
    return tokenizer


def unicode_scripts(text):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.UnicodeScripts(), pre_tokenizers.WhitespaceSplit()])
    tokenizer.train_from_iterator(lines(text), trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=["<unk>"], show_progress=False))
    return tokenizer


def added(text):
    tokenizer = byte_level(text, pre_tokenizers.ByteLevel(add_prefix_space=False), ["<s>"],
                           normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()]))
    tokenizer.add_tokens([AddedToken("ﬁn", normalized=True), AddedToken("Word", single_word=True),
                          AddedToken("left", lstrip=True, normalized=False), AddedToken("right", rstrip=True),
                          AddedToken("\n\n", normalized=False), AddedToken("leftmost", normalized=False),
                          AddedToken("ab", normalized=False), AddedToken("abc", normalized=False)])
    tokenizer.add_special_tokens([AddedToken("<both>", lstrip=True, rstrip=True), AddedToken("<|one|>", single_word=True),
                                  AddedToken("<NORM>", normalized=True)])
    return tokenizer


SHAPES = [gpt2, gpt2_prefix_space, llama3, qwen2, o200k, deepseek, kimi, starcoder, falcon, roberta, clip, llama2, llama2_new,
          gemma, spm_unknown, t5, albert, unigram_bytes, bert, bert_cased, word_piece_other, word_level, ctc, unicode_scripts,
          added]


def write_shapes(folder, text, names=()):
    for make in SHAPES:
        if names and make.__name__ not in names:
            continue
        target = pathlib.Path(folder) / make.__name__
        target.mkdir(parents=True, exist_ok=True)
        make(text).save(str(target / "tokenizer.json"), pretty=False)


if __name__ == "__main__":
    write_shapes(sys.argv[1], pathlib.Path(sys.argv[2]).read_text(encoding="utf-8")[:400_000], sys.argv[3:])
