#!/usr/bin/env python3
"""Converts the AdaptiVocab authors' patch_tokenizer.pkl to patch_tokenizer.json (docs/patch_tokenizer.md).

    import_patch_tokenizer.py patch_tokenizer.pkl --tokenizer MODEL/tokenizer.json --output patch_tokenizer.json

A pickle can run code when it is read. Here it is read by an unpickler that makes dictionaries, lists, tuples, strings and numbers,
and, for the tokenizer object of transformers that lies in it, empty shells that do nothing; every other global ends the run.

The pickle's new ids are a permutation (get_vocab() has no order); its id_converter says what each id means, and with the tokens' own
strings gives base ids through --tokenizer, which must be the base tokenizer's file. Words that the pickle spells with Mistral's or
Llama's characters are looked up as they are. The result encodes in the mode `released`.

Exit codes: 0; 2 for wrong arguments; 3 when a file cannot be read, is refused or contradicts itself, with one line that says why.
Needs nothing but Python 3.
"""
import argparse, collections, io, json, os, pathlib, pickle, sys

MASK = (1 << 64) - 1
STUBBED = ("transformers", "tokenizers", "huggingface_hub")
CONTAINERS = {("collections", "OrderedDict"): collections.OrderedDict, ("collections", "defaultdict"): collections.defaultdict,
              **{("builtins", t.__name__): t for t in (dict, list, set, frozenset)}}


class Refused(Exception):
    pass


class Shell:
    """Stands for an object of a library: takes state, keeps none, does nothing."""

    def __init__(self, *_, **__): pass
    def __setstate__(self, _): pass
    def __setitem__(self, *_): pass
    def append(self, _): pass
    def extend(self, _): pass


class Restricted(pickle.Unpickler):
    def find_class(self, module, name):
        if module.split(".")[0] in STUBBED: return Shell
        module = "builtins" if module == "__builtin__" else module      # protocols before 3
        if (module, name) in CONTAINERS: return CONTAINERS[module, name]
        raise Refused(f"it asks for {module}.{name}, which is not part of a patch tokenizer: not run, not read")

    def persistent_load(self, pid):
        raise Refused("it refers to objects outside the file")


def load(path):
    data = path.read_bytes()
    stream = io.BytesIO(data)
    try:
        value = Restricted(stream).load()
    except Refused:
        raise
    except (EOFError, pickle.UnpicklingError, IndexError) as e:
        raise Refused(f"not a whole pickle ({e or 'it ends early'}): truncated or damaged") from None
    except Exception as e:     # whatever broken bytes make of the machine of opcodes
        raise Refused(f"not a pickle that can be read ({type(e).__name__}: {e})") from None
    if stream.read(1): raise Refused("there are bytes after the pickle's end")
    return value


def random_bits(seed, index):
    z = (seed * 0xd1342543de82ef95 + (index + 1) * 0x9e3779b97f4a7c15) & MASK
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9 & MASK
    z = (z ^ z >> 27) * 0x94d049bb133111eb & MASK
    return z ^ z >> 31


def hash_text(data):
    """integration/phi2/model/content_hash.hpp with seed 0."""
    lanes = [random_bits(0, i) for i in range(8)]
    padded = data + bytes(-len(data) % 64)
    for at in range(0, len(padded), 64):
        for i in range(8):
            word = int.from_bytes(padded[at + 8 * i:at + 8 * i + 8], "little")
            x = (lanes[i] ^ word) * 0x9e3779b97f4a7c15 & MASK
            lanes[i] = (x << 29 | x >> 35) & MASK
    result = random_bits(0, len(data))
    for lane in lanes: result = random_bits(result ^ lane, 0)
    return f"{result:016x}"


class Base:
    """tokenizer.json: ids by token string, and the identity that tokenizer_hash() gives it."""

    def __init__(self, path):
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            model = document["model"]
            vocab, merges = dict(model["vocab"]), model["merges"]
            added = sorted(document.get("added_tokens", []), key=lambda t: t["id"])
            pre = document["pre_tokenizer"]
        except (ValueError, KeyError, TypeError) as e:
            raise Refused(f"{path}: not a tokenizer.json with a BPE vocabulary ({type(e).__name__}: {e})") from None
        if pre.get("type") != "ByteLevel": raise Refused(f"{path}: pre_tokenizer is {pre.get('type')}, only ByteLevel is known")
        self.ids = dict(vocab)
        for token in added: self.ids[token["content"]] = token["id"]
        self.merge_of = {}
        pairs = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in merges]
        for left, right in pairs: self.merge_of.setdefault(left + right, (left, right))
        self.tokens = len(set(self.ids.values()))
        byte_of = {c: b for b, c in byte_alphabet().items()}
        self.bytes = [b""] * self.tokens
        for text, i in vocab.items():
            if i < self.tokens: self.bytes[i] = b"".join(bytes([byte_of[c]]) if c in byte_of else c.encode() for c in text)
        for token in added: self.bytes[token["id"]] = token["content"].encode()
        text = b"".join(b"%d:%s" % (len(b), b) for b in self.bytes) + b"merges\n"
        text += b"".join(b"%d %d\n" % (vocab[left], vocab[right]) for left, right in pairs) + b"added\n"
        text += b"".join(b"%d %d\n" % (t["id"], bool(t["normalized"])) for t in added)
        text += b"%d %d %d\n" % (bool(pre.get("add_prefix_space", True)), bool(pre.get("use_regex", True)), bool(model.get("ignore_merges", False)))
        self.hash = hash_text(text)


def byte_alphabet():
    """GPT-2's: the character that stands for each byte."""
    shown = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    alphabet = {b: chr(b) for b in shown}
    for n, b in enumerate(b for b in range(256) if b not in alphabet): alphabet[b] = chr(256 + n)
    return alphabet


def plain(value, where):
    """The value again, if it is made of nothing but what a patch tokenizer is made of."""
    if isinstance(value, (str, int)) and not isinstance(value, bool): return value
    if isinstance(value, tuple): return tuple(plain(v, where) for v in value)
    if isinstance(value, list): return [plain(v, where) for v in value]
    if isinstance(value, dict): return {plain(k, where): plain(v, where) for k, v in value.items()}
    raise Refused(f"{where} holds a {type(value).__name__}, which is not known there")


def shown(token): return json.dumps(token if isinstance(token, str) else list(token), ensure_ascii=False)


def convert(pickled, base):
    if not isinstance(pickled, dict): raise Refused(f"it is a {type(pickled).__name__}, not the dictionary that PatchTokenizer saves")
    needed = {"ngram_dict", "removed_tokens", "id_converter"}
    known = needed | {"existing_tokenizer", "token_to_id_dict", "id_to_token_dict"}
    for key in pickled:
        if key not in known: raise Refused(f"it has an unknown member {key!r}")
    for key in sorted(needed):
        if key not in pickled: raise Refused(f"it has no member {key}")
        if key == "ngram_dict" and isinstance(pickled[key], tuple) and len(pickled[key]) == 1:
            pickled[key] = pickled[key][0]       # saved again after load_model(), whose trailing comma makes this
        if not isinstance(pickled[key], dict): raise Refused(f"{key} is a {type(pickled[key]).__name__}, not a dictionary")
    ngrams, removed, converter = (plain(pickled[k], k) for k in ("ngram_dict", "removed_tokens", "id_converter"))

    def id_of(token, where):
        if not isinstance(token, str): raise Refused(f"{where}: {shown(token)} is not a token")
        if token not in base.ids: raise Refused(f"{where}: the base tokenizer has no token {shown(token)}: it is of another tokenizer")
        return base.ids[token]

    new_of = {}
    for token, entry in converter.items():
        if not isinstance(entry, dict) or not isinstance(entry.get("new_index"), int):
            raise Refused(f"id_converter[{shown(token)}] has no new_index")
        if entry["new_index"] in new_of: raise Refused(f"id_converter gives the id {entry['new_index']} to two tokens")
        new_of[entry["new_index"]] = token
    ids = {token: new for new, token in new_of.items()}
    size = len(new_of)
    if sorted(new_of) != list(range(size)): raise Refused(f"id_converter's ids are not all of 0 to {size - 1}")

    added, seen = [], set()
    for ngram in ngrams:                         # in the order of selection, which the released encoder goes by
        if not isinstance(ngram, tuple) or len(ngram) < 2: raise Refused(f"ngram_dict: {shown(ngram)} is no n-gram of tokens")
        if ngram not in ids: raise Refused(f"ngram_dict: {shown(ngram)} has no id in id_converter")
        parts = [id_of(token, "ngram_dict") for token in ngram]
        if tuple(parts) in seen: raise Refused(f"ngram_dict: {shown(ngram)} is there twice")
        seen.add(tuple(parts))
        added.append([ids[ngram], parts])
    pieces = []
    for token, parts in removed.items():
        if not isinstance(parts, list) or not parts: raise Refused(f"removed_tokens[{shown(token)}] has no pieces")
        if isinstance(token, str) and "".join(p for p in parts if isinstance(p, str)) != token:
            raise Refused(f"removed_tokens[{shown(token)}]: the pieces {shown(tuple(parts))} do not spell it")
        pieces.append([id_of(token, "removed_tokens"), [id_of(p, "removed_tokens") for p in parts]])
    gone = {token for token, _ in pieces}
    moved, kept = [], set()
    for token, new in ids.items():
        if isinstance(token, tuple):
            if token not in ngrams: raise Refused(f"id_converter: {shown(token)} is not in ngram_dict")
            continue
        old = id_of(token, "id_converter")
        if old in gone: raise Refused(f"{shown(token)} is removed and has an id, too")
        kept.add(old)
        if old != new: moved.append([old, new])
    missing = set(range(base.tokens)) - gone - kept
    if missing: raise Refused(f"{len(missing)} tokens of the base tokenizer are neither kept nor removed, the first is {min(missing)}: it is of another tokenizer")
    return {"format": "trisect-patch-tokenizer", "version": 1, "base": {"tokens": base.tokens, "hash": base.hash}, "encoding": "released",
            "embedding": {"kind": "exponential", "base": 2.0, "seed": 1}, "added": added, "removed": sorted(pieces), "moved": sorted(moved)}


def text_of(document):
    """One entry a line, as phi2 adapt writes it."""
    lines = []
    for key, value in document.items():
        entries = "[\n" + ",\n".join(json.dumps(v) for v in value) + "\n]" if isinstance(value, list) and value else json.dumps(value)
        lines.append(f"{json.dumps(key)}: {entries}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("pickle", type=pathlib.Path)
    ap.add_argument("--tokenizer", type=pathlib.Path, required=True, help="the base tokenizer's tokenizer.json")
    ap.add_argument("--output", type=pathlib.Path, required=True)
    args = ap.parse_args()
    try:
        base = Base(args.tokenizer)
        try:
            document = convert(load(args.pickle), base)
        except Refused as e:
            raise Refused(f"{args.pickle}: {e}") from None
        tmp = args.output.with_name(args.output.name + ".tmp")
        tmp.write_text(text_of(document), encoding="utf-8")
        os.replace(tmp, args.output)
    except (Refused, OSError, RecursionError) as e:
        print(f"import_patch_tokenizer: {' '.join(str(e).split())}", file=sys.stderr)
        return 3
    print(f"{args.output}: {len(document['added'])} new tokens, {len(document['removed'])} removed, {len(document['moved'])} moved", file=sys.stderr)
    return 0


if __name__ == "__main__": sys.exit(main())
