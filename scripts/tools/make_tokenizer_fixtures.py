#!/usr/bin/env python3
"""Golden token ids for a tokenizer.json, from the `tokenizers` library.

    make_tokenizer_fixtures.py TOKENIZER.JSON OUT.json --name NAME

The file holds texts and ids only, nothing of the tokenizer itself:
    {"tokenizer": NAME, "library": "tokenizers X.Y", "cases": [{"text": ..., "ids": [...], "decoded": ...}]}
`decoded` is what the ids decode to with special tokens kept and no clean-up; it equals `text` whenever the tokenizer is lossless.
Everything is ASCII (\\u escapes), the order is fixed, and the random strings come from a seed, so that a rerun gives the same file.
"""
import argparse, json, pathlib, random, sys, unicodedata
import tokenizers

END = "<|endoftext|>"

FIXED = [
    "", " ", "  ", "\n", "\t", "a", "Hello world", "return n", " return", "a  b", "a   b", "a\n\nb", "a \n b", "end  ", "end \n", "end\n\n\n",
    # contractions: lower case ASCII only, and they match anywhere
    "don't DON'T I'll I'LL we've we'Ve they're y'all it's IT'S he'd I'm", "'s 't 're 've 'm 'll 'd", "x's's'll'llama 'dog 'stop 'tis 'mid 'replay",
    "don\u2019t we\u2019ve \u2018quoted\u2019 \u201cdouble\u201d", "''s ''' '\u2019s", "can't've", "'S 'Re", " 's  't",
    # code
    "if x:\n        return y", "def f(a, b=2):\n    if a:\n\treturn b\n    \treturn a\n", "for (int i=0;i<n;++i) { a[i] += 0x1F; }\n",
    "SELECT * FROM t1 WHERE x>=?1 AND y IS NOT NULL;", "PRAGMA journal_mode=WAL;\n", "a->b::c<d>(e); // note\n/* x */", "C:\\Users\\x\\n", "!!!???...---", "$%^&*()",
    ">>> import sys\n>>> print(sys.argv[1:])\n['a', 'b']\n", "https://example.org/a?b=c&d=%20#e", "user@example.org", "__init__ _x x_ snake_case CamelCase",
    # numbers: \p{N} covers fractions, Roman numerals and every script's digits
    "1234567890 3.14159 1,000,000 1e-5 0x7f", "\u00bd \u2167 \u0968 \u0663 \u2460 \u00b2 x\u00b2 \uff11 \U0001d7d8", "2024\u5e74", "a1b2c3", "\u0e51\u0e52 \u3007 \u4e00\u4e8c\u4e09",
    # scripts
    "na\u00efve caf\u00e9 r\u00e9sum\u00e9 \u00c5ngstr\u00f6m \u00df \u1e9e", "cafe\u0301 e\u0301 \u0301x a\u0300\u0323b", "\u4f60\u597d\uff0c\u4e16\u754c\u3002", "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8",
    "\ud55c\uad6d\uc5b4 \uc815 \u1112\u1161\u11ab", "\u0440\u0443\u0441\u0441\u043a\u0438\u0439 \u0442\u0435\u043a\u0441\u0442", "\u05e2\u05d1\u05e8\u05d9\u05ea \u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u0645\u064e", "\u0939\u093f\u0928\u094d\u0926\u0940 \u0ba4\u0bae\u0bbf\u0bb4\u0bcd", "\u0e44\u0e17\u0e22", "\u03b5\u03bb\u03bb\u03b7\u03bd\u03b9\u03ba\u03ac \u03a3\u03c2",
    "\u01c5 \u02b0 \u00aa \u00ba \ua78f", "\U00010400\U00010428 \U0001d400\U0001d7ce \U00020000\U0002a6d6", "\u1c89\u1c8a", "\u2c2f\u2c5f", "\U00031350",
    # emoji: modifiers, joiners, flags, keycaps, variation selectors
    "\U0001f44d\U0001f3fd", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 family", "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", "1\ufe0f\u20e3 \u2764\ufe0f", " \U0001f600 a\U0001f600b \U0001f600\U0001f600",
    # white space: the 25 White_Space code points, and the ones that only look like it
    "a\u00a0b \u00a0 c", "a\u3000b\u3000\u3000c", "a\u0085b \u0085", "a\u1680b\u2003 \u2009c\u2028d\u2029e\u202ff\u205fg", "a\u200bb\ufeffc\u2060d\u180ee", "\ufeffstart",
    "a\r\nb", "a\r\n\r\nb\r\n", "\r", "\r \n", "\x0b\x0c x", "a \x0b b", " \tx", "\t\t\tx", "\t \t x \t", " \n \n ", "x \n\n  y", "\n \n\tz", "a\x1cb\x1dc\x1ed\x1fe",
    # control characters and other odd code points
    "\x00", "a\x00b\x00", "\x01\x02\x03\x1b[31mred\x1b[0m\x7f", "\x80\x81\x9f \xad soft", "\ufffd", "\ufffe\uffff", "\ue000 \U000f0000 \U0010ffff", "\u0378 \u0380 \U0001fffe",
    # added tokens in the text
    END, f"x{END}y", f" {END} ", f"{END}{END}", "<|endoftext|", "<|ENDOFTEXT|>", "<|end<|endoftext|>oftext|>", f"a  {END}  b",
    # long pieces of one class
    "a" * 100, "ab" * 64, "x" * 1000, "1" * 77, "!" * 65, "\n" * 33, "\u00e9" * 40, "\u4e2d" * 20, "\U0001f600" * 9, "-" * 120, "=" * 17 + "\n", "\r\n" * 9,
]


def classes():
    """One text for each general category: up to 12 code points, spread over the ranges, alone and between letters."""
    by = {}
    for c in range(0x110000):
        cat = unicodedata.category(chr(c))
        if cat not in ("Cs",): by.setdefault(cat, []).append(c)
    for cat in sorted(by):
        pick = by[cat][:: max(1, len(by[cat]) // 12)][:12]
        yield "".join(map(chr, pick))
        yield "".join(f"a{chr(c)} {chr(c)}b" for c in pick)


def seeded(count, seed):
    rng = random.Random(seed)
    words = ("the of select index don't DON'T I'll we've table database 's 'll 'T return if x n 12 3.5 2024 0 \u00bd \u2167 \u0968 caf\u00e9 e\u0301 na\u00efve "
             "\u4f60\u597d \u65e5\u672c \u0440\u0443\u0441 \u0627\u0644 \ud55c \U0001f44d\U0001f3fd \U0001f468\u200d\U0001f469 . , ; ( ) == -> // ' '' \u2019 \u2019s \" $ _ __ \\ @ # ... --- aaaaaaa").split()
    gaps = ["", "", " ", " ", " ", "  ", "   ", " " * 4, " " * 7, " " * 8, " " * 17, "\n", "\n\n", "\r\n", "\t", "\t\t", " \t", "\n    ", "\n\t", "\u00a0", "\u3000", "\u0085", "\u2028",
            " \u00a0 ", "\x0b", "\x0c", "\x00", "\x1f", "\u200b", "\ufeff", END]
    for _ in range(count):
        n, text = rng.randint(1, 14), ""
        for _ in range(n):
            if rng.random() < 0.85: text += rng.choice(words)
            else:
                c = rng.choice([rng.randrange(0x20, 0x250), rng.randrange(0x250, 0xd800), rng.randrange(0xe000, 0x20000)])
                text += chr(c)
            if rng.random() < 0.8: text += rng.choice(gaps)
        yield text


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("tokenizer", type=pathlib.Path)
    ap.add_argument("out", type=pathlib.Path)
    ap.add_argument("--name", required=True)
    ap.add_argument("--random", type=int, default=300)
    ap.add_argument("--text", type=pathlib.Path, action="append", default=[], help="also take 12 passages of 600 characters from this file")
    args = ap.parse_args()

    tok = tokenizers.Tokenizer.from_file(str(args.tokenizer))
    texts = list(FIXED)
    for n in range(1, 41):
        texts += [" " * n + "x", "y" + " " * n, f"a\n{' ' * n}b"]
    for n in range(1, 13):
        texts += ["\t" * n + "x", f"a{' ' * n}\t{' ' * (13 - n)}b"]
    added = json.loads(args.tokenizer.read_text(encoding="utf-8")).get("added_tokens", [])
    texts += [f"p{t['content']}q {t['content']} r" for t in added]
    texts += classes()
    for path in args.text:
        body = path.read_text(encoding="utf-8")
        texts += [body[i:i + 600] for i in range(0, len(body) - 600, max(1, (len(body) - 600) // 12))][:12]
    texts += seeded(args.random, 20240607)
    texts = list(dict.fromkeys(texts))

    cases, lossy = [], 0
    for t in texts:
        ids = tok.encode(t, add_special_tokens=True).ids
        decoded = tok.decode(ids, skip_special_tokens=False)
        lossy += decoded != t
        cases.append({"text": t, "ids": ids, "decoded": decoded})
    head = json.dumps({"tokenizer": args.name, "library": f"tokenizers {tokenizers.__version__}"})[:-1]
    rows = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(f'{head}, "cases": [\n{rows}\n]}}\n')
    print(f"{args.out}: {len(cases)} cases, {lossy} of them do not decode to themselves, {args.out.stat().st_size} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
