#!/usr/bin/env python3
"""Small random models of the phi class with the logits that transformers' PhiForCausalLM computes for them.

    make_phi_fixtures.py [OUT=tests/fixtures/phi]

Each OUT/<name>/ is a model directory (config.json and model.safetensors, or shards with an index) plus
    expected.json         library versions, the prompts' ids, the ids of 16 greedy steps, the smallest gap between best and second logit
    expected.safetensors  prompt_<i>.prefill [tokens, vocab] and prompt_<i>.decode [16, vocab], f32: the logits at every position of the
                          prompt, and after feeding greedy id 0, 1, ... 15 (greedy id 0 is the best of the prompt's last position)
Every weight is a bf16 number whatever the file's type, so that an engine that keeps bf16 weights loads each file without loss; the logits
are computed in f32. LayerNorm gains and all biases are random too, and the logits are far from flat. Seeds are fixed; a seed is taken
only if no greedy step is a near tie.
"""
import json, pathlib, sys
import torch
import transformers
from safetensors.torch import save_file
from transformers import PhiConfig, PhiForCausalLM

STEPS, MARGIN = 16, 0.12
CASES = {
    # phi-2's head: 80 wide, 32 rotary
    "head80_bf16": dict(dtype=torch.bfloat16, vocab_size=270, hidden_size=160, num_hidden_layers=2, num_attention_heads=2,
                        intermediate_size=480, partial_rotary_factor=0.4, rope_theta=10000.0),
    # phi-1.5's kind of head, odd vocabulary, another base, an intermediate size that is no multiple of the hidden size
    "head32_f32": dict(dtype=torch.float32, vocab_size=257, hidden_size=64, num_hidden_layers=3, num_attention_heads=2,
                       intermediate_size=150, partial_rotary_factor=0.5, rope_theta=5000.0),
    "sharded_f16": dict(dtype=torch.float16, vocab_size=193, hidden_size=64, num_hidden_layers=3, num_attention_heads=4,
                        intermediate_size=256, partial_rotary_factor=0.5, rope_theta=10000.0, shards=3),
    # config.json as transformers 5 writes it: rope_theta and partial_rotary_factor inside rope_parameters, dtype for torch_dtype
    "config_v5_bf16": dict(dtype=torch.bfloat16, vocab_size=130, hidden_size=80, num_hidden_layers=2, num_attention_heads=1,
                           intermediate_size=320, partial_rotary_factor=0.4, rope_theta=10000.0, new_config=True),
}


def build(case, seed):
    g = torch.Generator().manual_seed(seed)
    keys = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
    config = PhiConfig(**{k: case[k] for k in keys}, hidden_act="gelu_new", layer_norm_eps=1e-5, max_position_embeddings=128,
                       rope_parameters={"rope_type": "default", "rope_theta": case["rope_theta"],
                                        "partial_rotary_factor": case["partial_rotary_factor"]},
                       tie_word_embeddings=False, resid_pdrop=0.0, embd_pdrop=0.0, attention_dropout=0.0, bos_token_id=0, eos_token_id=0)
    config._attn_implementation = "eager"
    model = PhiForCausalLM(config).float().eval()
    rand = lambda p: torch.randn(p.shape, generator=g)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "layernorm.weight" in name: w = 1 + 0.3 * rand(p)
            elif name.endswith("bias"): w = 0.2 * rand(p)
            elif "embed" in name: w = rand(p)
            elif "q_proj" in name or "k_proj" in name: w = 1.6 * rand(p) / p.shape[1] ** 0.5        # attention that attends
            elif "lm_head" in name: w = 4.0 * rand(p) / p.shape[1] ** 0.5
            else: w = 1.2 * rand(p) / p.shape[1] ** 0.5
            w = torch.where(w.abs() < 2.0 ** -13, torch.zeros(()), w)                               # exact in f16 as well
            p.copy_(w.to(torch.bfloat16).float())
    return model


@torch.no_grad()
def run(model, prompt):
    prefill = model(torch.tensor([prompt])).logits[0]
    ids, greedy, rows = list(prompt), [int(prefill[-1].argmax())], []
    cache = model(torch.tensor([prompt]), use_cache=True).past_key_values
    for _ in range(STEPS):
        out = model(torch.tensor([[greedy[-1]]]), past_key_values=cache, use_cache=True)
        cache, row = out.past_key_values, out.logits[0, -1]
        ids.append(greedy[-1])
        rows.append(row)
        greedy.append(int(row.argmax()))
    decode = torch.stack(rows)
    again = model(torch.tensor([ids])).logits[0, len(prompt):]
    assert (again - decode).abs().max() < 1e-3, "the cache changed the logits"
    best = torch.cat((prefill[-1:], decode[:-1])).topk(2).values
    return prefill, decode, greedy[:STEPS], float((best[:, 0] - best[:, 1]).min())


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "tests/fixtures/phi")
    torch.set_num_threads(1)
    for number, (name, case) in enumerate(CASES.items()):
        v = case["vocab_size"]
        for seed in range(1000 * number, 1000 * number + 1000):
            g = torch.Generator().manual_seed(seed + 7)
            prompts = [torch.randint(v, (n,), generator=g).tolist() for n in (1, 5, 17, 40)]
            prompts[1][0], prompts[1][-1] = 0, v - 1
            model = build(case, seed)
            results, gap = [], 9.0
            for p in prompts:
                results.append(run(model, p))
                gap = min(gap, results[-1][3])
                if gap < MARGIN: break
            if gap >= MARGIN: break
        else: raise SystemExit(f"{name}: no seed without a near tie")

        out = root / name
        out.mkdir(parents=True, exist_ok=True)
        for old in out.iterdir(): old.unlink()
        state = {k: t.to(case["dtype"]).contiguous() for k, t in sorted(model.state_dict().items())}
        for k, t in state.items(): assert torch.equal(t.float(), model.state_dict()[k]), k
        if case.get("shards"):
            n, names = case["shards"], list(state)
            where = {k: f"model-{i * n // len(names) + 1:05}-of-{n:05}.safetensors" for i, k in enumerate(names)}
            for f in sorted(set(where.values())): save_file({k: state[k] for k in names if where[k] == f}, out / f, metadata={"format": "pt"})
            size = sum(t.numel() * t.element_size() for t in state.values())
            (out / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": size}, "weight_map": where}, indent=1) + "\n")
        else:
            save_file(state, out / "model.safetensors", metadata={"format": "pt"})
        if case.get("new_config"):
            config = model.config.to_diff_dict() | {"architectures": ["PhiForCausalLM"], "dtype": "bfloat16"}
            for k in ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "layer_norm_eps", "hidden_act"):
                config[k] = getattr(model.config, k)
        else:
            c = model.config
            config = {"architectures": ["PhiForCausalLM"], "model_type": "phi", "attention_dropout": 0.0, "bos_token_id": 0, "embd_pdrop": 0.0,
                      "eos_token_id": 0, "hidden_act": "gelu_new", "hidden_size": c.hidden_size, "initializer_range": 0.02,
                      "intermediate_size": c.intermediate_size, "layer_norm_eps": 1e-05, "max_position_embeddings": 128,
                      "num_attention_heads": c.num_attention_heads, "num_hidden_layers": c.num_hidden_layers,
                      "num_key_value_heads": c.num_attention_heads, "partial_rotary_factor": case["partial_rotary_factor"],
                      "qk_layernorm": False, "resid_pdrop": 0.0, "rope_scaling": None, "rope_theta": case["rope_theta"],
                      "tie_word_embeddings": False, "torch_dtype": str(case["dtype"]).split(".")[1], "use_cache": True, "vocab_size": v}
        (out / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
        tensors = {}
        for i, (prefill, decode, _, _) in enumerate(results):
            tensors[f"prompt_{i}.prefill"], tensors[f"prompt_{i}.decode"] = prefill.contiguous(), decode.contiguous()
        save_file(tensors, out / "expected.safetensors")
        spread = float(torch.cat([r[0] for r in results]).std())
        expected = {"library": f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}", "compute": "f32", "seed": seed,
                    "smallest_greedy_gap": round(gap, 4), "logit_standard_deviation": round(spread, 4),
                    "prompts": [{"ids": p, "greedy": r[2]} for p, r in zip(prompts, results)]}
        (out / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
        # What a reader of the directory gets must be what was computed.
        loaded = PhiForCausalLM.from_pretrained(out, dtype=torch.float32).eval()
        with torch.no_grad(): off = float((loaded(torch.tensor([prompts[3]])).logits[0] - results[3][0]).abs().max())
        assert off < 1e-3, off
        print(f"{name}: seed {seed}, gap {gap:.3f}, logits' standard deviation {spread:.2f}, reload differs by {off:.1e}, "
              f"{sum(f.stat().st_size for f in out.iterdir())} bytes")


if __name__ == "__main__":
    main()
