"""patch_tokenizer.json (docs/patch_tokenizer.md) in Python: what the C++ PatchTokenizer does, for training."""
import json, pathlib


class Patch:
    """Base token ids -> patched ids, in the mode that the file names, and how many characters a patched id stands for."""

    def __init__(self, file):
        d = json.loads(pathlib.Path(file).read_text(encoding="utf-8"))
        if d.get("format") != "trisect-patch-tokenizer" or d.get("version") != 1:
            raise SystemExit(f"{file}: not a trisect-patch-tokenizer of version 1; build it with phi2 adapt")
        self.mode, self.base_tokens = d["encoding"], d["base"]["tokens"]
        self.pieces = {token: parts for token, parts in d["removed"]}
        self.id_of = list(range(self.base_tokens))
        for token in self.pieces: self.id_of[token] = None
        for token, new in d["moved"]: self.id_of[token] = new
        self.added = {new: parts for new, parts in d["added"]}
        self.rank = {tuple(parts): (i, new) for i, (new, parts) in enumerate(d["added"])}
        self.longest = max((len(parts) for parts in self.rank), default=1)
        self.size = self.base_tokens - len(self.pieces) + len(self.added)

    def whole(self, token):
        """The tokens still there that stand for one of the base's."""
        if token not in self.pieces: return [token]
        return [t for piece in self.pieces[token] for t in self.whole(piece)]

    def encode(self, tokens, drop=0.0, rng=None):
        """With `drop`, each place where an n-gram could stand is passed over with that probability: BPE-dropout's idea, for training."""
        tokens = [t for token in tokens for t in self.whole(token)] if self.pieces else tokens
        n = len(tokens)
        def stands(i, k): return tuple(tokens[i:i + k]) in self.rank and not (drop and rng.random() < drop)
        # length[i]: tokens covered by the id that begins at i, should one begin there.
        length = [1] * (n + 1)
        if self.mode == "optimal":
            cost = [0] * (n + 1)
            for i in range(n - 1, -1, -1):
                cost[i], length[i] = 1 + cost[i + 1], 1
                for k in range(2, min(self.longest, n - i) + 1):
                    if 1 + cost[i + k] <= cost[i] and stands(i, k): cost[i], length[i] = 1 + cost[i + k], k
        else:
            for i in range(n):
                there = [k for k in range(2, min(self.longest, n - i) + 1) if stands(i, k)]
                if there: length[i] = max(there) if self.mode == "longest" else min(there, key=lambda k: self.rank[tuple(tokens[i:i + k])])
        out, i = [], 0
        while i < n:
            out.append(self.id_of[tokens[i]] if length[i] == 1 else self.rank[tuple(tokens[i:i + length[i]])][1])
            i += length[i]
        return out

    def base_ids(self, ids):
        """Patched ids -> base tokens (of a removed one its pieces)."""
        back = {new: token for token, new in enumerate(self.id_of) if new is not None}
        return [t for i in ids for t in (self.added[i] if i in self.added else [back[i]])]
