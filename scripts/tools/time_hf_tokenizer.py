#!/usr/bin/env python3
"""How fast Hugging Face's `tokenizers` encodes a text with one thread, to hold the base tokenizer against.

    time_hf_tokenizer.py TOKENIZER.JSON TEXT

Prints MB/s of text (UTF-8 bytes) and the number of ids: of the whole text at once, and of its pages (parted by two empty lines).
`phi2 adapt --threads 1 --held-out TEXT --json FILE` gives the same figures of Trisect's tokenizer, base and patched.
"""
import os, sys, time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
import tokenizers


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    tokenizer = tokenizers.Tokenizer.from_file(sys.argv[1])
    with open(sys.argv[2], encoding="utf-8", errors="replace", newline="") as file:
        text = file.read()
    megabytes = len(text.encode()) / 1e6
    for what, parts in (("whole", [text]), ("pages", text.split("\n\n\n"))):
        start = time.perf_counter()
        ids = sum(len(tokenizer.encode(part, add_special_tokens=False).ids) for part in parts)
        seconds = time.perf_counter() - start
        print(f"tokenizers {tokenizers.__version__}, {what}: {megabytes / seconds:.2f} MB/s, {ids} ids")


if __name__ == "__main__":
    main()
