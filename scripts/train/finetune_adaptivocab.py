#!/usr/bin/env python3
"""Fine-tunes a model whose vocabulary was adapted, as AdaptiVocab does: embedding, head with its bias, first and last layer.

    phi2 adapt --model phi-mini --corpus TEXT --add 2048 --weights --output ADAPTED
    finetune_adaptivocab.py --model ADAPTED --corpus TEXT --output TUNED [--held-out TEXT] [--resume]
    finetune_adaptivocab.py --model integration/models/phi-mini --corpus TEXT --output YARDSTICK ...

--model is a Hugging Face directory of the phi family. With a patch_tokenizer.json in it the text is encoded with that; without one the
model's own vocabulary stays, and the result is the yardstick: the base model with the same extra training on the same text.

The defaults are those of the released code (rate 5e-5, weight decay 0.01, no warm-up, one epoch, 32 chunks of 768 tokens a step, f32);
chunks are the whole text one after the other, without separators, and never longer than the model's context. The rate falls linearly to
zero. The run can be ended (SIGTERM) and goes on with --resume, on the chunk after the last. --first and --keep are not of the released
code: rows of new tokens are far from where they belong, and would make the others follow; and what two layers learn of a short text by
heart is less in the mean of the weights before and after. Nor are --layers all and --teacher: distill.py writes what a model with the base's
vocabulary expects at each place of the text, which says more than the one token that stands there.

Output: OUTPUT/model.safetensors with the tensors that were trained, in the types they had, and overlay.json, which names the model
that all others come from (--over; without it all tensors are written); config.json, the tokenizer and the patch beside them;
OUTPUT/finetune.csv and OUTPUT/finetune.json: losses and settings. Needs torch, transformers, safetensors and tokenizers.
"""
import argparse, functools, itertools, json, math, os, pathlib, random, shutil, signal, time
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM
from distill import Teacher
from patching import Patch

ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ap.add_argument("--model", type=pathlib.Path, required=True)
ap.add_argument("--corpus", type=pathlib.Path, required=True)
ap.add_argument("--output", type=pathlib.Path, required=True)
ap.add_argument("--held-out", type=pathlib.Path, help="text to score in bits per character: 12 windows of it now and then, all of it at the end")
ap.add_argument("--over", help="base model of the overlay, relative to OUTPUT, e.g. ../phi-mini")
ap.add_argument("--lr", type=float, default=5e-5)
ap.add_argument("--weight-decay", type=float, default=0.01)
ap.add_argument("--warmup", type=int, default=0, help="steps over which the rate rises")
ap.add_argument("--epochs", type=float, default=1)
ap.add_argument("--chunk", type=int, default=768, help="tokens of a chunk")
ap.add_argument("--batch", type=int, default=32, help="chunks a step")
ap.add_argument("--layers", choices=("outer", "all"), default="outer", help="outer: embedding, head, first and last layer; all: every tensor")
ap.add_argument("--ngram-dropout", type=float, default=0, help="share of the places of n-grams that are passed over, others in each epoch")
ap.add_argument("--dropout-from", type=int, default=0, help="step from which on")
ap.add_argument("--first", type=int, default=0, help="steps, before those of the epochs, in which the rows of new tokens alone are trained")
ap.add_argument("--keep", type=float, default=0, help="share of the weights as they were behind --first that is mixed into the result")
ap.add_argument("--teacher", type=pathlib.Path, help="soft targets that distill.py made from the same text")
ap.add_argument("--soft", type=float, default=0.5, help="their share in the loss of the base token with which a token begins")
ap.add_argument("--micro", type=int, default=1, help="chunks at once")
ap.add_argument("--bf16", action="store_true", help="compute in bf16 over f32 weights")
ap.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
ap.add_argument("--threads", type=int, default=1)
ap.add_argument("--seed", type=int, default=1)
ap.add_argument("--resume", action="store_true")
args = ap.parse_args()
torch.set_num_threads(args.threads)
torch.manual_seed(args.seed)
args.output.mkdir(parents=True, exist_ok=True)

tokenizer = Tokenizer.from_file(str(args.model / "tokenizer.json"))
patch_file = args.model / "patch_tokenizer.json"
patch = Patch(patch_file) if patch_file.exists() else None


def base_encode(file): return tokenizer.encode(file.read_text(encoding="utf-8"), add_special_tokens=False).ids


def encode(file, drop=0.0, rng=None):
    ids = base_encode(file)
    return patch.encode(ids, drop, rng) if patch else ids


def characters(ids):
    return len(tokenizer.decode(patch.base_ids(ids) if patch else ids, skip_special_tokens=False))


net = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32, attn_implementation="eager").to(args.device)
if patch and patch.size > net.config.vocab_size:
    raise SystemExit(f"{args.model}: {net.config.vocab_size} rows for a vocabulary of {patch.size}; adapt with phi2 adapt --weights")
last = net.config.num_hidden_layers - 1
trained = {}
for name, p in net.named_parameters():
    outer = name.startswith(("model.embed_tokens.", "lm_head.", "model.layers.0.", f"model.layers.{last}."))
    p.requires_grad = args.layers == "all" or outer
    if p.requires_grad: trained[name] = p
first = args.first if patch else 0
old_rows = {}       # of what has a row for each token
for name, p in trained.items():
    if patch and name.startswith(("model.embed_tokens.", "lm_head.")):
        old_rows[name] = torch.ones(len(p), dtype=torch.bool)
        old_rows[name][list(patch.added)] = False
began = {name: p.detach().clone() for name, p in trained.items()}       # and from the end of --first on: as they were then
new_optimizer = lambda: torch.optim.AdamW(trained.values(), lr=args.lr, weight_decay=args.weight_decay)
optimizer = new_optimizer()

text = args.corpus.read_text(encoding="utf-8")
ids = encode(args.corpus)
chunk = min(args.chunk, net.config.max_position_embeddings)


def cut(ids):
    """Chunks [2, tokens]: ids, and the base token of the text with which each begins."""
    places = itertools.accumulate((len(patch.added.get(i, "1")) if patch else 1 for i in ids), initial=0)
    both = torch.tensor([ids, list(places)[:-1]])
    return [both[:, i:i + chunk] for i in range(0, max(1, len(ids) - chunk + 1), chunk)]


chunks = cut(ids)
if args.teacher and patch and patch.pieces: raise SystemExit(f"{patch_file}: tokens were removed (--swap), so no teacher has this vocabulary's tokens")
teacher = Teacher(args.teacher, base_encode(args.corpus), net.config.vocab_size, patch.added if patch else {}) if args.teacher else None
per_token = len(text) / len(ids)
total_steps = first + max(1, math.ceil(args.epochs * len(chunks) / args.batch))
print(f"{len(ids)} tokens, {per_token:.2f} characters each; {len(chunks)} chunks of {chunk}, {total_steps} steps; "
      f"{sum(p.numel() for p in trained.values())} of {sum(p.numel() for p in net.parameters())} parameters trained", flush=True)


def chosen(i):
    """The i-th chunk of the run: every epoch has all of them, in an order of its own."""
    epoch, at = divmod(i, len(chunks))
    some = varied(epoch) if args.ngram_dropout and i >= args.dropout_from * args.batch else chunks
    order = torch.randperm(len(some), generator=torch.Generator().manual_seed(args.seed * 1000 + epoch))
    return some[order[at]]


@functools.lru_cache(maxsize=1)
def varied(epoch):
    return cut(encode(args.corpus, args.ngram_dropout, random.Random(args.seed * 1000 + epoch)))


def log_probabilities(batch):
    """Of the tokens after the first of each chunk, and these tokens."""
    batch = batch.to(args.device)
    with torch.autocast(args.device, dtype=torch.bfloat16, enabled=args.bf16):
        logits = net(batch, use_cache=False).logits[:, :-1]
    return F.log_softmax(logits.float().flatten(0, 1), 1), batch[:, 1:].flatten()


def nll(batch, reduction="mean"):
    return F.nll_loss(*log_probabilities(batch), reduction=reduction)


@torch.no_grad()
def score(file, most=None):
    """evaluate.py's protocol; with `most` only so many windows, evenly spread."""
    ids, width = encode(file), min(512, net.config.max_position_embeddings)
    windows = [ids[i:i + width] for i in range(0, len(ids), width)]
    if most: windows = windows[::max(1, len(windows) // most)][:most]
    windows = [w for w in windows if len(w) > 1]
    total = sum(nll(torch.tensor([w]), "sum").item() for w in windows)
    predicted = sum(len(w) - 1 for w in windows)
    return {"tokens": len(ids), "predicted_tokens": predicted, "nll_nats": total / predicted,
            "bits_per_character": total / math.log(2) / sum(characters(w) - characters(w[:1]) for w in windows)}


checkpoint, log = args.output / "checkpoint.pt", args.output / "finetune.csv"
done, before, leave = 0, None, [False]
signal.signal(signal.SIGTERM, lambda *_: leave.__setitem__(0, True))
if args.resume:
    state = torch.load(checkpoint, map_location=args.device)
    with torch.no_grad():
        for name, p in trained.items(): p.copy_(state["trained"][name])
    optimizer.load_state_dict(state["optimizer"])
    done, before, began = state["done"], state["before"], state["began"]
else:
    if args.held_out: before = score(args.held_out, 12)
    log.write_text("step,tokens,loss_nats,bits_per_character,held_out_bits_per_character,lr_scale,tokens_per_s\n")
    print(f"before: {before}", flush=True)


def save():
    tmp = checkpoint.with_suffix(".tmp")
    torch.save({"trained": trained, "began": began, "optimizer": optimizer.state_dict(), "done": done, "before": before}, tmp)
    os.replace(tmp, checkpoint)


losses, mark, saved = [], time.monotonic(), time.monotonic()
while done < total_steps and not leave[0]:
    if done == first > 0:
        optimizer, began = new_optimizer(), {name: p.detach().clone() for name, p in trained.items()}
    part, length = (done, math.inf) if done < first else (done - first, total_steps - first)
    scale = min(1.0, (part + 1) / max(1, args.warmup)) * (1 - part / length)
    for group in optimizer.param_groups: group["lr"] = args.lr * scale
    loss = 0.0
    for at in range(0, args.batch, args.micro):
        some = [chosen(done * args.batch + i) for i in range(at, min(at + args.micro, args.batch))]
        batch, places = torch.stack(some, 1)
        log_p, tokens = log_probabilities(batch)
        hard = F.nll_loss(log_p, tokens)
        soft = args.soft * teacher.change(log_p, tokens, places[:, 1:].flatten()) if teacher else 0     # losses shown are of the text alone
        ((hard + soft) * len(some) / args.batch).backward()
        loss += hard.item() * len(some) / args.batch
    torch.nn.utils.clip_grad_norm_(trained.values(), 1.0)
    optimizer.step()
    if done < first:
        for name, p in trained.items():
            rows = old_rows.get(name, slice(None))
            p.data[rows] = began[name][rows]
    optimizer.zero_grad(set_to_none=True)
    done += 1
    losses.append(loss)
    if not math.isfinite(loss): raise SystemExit(f"loss {loss} at step {done}")
    if done % 25 == 0 or done == total_steps:
        mean = sum(losses) / len(losses)
        rate = len(losses) * args.batch * chunk / (time.monotonic() - mark)
        probe = score(args.held_out, 12)["bits_per_character"] if args.held_out else math.nan
        with log.open("a") as f:
            f.write(f"{done},{done * args.batch * chunk},{mean:.4f},{mean / math.log(2) / per_token:.4f},{probe:.4f},{scale:.3f},{rate:.0f}\n")
        print(f"step {done} of {total_steps} loss {mean:.3f} {mean / math.log(2) / per_token:.4f} bits/character, "
              f"held out {probe:.4f}, {rate:.0f} tokens/s", flush=True)
        losses, mark = [], time.monotonic()
    if time.monotonic() - saved > 120 or leave[0]:
        save()
        saved = time.monotonic()
if leave[0]: raise SystemExit(f"ended at step {done} of {total_steps}; go on with --resume")
save()

for name, p in trained.items(): p.data.lerp_(began[name], args.keep)      # Wortsman et al., arXiv 2109.01903
stored = {n: t for f in args.model.glob("*.safetensors") for n, t in load_file(f).items()}
with torch.no_grad():
    for name, p in trained.items(): stored[name] = p.to(device="cpu", dtype=stored[name].dtype).contiguous()
    net.load_state_dict({n: stored[n] for n in trained}, strict=False)      # judged as stored
keep = trained if args.over else stored
save_file({n: stored[n] for n in sorted(keep)}, args.output / "model.safetensors", metadata={"format": "pt"})
if args.over:
    overlay = {"format": "trisect-overlay", "version": 1, "base": args.over}
    (args.output / "overlay.json").write_text(json.dumps(overlay, indent=2) + "\n")
for name in ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "patch_tokenizer.json"):
    if (args.model / name).exists(): shutil.copyfile(args.model / name, args.output / name)
settings = {k: v for k, v in vars(args).items() if isinstance(v, (int, float)) and k != "resume"}
result = {"settings": settings | {"chunk": chunk, "steps": total_steps, "corpus": args.corpus.name, "layers": args.layers, "teacher": bool(teacher)},
          "parameters_trained": sum(p.numel() for p in trained.values()), "library": f"torch {torch.__version__.split('+')[0]}",
          "before": before, "after": score(args.held_out) if args.held_out else None}
(args.output / "finetune.json").write_text(json.dumps(result, indent=2) + "\n")
print(json.dumps(result, indent=2))
