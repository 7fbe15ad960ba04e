#!/usr/bin/env python3
"""Makes the traces in integration/traces: when requests arrive, and how long their prompts and outputs are.

They are made, not recorded: each stresses one thing that caches differ in. Lengths are such that prompt and output fit
into phi-mini's 512 positions. The same seed gives the same files.

    python3 scripts/tools/make_traces.py integration/traces
"""
import json
import math
import random
import sys
from pathlib import Path

CONTEXT = 512
REQUESTS = 120


def clamp(value, low, high):
    return max(low, min(high, int(value)))


def uniform(draw, _):
    """Lengths anywhere between 2 and the context."""
    total = draw.randint(2, CONTEXT)
    prompt = draw.randint(1, total - 1)
    return prompt, total - prompt


def chat(draw, _):
    """Log-normal lengths, as in conversations: many short, few long; median prompt 60, median output 40."""
    prompt = clamp(draw.lognormvariate(math.log(60), 0.9), 1, CONTEXT - 2)
    output = clamp(draw.lognormvariate(math.log(40), 0.8), 1, CONTEXT - prompt)
    return prompt, output


def long(draw, _):
    """70 to 100 % of the context: the case for which static reservation is made."""
    total = draw.randint(CONTEXT * 7 // 10, CONTEXT)
    prompt = total * 3 // 4
    return prompt, total - prompt


def short(draw, _):
    """16 to 128 tokens: large pages and long reservations stay empty."""
    total = draw.randint(16, 128)
    prompt = total // 2
    return prompt, total - prompt


def staggered(draw, index):
    """Equal prompts, and outputs that end one after the other: memory is left between those that go on."""
    return 64, 16 + 56 * (index % 8)


def main():
    folder = Path(sys.argv[1])
    for seed, shape in enumerate([uniform, chat, long, short, staggered], start=1):
        draw = random.Random(seed)
        requests, arrival = [], 0.0
        for index in range(REQUESTS):
            prompt, output = shape(draw, index)
            requests.append({"arrival": int(arrival), "prompt": prompt, "output": output})
            # Faster than eight slots can serve, so that there is always someone waiting; staggered comes in waves.
            arrival += 0 if shape is staggered and index % 8 != 7 else draw.expovariate(8 / (output + 1))
        head = {"schema": "trisect/trace", "schema_version": 1, "name": shape.__name__,
                "description": shape.__doc__, "seed": seed}
        lines = ",\n    ".join(json.dumps(request) for request in requests)
        text = json.dumps(head, indent=2)[:-2] + ',\n  "requests": [\n    ' + lines + "\n  ]\n}\n"
        json.loads(text)
        (folder / f"{shape.__name__}.json").write_text(text)


if __name__ == "__main__":
    main()
