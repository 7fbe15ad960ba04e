"""import_patch_tokenizer.py on pickles made here: what it reads, and what it refuses. Arguments: source directory, program phi2."""
import collections, contextlib, functools, io, json, os, pathlib, pickle, subprocess, sys, tempfile, types, unittest

SOURCE, PHI2 = (pathlib.Path(sys.argv.pop(1)) for _ in range(2))
sys.path.insert(0, str(SOURCE / "scripts/tools"))
import import_patch_tokenizer as tool

tool.Base = functools.lru_cache(tool.Base)      # a tenth of a second for each of a hundred runs

MODEL = SOURCE / "integration/models/phi-mini"
TOKENIZER = MODEL / "tokenizer.json"
IDS = json.loads(TOKENIZER.read_text(encoding="utf-8"))["model"]["vocab"]


def library_object():
    """An object whose class looks like one of transformers'; pickled by reference to its module."""
    for name in ("transformers", "transformers.x"): sys.modules.setdefault(name, types.ModuleType(name))
    module = sys.modules["transformers.x"]
    module.FastTokenizer = type("FastTokenizer", (), {"__module__": "transformers.x"})
    thing = module.FastTokenizer()
    thing.state = {"vocab": ["a"], "added": collections.defaultdict(list, {"b": [1]})}
    return thing


def authors_file():
    """Two n-grams, one removed token, and ids in an order of their own, as get_vocab() has none."""
    document = json.loads(TOKENIZER.read_text(encoding="utf-8"))
    merges = [m.split(" ") if isinstance(m, str) else m for m in document["model"]["merges"]]
    ngrams = [("Ġof", "Ġthe"), ("Ġin", "Ġthe", "Ġdatabase")]
    last = merges[-1]
    removed = {last[0] + last[1]: list(last)}
    names = {**IDS, **{t["content"]: t["id"] for t in document["added_tokens"]}}
    kept = [t for t in sorted(names, key=names.get, reverse=True) if t not in removed]
    converter = {t: {"old_indices": names[t], "new_index": i} for i, t in enumerate(kept)}
    for n in ngrams: converter[n] = {"old_indices": [names[t] for t in n], "new_index": len(converter)}
    return {"existing_tokenizer": library_object(), "ngram_dict": {n: i for i, n in enumerate(ngrams)}, "removed_tokens": removed,
            "id_converter": converter, "token_to_id_dict": {}, "id_to_token_dict": {}}


class Evil:
    def __init__(self, marker): self.marker = marker
    def __reduce__(self): return os.system, (f"touch {self.marker}",)


class Import(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.pickle, self.output = (pathlib.Path(self.folder.name) / n for n in ("p.pkl", "patch_tokenizer.json"))

    def run_tool(self, data, tokenizer=TOKENIZER):
        self.pickle.write_bytes(data)
        sys.argv[1:] = [str(self.pickle), "--tokenizer", str(tokenizer), "--output", str(self.output)]
        error = io.StringIO()
        with contextlib.redirect_stderr(error): code = tool.main()
        return code, error.getvalue()

    def refused(self, value, part, **more):
        code, error = self.run_tool(value if isinstance(value, bytes) else pickle.dumps(value), **more)
        self.assertEqual((code, error.count("\n")), (3, 1), error)
        self.assertIn(part, error)
        self.assertFalse(self.output.exists())

    def changed(self, **members): return {**authors_file(), **members}

    def test_what_the_authors_save(self):
        for protocol in (2, 4, 5):
            code, error = self.run_tool(pickle.dumps(authors_file(), protocol))
            self.assertEqual(code, 0, error)
            got = json.loads(self.output.read_text(encoding="utf-8"))
            self.assertEqual([parts for _, parts in got["added"]], [[IDS["Ġof"], IDS["Ġthe"]], [IDS["Ġin"], IDS["Ġthe"], IDS["Ġdatabase"]]])
            self.assertEqual([i for i, _ in got["added"]], [got["base"]["tokens"] - 1, got["base"]["tokens"]])
            self.assertEqual((len(got["removed"]), got["encoding"]), (1, "released"))
            self.assertIn([IDS["!"], authors_file()["id_converter"]["!"]["new_index"]], got["moved"])

    def test_the_program_reads_it_and_every_byte_comes_back(self):
        if not PHI2.exists(): self.skipTest("phi2 is not built")
        self.run_tool(pickle.dumps(authors_file()))
        text = "Rows of the table in the database, naïve  ones.\n".encode()
        tokenize = [PHI2, "tokenize", "--model", MODEL, "--patch-tokenizer", self.output]
        ids = subprocess.run(tokenize, input=text, stdout=subprocess.PIPE, check=True).stdout
        self.assertIn(str(authors_file()["id_converter"][("Ġof", "Ġthe")]["new_index"]).encode(), ids.split())
        self.assertEqual(subprocess.run([*tokenize, "--decode"], input=ids, stdout=subprocess.PIPE, check=True).stdout, text)

    def test_a_file_that_load_model_saved_again(self):
        again = authors_file()
        again["ngram_dict"] = (again["ngram_dict"],)
        self.assertEqual(self.run_tool(pickle.dumps(again))[0], 0)

    def test_nothing_runs(self):
        marker = pathlib.Path(self.folder.name) / "ran"
        self.refused(self.changed(existing_tokenizer=Evil(marker)), "system")
        self.refused({"ngram_dict": collections.Counter()}, "collections.Counter")
        self.refused(b"cbuiltins\neval\n(S'1'\ntR.", "builtins.eval")
        self.refused(b"ctransformers.x\nos.system\n(S'false'\ntR.", "not the dictionary")
        self.assertFalse(marker.exists())

    def test_truncated_and_damaged(self):
        whole = pickle.dumps(authors_file(), 4)
        for length in (0, 1, 2, 5, 20, 100, 1000, len(whole) // 2, len(whole) - 1): self.refused(whole[:length], str(self.pickle))
        self.refused(whole + b"x", "after the pickle's end")
        self.refused(b"no pickle at all", str(self.pickle))
        for at in range(0, 3000, 37):           # never anything but a result or one line
            broken = bytearray(whole)
            broken[at] ^= 0xff
            code, error = self.run_tool(bytes(broken))
            self.assertIn(code, (0, 3))
            self.assertEqual(error.count("\n"), 1)

    def test_what_contradicts_itself(self):
        self.refused([1], "list")
        self.refused(self.changed(more=1), "unknown member 'more'")
        self.refused({k: v for k, v in authors_file().items() if k != "id_converter"}, "no member id_converter")
        self.refused(self.changed(ngram_dict=[]), "ngram_dict is a list")
        self.refused(self.changed(ngram_dict={("Ġof",): 0}), "no n-gram")
        self.refused(self.changed(ngram_dict={("Ġof", "Ġthe", "!"): 0}), "no id")
        self.refused(self.changed(ngram_dict={}), "not in ngram_dict")
        self.refused(self.changed(removed_tokens={"Ġof": ["Ġ", "f"]}), "do not spell it")
        self.refused(self.changed(removed_tokens={"Ġof": ["Ġo", "f"]}), "removed and has an id")
        self.refused(self.changed(removed_tokens={"정": ["정"]}), "no token")
        self.refused(self.changed(removed_tokens={1.5: []}), "float")
        converter = authors_file()["id_converter"]
        converter["!"] = {"new_index": converter["Ġof"]["new_index"]}
        self.refused(self.changed(id_converter=converter), "two tokens")
        converter["!"] = {"new_index": 10 ** 6}
        self.refused(self.changed(id_converter=converter), "not all of 0")
        converter["!"] = {}
        self.refused(self.changed(id_converter=converter), "no new_index")
        del converter["!"]
        self.refused(self.changed(id_converter=converter), "all of 0")

    def test_another_tokenizer(self):
        def against(name, text, part):
            file = pathlib.Path(self.folder.name) / name
            if text is not None: file.write_text(text)
            self.refused(authors_file(), part, tokenizer=file)
        small = '{"model": {"vocab": {"a": 0}, "merges": []}, "added_tokens": [], "pre_tokenizer": {"type": "%s"}}'
        against("none.json", None, "No such file")
        against("empty.json", "{}", "not a tokenizer.json")
        against("metaspace.json", small % "Metaspace", "Metaspace")
        against("other.json", small % "ByteLevel", "another tokenizer")


if __name__ == "__main__": unittest.main()
