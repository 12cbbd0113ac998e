"""Texts that have broken tokenizers, and a seeded generator of more of them."""
import random
import sys
import unicodedata

FIXED = [
    "", " ", "  ", "\n", "\r\n", "\t", "\u3000", "\u00a0", "Hello world", " Hello  world ", "don't I'll we've It'S 'sT",
    "'\u017ft it'\u017ft", "a" * 5000, "ab" * 2500, "é" * 3000, "1", "12", "123", "1234", "12345678901234567890", "3.14159e-10",
    "\u0661\u0662\u0663\u0664 \u00bd \u2167 \u00b2\u00b3", " " * 300, "\n" * 50, " \n \t\r\n\u2028\u2029\u0085x", "a\u0301e\u0308o\u0327\u0301",
    "\u1100\u1161\u11a8 \uac00\u11a8", "\u212b \ufb01n \ufb03 \u2460 \uff21\uff22 \u3392", "\u0130stanbul I\u0307 \u03a3\u03c3\u03c2 \u1e9e\u00df",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f1e9\U0001f1ea \U0001f44d\U0001f3fd \u2764\ufe0f", "\u05e9\u05dc\u05d5\u05dd \u202eabc\u202c \u0645\u0631\u062d\u0628\u0627",
    "\u4f60\u597d\uff0c\u4e16\u754c\uff01\u3053\u3093\u306b\u3061\u306f\u30ab\u30bf\u30ab\u30ca\u30fc", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u0928\u092e\u0938\u094d\u0924\u0947 \uc548\ub155",
    "\x00nul\x01\x7f\ufffd\ufeff\u200b", "\U0010ffff \U000e0001 \ue000 \U0001fae8 \U0001e4d0 \u0898 \U00010d4a \U00011f02 \U00031350", "#@!$%^&*()_+-=[]{}|;':\",./<>?`~",
    "http://example.org/a?b=c&d=%20#e user@mail.com", "def f(x):\n    return x  # \u00bfqu\u00e9?\n\n\n", "<s></s><unk><pad><mask>", "a <s> b </s>c <mask>d",
    " <mask> x <both> y", "[CLS] a[SEP][MASK] [UNK]", "<|endoftext|>x <|endoftext|> <|im_start|>user\nhi<|im_end|>\n", "<0x41><0x0A> <s", "\u2581raw\u2581 \u2581\u2581x",
    "leftmost  left right  fin FIN \ufb01n Word Words ab abc \n\n\n", "x <|one|> <|one|>y <NORM> <norm>", "``quoted'' \"x\" \u201cy\u201d",
    "The quality of mercy is not strained; it droppeth as the gentle rain from heaven.", "ROMEO: Ay me!\n\nJULIET:\nO Romeo, Romeo!",
]
PIECES = FIXED[8:] + ["the", " the", "ing", "'s", "'S", "'\u017f", "n't", " do not", "\r\n", "  ", " ", " ", " ", "0", "7", "42", "2024", "\u0301",
                      "\u200d", "\ufe0f", "\U0001f1e9", "<s>", "</s>", "<mask>", "<pad>", "<|endoftext|>", "[SEP]", "[MASK]", "<unk>",
                      "<|im_start|>", "left", "right", "Word", "ab", "abc", "<both>", "<|one|>", "\u2581", "e\u0301", "\ufb01n", "\u0130"]


def by_category():
    """Returns the assigned code points by general category, so that every category is drawn equally
    often.
    """
    found = {}
    for c in range(0x110000):
        if not 0xD800 <= c <= 0xDFFF:
            found.setdefault(unicodedata.category(chr(c)), []).append(chr(c))
    return list(found.values())


CATEGORIES = by_category()
BLOCKS = [(0x20, 0x7f), (0xa0, 0x250), (0x300, 0x370), (0x370, 0x530), (0x590, 0x700), (0x900, 0xd80), (0xe00, 0xf00), (0x1100, 0x1200),
          (0x1e00, 0x2070), (0x2070, 0x2c00), (0x3000, 0x3400), (0x4e00, 0x5000), (0xac00, 0xad00), (0xf900, 0x10000), (0x10000, 0x11000),
          (0x1f000, 0x1fb00)]


def random_text(rng):
    parts = []
    for _ in range(rng.choice((1, 2, 3, 5, 8, 13))):
        kind = rng.randrange(8)
        if kind == 0:
            parts.append(rng.choice(rng.choice(CATEGORIES)))
        elif kind == 1:
            block = rng.choice(BLOCKS)
            parts.append("".join(chr(rng.randrange(*block)) for _ in range(rng.randrange(1, 8))))
        elif kind == 2:
            parts.append("".join(rng.choice("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(rng.randrange(1, 12))))
        elif kind == 3:
            parts.append(rng.choice((" ", "\n", "\t", "\r\n", "\u00a0", "\u3000")) * rng.choice((1, 1, 2, 3, 7)))
        elif kind == 4:
            parts.append("".join(rng.choice("0123456789") for _ in range(rng.randrange(1, 9))))
        elif kind == 5:
            parts.append(rng.choice("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") * rng.choice((1, 1, 2, 3)))
        else:
            parts.append(rng.choice(PIECES))
        if rng.randrange(3) == 0:
            parts.append(" ")
    return "".join(parts)


def texts(count, seed):
    rng = random.Random(seed)
    return FIXED + [random_text(rng) for _ in range(count)]


if __name__ == "__main__":
    print(*map(repr, texts(int(sys.argv[1]), 1)), sep="\n")
