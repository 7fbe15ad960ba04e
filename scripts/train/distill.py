#!/usr/bin/env python3
"""Soft targets for finetune_adaptivocab.py (Hinton et al., arXiv 1503.02531): what a teacher with the base's vocabulary expects next.

    distill.py --model TEACHER --corpus TEXT --output FILE
    finetune_adaptivocab.py --teacher FILE ...

A student whose vocabulary was extended with n-grams of the base's tokens has read the same characters before each of its tokens as the
teacher had. The base token with which its next token begins is therefore something that both have a distribution of: the teacher's is its
own, the student's the sum over all tokens that begin with it. How a group goes on stays with the text itself.

FILE (safetensors): `ids` int16 and `probabilities` f16, both [base tokens of TEXT, kept], for each token the teacher's most likely ones at
its place, falling; `text` int32, the tokens themselves. All others are one rest. Windows overlap by an eighth, so that every place but
those of the first window has at least that much before it.
"""
import argparse, pathlib
import torch
from safetensors.torch import load_file, save_file


class Teacher:
    """Distributions from FILE, for a student with tokens `base` of the text and a vocabulary of `rows`, n-grams of it in `added`."""

    def __init__(self, file, base, rows, added):
        stored = load_file(file)
        if stored["text"].tolist() != base: raise SystemExit(f"{file}: made from another text or tokenizer; make it again with distill.py")
        self.ids, self.probabilities = stored["ids"], stored["probabilities"]
        self.begins = torch.arange(rows)
        for new, parts in added.items(): self.begins[new] = parts[0]

    def change(self, log_p, tokens, places):
        """Soft less hard cross-entropy (nats, mean) of the base token with which each of `tokens` begins; log_p [n, rows], places [n]."""
        begins = self.begins.to(log_p.device)
        p = torch.zeros_like(log_p).scatter_add(1, begins.expand_as(log_p), log_p.exp())
        ids = self.ids[places].to(log_p.device, torch.int64)
        target = self.probabilities[places].to(log_p.device, torch.float32)
        there = p.gather(1, ids)
        log = lambda x: x.clamp_min(1e-7).log()
        soft = -(target * log(there)).sum(1) - (1 - target.sum(1)).clamp_min(0) * log(1 - there.sum(1))
        hard = -log(p.gather(1, begins[tokens][:, None])[:, 0])
        return (soft - hard).mean()


@torch.no_grad()
def distributions(net, ids, kept, width, device):
    out_ids, out_p = torch.zeros(len(ids), kept, dtype=torch.int16), torch.zeros(len(ids), kept, dtype=torch.float16)
    again = width // 8
    for begin in range(0, max(1, len(ids) - again), width - again):
        window = torch.tensor(ids[begin:begin + width + 1])         # the last one is predicted only
        with torch.autocast(device, dtype=torch.bfloat16):
            logits = net(window[None, :-1].to(device), use_cache=False).logits[0]
        new = 0 if begin == 0 else again
        p, best = logits[new:].float().softmax(1).topk(kept)
        to = slice(begin + 1 + new, begin + len(window))
        out_ids[to], out_p[to] = best.cpu(), p.cpu()
    return out_ids, out_p


def main():
    from tokenizers import Tokenizer
    from transformers import AutoModelForCausalLM
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--model", type=pathlib.Path, required=True)
    ap.add_argument("--corpus", type=pathlib.Path, required=True)
    ap.add_argument("--output", type=pathlib.Path, required=True)
    ap.add_argument("--kept", type=int, default=256)
    ap.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    ap.add_argument("--threads", type=int, default=1)
    args = ap.parse_args()
    torch.set_num_threads(args.threads)
    ids = Tokenizer.from_file(str(args.model / "tokenizer.json")).encode(args.corpus.read_text(encoding="utf-8"), add_special_tokens=False).ids
    net = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32, attn_implementation="eager").to(args.device)
    best, p = distributions(net, ids, args.kept, min(512, net.config.max_position_embeddings), args.device)
    save_file({"ids": best, "probabilities": p, "text": torch.tensor(ids, dtype=torch.int32)}, args.output)
    hit = (best == torch.tensor(ids, dtype=torch.int16)[:, None])
    print(f"{len(ids)} tokens, the {args.kept} kept have {p.float().sum(1)[1:].mean():.4f} of the probability, "
          f"the true one is among them for {hit.any(1)[1:].float().mean():.4f}")


if __name__ == "__main__":
    main()
