#!/usr/bin/env python3
"""From Debian documentation packages to training tokens, held-out texts and a tokenizer.

    prepare.py --build BUILD [--texts DIR] [--model DIR]

Downloads the packages with apt-get (set by name, printed with version), turns each HTML page into plain text, splits whole pages
into training and held-out by a hash of the page's name, removes from the training side every long paragraph that the held-out side
also has, trains the tokenizer on the training side, and writes

    BUILD/train.bin        token ids, uint16, pages joined by <|endoftext|>
    BUILD/domain-all.txt   all training pages of the SQLite documentation (for fine-tuning; not in the repository)
    DIR/general.txt        held-out pages of the Python and PostgreSQL manuals
    DIR/domain.txt         held-out pages of the SQLite documentation
    DIR/domain-train.txt   training pages of the SQLite documentation (for building a patch vocabulary)
    DIR/calibration.txt    a sample of training pages from all three
    MODEL/tokenizer.json   and tokenizer_config.json
"""
import argparse, collections, hashlib, html.parser, json, pathlib, re, subprocess
import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

VOCAB = 4096            # rows of the embedding; the tokenizer uses 4032 of them, the last 64 are padding rows as phi-2 has 905
BPE = 4016
END = "<|endoftext|>"
SPACES = [" " * n for n in range(16, 1, -1)]

# name -> (package, folder of pages, corpus, percent held out)
SOURCES = {
    "sqlite": ("sqlite3-doc", "usr/share/doc/sqlite3", "domain", 12),
    "postgresql": ("postgresql-doc-15", "usr/share/doc/postgresql-doc-15/html", "general", 3),
    "python": ("python3.11-doc", "usr/share/doc/python3.11/html", "general", 3),
}
# Indexes, link tables, generated cross references, redirects, and pages that repeat others whole.
SKIP = re.compile(r"crossref|keyword_index|sitemap|syntaxdiagrams|requirements\.html|genindex|py-modindex|contents\.html|search\.html|"
                  r"bookindex|capi3ref\.html|^changes\.html|fileformat\.html|(^|/)index\.html|doclist|toc\.html|"
                  r"copyright|license\.html|legalnotice|consortium|codeofconduct|codeofethics|whatsnew/changelog|backlink|funclist|objlist|constlist|vtablist|"
                  r"^syntax/|pressrelease|hp1\.html|_static/|_sources/|unicode-letters")

BLOCK = set("p div table tr ul ol dl dt dd li h1 h2 h3 h4 h5 h6 blockquote hr section article body pre br".split())
DROP = set("script style svg head title form button nav noscript select option input".split())
VOID = set("br hr img input meta link col wbr area base".split())
DROP_CLASS = set("navheader navfooter toc nosearch headerlink related sphinxsidebar clearer fancy_toc imgcontainer "
                 "tooltip tocwrapper".split())
PLAIN = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u00a0": " ", "\u2026": "...", "\u2013": "-",
                       "\u2014": "--", "\u200b": "", "\u2192": "->", "\t": "    ", "\r": None, "\u00b6": None, "\u00a7": None})


class Page(html.parser.HTMLParser):
    """The readable text of a page: headings as '# ', list items as '* ', code as it stands."""

    def __init__(self, sphinx):
        super().__init__(convert_charrefs=True)
        self.out, self.stack, self.dropped, self.pre = [], [], 0, 0
        self.live = not sphinx                      # Sphinx pages: only <div role="main">

    def handle_starttag(self, tag, attrs):
        a = dict(attrs)
        if tag in VOID:
            if tag == "br" and not self.dropped: self.out.append("\n")
            return
        drop = tag in DROP or bool(DROP_CLASS & set((a.get("class") or "").split()))
        main = a.get("role") == "main"
        if tag in ("p", "li", "tr", "td", "th", "dt", "dd"):   # unclosed in old HTML
            self.close_open(tag)
        self.stack.append((tag, drop, main))
        self.dropped += drop
        self.live |= main
        if self.dropped or not self.live: return
        if "fancy_title" in (a.get("class") or ""): self.out.append("\n\n# ")
        elif tag == "pre": self.pre += 1; self.out.append("\n\n\x01")
        elif tag in ("td", "th"): self.out.append("" if self.out and self.out[-1].endswith("\n") else "  ")
        elif tag == "tr" or tag == "dt": self.out.append("\n")
        elif tag == "li": self.out.append("\n\n* ")
        elif tag in ("h1", "h2", "h3", "h4"): self.out.append("\n\n" + "#" * int(tag[1]) + " ")
        elif tag in BLOCK and not (self.out and self.out[-1] == "\n\n* "): self.out.append("\n\n")

    def close_open(self, tag):
        group = {"td": ("td", "th"), "th": ("td", "th"), "dt": ("dt", "dd"), "dd": ("dt", "dd")}.get(tag, (tag,))
        fence = ("table", "ul", "ol", "dl", "div", "pre", "body", "section")
        for i in range(len(self.stack) - 1, -1, -1):
            if self.stack[i][0] in group:
                while len(self.stack) > i: self.pop()
                return
            if self.stack[i][0] in fence: return

    def pop(self):
        tag, drop, main = self.stack.pop()
        if tag == "pre" and not self.dropped and self.live: self.pre -= 1; self.out.append("\x02\n\n")
        elif tag in BLOCK and not self.dropped: self.out.append("\n" if tag in ("tr", "dt") else "\n\n")
        self.dropped -= drop
        if main: self.live = False

    def handle_endtag(self, tag):
        if any(t == tag for t, _, _ in self.stack):
            while self.stack[-1][0] != tag: self.pop()
            self.pop()

    def handle_data(self, data):
        if self.live and not self.dropped:
            self.out.append(data if self.pre else re.sub(r"[ \t\r\n\u00a0]+", " ", data))

    def text(self):
        blocks = re.split(r"\x01(.*?)\x02", "".join(self.out).translate(PLAIN), flags=re.S)   # prose, code, prose, ...
        for i, b in enumerate(blocks):
            if i % 2:
                blocks[i] = "\n".join(l.rstrip() for l in b.split("\n")).strip("\n")
            else:
                b = "\n".join(l.strip() for l in b.split("\n"))
                b = re.sub(r"^(#+|\*)\s+(?=[^#*\s])", r"\1 ", b, flags=re.M)
                blocks[i] = re.sub(r"^#+ *$", "", re.sub(r" +$", "", b, flags=re.M), flags=re.M)
        text = re.sub(r"\n{3,}", "\n\n", "\n\n".join(b.strip("\n") for b in blocks if b.strip())).strip()
        return re.sub(r"\n+(# )?This page last modified on.*", "", text, flags=re.S)


def pages(build):
    """(source, page name, text), in a fixed order."""
    for source, (package, folder, *_) in SOURCES.items():
        root = build / package
        if not root.exists():
            subprocess.run(["apt-get", "download", package], cwd=build, check=True)
            deb, = build.glob(f"{package}_*.deb")
            subprocess.run(["dpkg", "-x", deb, root], check=True)
        print("package", *[d.stem for d in build.glob(f"{package}_*.deb")])
        for path in sorted((root / folder).rglob("*.html")):
            name = str(path.relative_to(root / folder))
            if SKIP.search(name) or path.is_symlink(): continue
            page = Page(source == "python")
            page.feed(path.read_bytes().decode("utf-8", "replace"))
            page.close()
            text = page.text()
            if len(text) > 300: yield source, name, text


def held_out(source, name):
    digest = hashlib.sha256(f"trisect/{source}/{name}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100 < SOURCES[source][3]


def key(paragraph):
    return re.sub(r"\W+", " ", paragraph).lower().strip()


def words(text):
    w = key(text).split()
    return {hash(tuple(w[i:i + 8])) for i in range(len(w) - 7)}


def without_repeats(text, seen):
    """Drops paragraphs of 60 letters or more that `seen` holds, and adds the rest to it."""
    keep = []
    for p in text.split("\n\n"):
        k = key(p)
        if len(k) >= 60:
            if k in seen: continue
            seen.add(k)
        keep.append(p)
    return "\n\n".join(keep)


def train_tokenizer(texts):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tok.decoder = decoders.ByteLevel()
    # Runs of spaces become added tokens, which are cut out before the merges apply; so merges are learnt without them.
    pieces = (piece for t in texts for piece in re.split(r" {2,}", t))
    tok.train_from_iterator(pieces, trainers.BpeTrainer(vocab_size=BPE, show_progress=False,
                                                        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    assert tok.get_vocab_size() == BPE
    tok.add_special_tokens([AddedToken(END, special=True, normalized=False)])
    tok.add_tokens([AddedToken(s, normalized=False) for s in SPACES])
    assert tok.token_to_id(END) == BPE
    return tok


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--build", type=pathlib.Path, required=True)
    ap.add_argument("--texts", type=pathlib.Path, default=pathlib.Path("integration/texts"))
    ap.add_argument("--model", type=pathlib.Path, default=pathlib.Path("integration/models/phi-mini"))
    args = ap.parse_args()
    for d in (args.build, args.texts, args.model): d.mkdir(parents=True, exist_ok=True)

    seen, held, train = set(), [], []
    every = list(pages(args.build))
    for source, name, text in every:
        if held_out(source, name): held.append((source, name, without_repeats(text, seen)))
    for source, name, text in every:
        if not held_out(source, name):
            text = without_repeats(text, seen)
            if len(text) > 300: train.append((source, name, text))

    # A held-out page that still shares more than a tenth of its 8-word runs with the training side is nobody's: dropped.
    known = set().union(*(words(t) for _, _, t in train))
    fresh = []
    for source, name, text in held:
        w = words(text)
        shared = len(w & known) / max(1, len(w))
        if len(text) > 300 and shared <= 0.10: fresh.append((source, name, text))
        else: print(f"dropped {source}/{name}: {len(text)} characters, {shared:.2f} shared")
    split = {"train": [f"{s}/{n}" for s, n, _ in train], "held_out": [f"{s}/{n}" for s, n, _ in fresh]}
    (args.build / "split.json").write_text(json.dumps(split, indent=0))

    def write(name, texts):
        (args.texts / name).write_text("\n\n\n".join(texts) + "\n", encoding="utf-8")

    kind = lambda s: SOURCES[s][2]
    for corpus in ("general", "domain"):
        write(f"{corpus}.txt", [t for s, _, t in fresh if kind(s) == corpus])
    order = lambda s, n: hashlib.sha256(f"order/{s}/{n}".encode()).digest()
    shuffled = sorted(train, key=lambda p: order(p[0], p[1]))

    def sample(keep, limit):
        out, size = [], 0
        for s, _, t in shuffled:
            if keep(s) and size + len(t) <= limit: out.append(t); size += len(t)
        return out

    every_page = sample(lambda s: s == "sqlite", float("inf"))
    (args.build / "domain-all.txt").write_text("\n\n\n".join(every_page) + "\n", encoding="utf-8")
    write("domain-train.txt", sample(lambda s: s == "sqlite", 1_000_000))
    write("calibration.txt", [t for s in SOURCES for t in sample(lambda x: x == s, 55_000)])

    tok = train_tokenizer([t for _, _, t in train])
    tok.save(str(args.model / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": END, "eos_token": END, "unk_token": END,
              "add_prefix_space": False, "clean_up_tokenization_spaces": False, "model_max_length": 512}
    (args.model / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")

    end, ids = tok.token_to_id(END), []
    for e in tok.encode_batch([t for _, _, t in shuffled]): ids += e.ids + [end]
    np.array(ids, dtype=np.uint16).tofile(args.build / "train.bin")

    chars = collections.Counter()
    for s, _, t in train: chars[s, "train"] += len(t)
    for s, _, t in fresh: chars[s, "held out"] += len(t)
    for k in sorted(chars): print(*k, chars[k], "characters")
    total = sum(v for (_, side), v in chars.items() if side == "train")
    print(len(train), "training pages,", len(fresh), "held-out pages,", len(ids), "tokens,", f"{total / len(ids):.2f} characters a token")


if __name__ == "__main__":
    main()
