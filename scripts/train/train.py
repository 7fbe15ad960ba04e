#!/usr/bin/env python3
"""Trains phi-mini on BUILD/train.bin on a CPU.

    train.py --build BUILD --tokens 5000000 [--threads 2] [--resume]

The plan is counted in tokens, not in time, so the process may be stopped and continued at will. The learning rate warms up, stays, and
falls linearly to zero over the last `--decay` of the budget. To change the budget while it runs write the new number of tokens to
BUILD/plan; to finish soon send SIGUSR1 (or `touch BUILD/finish`): the decay begins at the next step and takes a quarter of the tokens
seen so far. SIGTERM saves and ends; --resume goes on from there. BUILD/checkpoint.pt is replaced every few minutes, BUILD/log.csv grows
by a line at every evaluation.
"""
import argparse, math, os, pathlib, signal, time
import numpy as np
import torch
import torch.nn.functional as F
from model import PhiMini, T

ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ap.add_argument("--build", type=pathlib.Path, required=True)
ap.add_argument("--texts", type=pathlib.Path, default=pathlib.Path("integration/texts"))
ap.add_argument("--tokenizer", default="integration/models/phi-mini/tokenizer.json")
ap.add_argument("--tokens", type=int, default=5_000_000)
ap.add_argument("--batch", type=int, default=8, help="sequences of 512 tokens a step")
ap.add_argument("--micro", type=int, default=8, help="sequences at once")
ap.add_argument("--lr", type=float, default=2e-3, help="AdamW: embedding, head, norms, biases")
ap.add_argument("--muon-lr", type=float, default=4e-3, help="Muon: the matrices of the layers")
ap.add_argument("--decay", type=float, default=0.4, help="share of the budget over which the rate falls to zero")
ap.add_argument("--threads", type=int, default=2)
ap.add_argument("--seed", type=int, default=1)
ap.add_argument("--resume", action="store_true")
args = ap.parse_args()

torch.set_num_threads(args.threads)
torch.manual_seed(args.seed)
data = torch.from_numpy(np.fromfile(args.build / "train.bin", dtype=np.uint16).astype(np.int32))


def held_out(name, windows=16):
    from tokenizers import Tokenizer
    ids = Tokenizer.from_file(args.tokenizer).encode((args.texts / name).read_text(encoding="utf-8")).ids
    step = len(ids) // windows
    return torch.tensor([ids[i * step:i * step + T] for i in range(windows)])


probes = {name: held_out(f"{name}.txt") for name in ("general", "domain")}
net = PhiMini()
matrices = [p for n, p in net.named_parameters() if p.ndim == 2 and "layers" in n]
others = [p for n, p in net.named_parameters() if not (p.ndim == 2 and "layers" in n)]
optimizers = [torch.optim.Muon(matrices, lr=args.muon_lr, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw"),
              torch.optim.AdamW(others, lr=args.lr, betas=(0.9, 0.95), weight_decay=0.0, fused=True)]
peak = [args.muon_lr, args.lr]
seen, step, budget, decay_from = 0, 0, args.tokens, None
log = args.build / "log.csv"
if args.resume:
    state = torch.load(args.build / "checkpoint.pt")
    net.load_state_dict(state["model"])
    for o, s in zip(optimizers, state["optimizers"]): o.load_state_dict(s)
    seen, step, budget, decay_from = state["progress"]
    torch.set_rng_state(state["rng"])
else:
    log.write_text("tokens,train_loss,general_loss,domain_loss,lr_scale,tokens_per_s\n")

hurry = [False]
leave = [False]
signal.signal(signal.SIGUSR1, lambda *_: hurry.__setitem__(0, True))
signal.signal(signal.SIGTERM, lambda *_: leave.__setitem__(0, True))


def scale():
    """The learning rate as a share of its peak."""
    start = decay_from if decay_from is not None else budget * (1 - args.decay)
    return max(0.0, min(1.0, (seen + 1) / 400_000, (budget - seen) / max(1, budget - start)))


def loss_of(ids):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = net(ids[:, :-1])
    return F.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten())


@torch.no_grad()
def evaluate():
    return [float(torch.stack([loss_of(p[i:i + 8]) for i in range(0, len(p), 8)]).mean()) for p in probes.values()]


def save():
    tmp = args.build / "checkpoint.tmp"
    torch.save({"model": net.state_dict(), "optimizers": [o.state_dict() for o in optimizers],
                "progress": (seen, step, budget, decay_from), "rng": torch.get_rng_state()}, tmp)
    os.replace(tmp, args.build / "checkpoint.pt")


saved = time.monotonic()
# A step on two cores waits for the slower one. Where another program holds a core, one thread is faster: try both, keep the better.
threads, took, trial = args.threads, {}, 0


def adapt(seconds):
    global threads, trial
    took[threads] = min(seconds, 1.1 * took.get(threads, seconds))
    trial -= 1
    if threads > 1 and seconds > 1.2 * took.get(1, 2 * took[threads]):
        threads, trial = 1, 5
    elif threads == 1 and trial <= 0:
        threads = args.threads
    torch.set_num_threads(threads)


losses, mark, rate = [], (time.monotonic(), seen), 0
while seen < budget:
    if (args.build / "plan").exists() and decay_from is None:
        budget = int((args.build / "plan").read_text())
    if (hurry[0] or (args.build / "finish").exists()) and decay_from is None:
        decay_from, budget = seen, min(budget, seen + seen // 4)
    factor = scale()
    for o, p in zip(optimizers, peak):
        for g in o.param_groups: g["lr"] = p * factor
    total, start = 0.0, time.monotonic()
    # Half the context while the rate is high: attention then costs half, and the long range is learnt during the decay.
    length = T if factor < 1 and seen > budget // 4 else T // 2
    for _ in range(args.batch // args.micro):
        rows = args.micro * T // length
        at = torch.randint(len(data) - length - 1, (rows,))
        ids = torch.stack([data[i:i + length + 1] for i in at]).long()
        loss = loss_of(ids) * args.micro / args.batch
        loss.backward()
        total += float(loss.detach())
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    for o in optimizers: o.step(); o.zero_grad(set_to_none=True)
    adapt(time.monotonic() - start)
    losses.append(total)
    seen += args.batch * T
    step += 1
    if not math.isfinite(total): raise SystemExit(f"loss {total} at step {step}")
    if step % 10 == 0:
        rate = (seen - mark[1]) / (time.monotonic() - mark[0])
        print(f"step {step} tokens {seen / 1e6:.2f}M of {budget / 1e6:.1f}M loss {np.mean(losses[-10:]):.3f} lr x{factor:.2f} {rate:.0f} tokens/s {threads} threads", flush=True)
        mark = (time.monotonic(), seen)
    if step % 120 == 0 or seen >= budget:
        general, domain = evaluate()
        with log.open("a") as f: f.write(f"{seen},{np.mean(losses[-120:]):.4f},{general:.4f},{domain:.4f},{factor:.3f},{rate:.0f}\n")
        print(f"  held out: general {general:.3f} domain {domain:.3f}", flush=True)
        mark = (time.monotonic(), seen)
    if time.monotonic() - saved > 180 or seen >= budget or leave[0]:
        save()
        saved = time.monotonic()
    if leave[0]: break
