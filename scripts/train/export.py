#!/usr/bin/env python3
"""Writes BUILD/checkpoint.pt as a Hugging Face model: config.json, generation_config.json, model.safetensors (bf16).

    export.py --build BUILD [--model integration/models/phi-mini] [--check]

The tokenizer files must already lie there (prepare.py put them). --check loads the result with transformers and compares the logits of
its PhiForCausalLM, in float32, with those of model.py.
"""
import argparse, json, pathlib
import torch
from safetensors.torch import load_file, save_file
from model import CONFIG, PhiMini

ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ap.add_argument("--build", type=pathlib.Path, required=True)
ap.add_argument("--model", type=pathlib.Path, default=pathlib.Path("integration/models/phi-mini"))
ap.add_argument("--check", action="store_true")
args = ap.parse_args()

state = torch.load(args.build / "checkpoint.pt", map_location="cpu")
args.model.mkdir(parents=True, exist_ok=True)
weights = {k: v.to(torch.bfloat16).contiguous() for k, v in sorted(state["model"].items())}
save_file(weights, args.model / "model.safetensors", metadata={"format": "pt"})
(args.model / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")
generation = {"bos_token_id": CONFIG["bos_token_id"], "eos_token_id": CONFIG["eos_token_id"]}
(args.model / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
print(f"{args.model}: {sum(w.numel() for w in weights.values())} parameters after {state['progress'][0]} tokens")

if args.check:
    from transformers import AutoModelForCausalLM
    theirs = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()
    ours = PhiMini().eval()
    ours.load_state_dict({k: v.float() for k, v in load_file(args.model / "model.safetensors").items()})
    ids = torch.randint(4032, (2, 300), generator=torch.Generator().manual_seed(0))
    with torch.no_grad(): difference = float((ours(ids) - theirs(ids).logits).abs().max())
    print(f"largest difference of a logit from transformers: {difference:.2e}")
    assert type(theirs).__name__ == "PhiForCausalLM" and difference < 1e-3
