#!/usr/bin/env python3
"""Held-out quality of a model directory, through transformers in float32.

    evaluate.py [--model integration/models/phi-mini] [--texts integration/texts] [--out FILE.json] [--samples]

Protocol: the whole file is encoded at once, no special token is added; the ids are cut into windows of 512 that do not overlap, the last
one shorter (a last window of one token is left out); each window starts with an empty cache at position 0, its first token is context
only and every later one is predicted. nll is the mean of -ln p over the predicted tokens, perplexity its exponential, and bits per
character nll * predicted / ln 2 over the characters of the text that those predicted tokens stand for.
"""
import argparse, json, math, pathlib
import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, AutoTokenizer

ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ap.add_argument("--model", type=pathlib.Path, default=pathlib.Path("integration/models/phi-mini"))
ap.add_argument("--texts", type=pathlib.Path, default=pathlib.Path("integration/texts"))
ap.add_argument("--out", type=pathlib.Path)
ap.add_argument("--samples", action="store_true")
ap.add_argument("--threads", type=int, default=1)
args = ap.parse_args()
torch.set_num_threads(args.threads)
model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()
tok = AutoTokenizer.from_pretrained(args.model)
W = 512


@torch.no_grad()
def score(name):
    text = (args.texts / name).read_text(encoding="utf-8")
    ids = tok(text, add_special_tokens=False)["input_ids"]
    total, predicted, context, windows, first = 0.0, 0, 0, [], None
    for at in range(0, len(ids), W):
        w = torch.tensor([ids[at:at + W]])
        if w.shape[1] < 2: break
        nll = F.cross_entropy(model(w).logits[0, :-1].double(), w[0, 1:], reduction="sum").item()
        if first is None: first = nll / (w.shape[1] - 1)
        total += nll
        predicted += w.shape[1] - 1
        context += len(tok.decode(w[0, :1], clean_up_tokenization_spaces=False))
    characters = len(text) - context
    return {"file": name, "utf8_bytes": len(text.encode()), "characters": len(text), "tokens": len(ids), "windows": math.ceil(len(ids) / W),
            "predicted_tokens": predicted, "nll_nats": total / predicted, "perplexity": math.exp(total / predicted),
            "bits_per_character": total / math.log(2) / characters, "first_window_nll_nats": first}


result = {"model": "phi-mini", "weights": "bf16 file, upcast to f32", "compute": "f32", "window_tokens": W, "overlap_tokens": 0,
          "predicted": "every token of a window but its first", "library": f"torch {torch.__version__.split('+')[0]}",
          "texts": {name: score(f"{name}.txt") for name in ("general", "domain")}}
print(json.dumps(result, indent=2))
if args.out: args.out.write_text(json.dumps(result, indent=2) + "\n")

if args.samples:
    for prompt in ["# The VACUUM Command\n\n", "In SQLite, a transaction is", "CREATE TABLE", "The following example shows how to", "What is a write-ahead log?"]:
        ids = torch.tensor([tok(prompt)["input_ids"]])
        for label, how in (("greedy", dict(do_sample=False)), ("temperature 0.8", dict(do_sample=True, temperature=0.8, top_k=0))):
            torch.manual_seed(0)
            out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=96, pad_token_id=tok.eos_token_id, **how)
            print(f"\n--- {label}: {prompt!r}\n{tok.decode(out[0], skip_special_tokens=True)}")
