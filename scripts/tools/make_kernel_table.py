#!/usr/bin/env python3
"""Writes docs/kernels.md: what the assembler made of every CUDA kernel of ours.

    cmake --preset cuda && scripts/tools/make_kernel_table.py --build build/cuda

Needs nvcc, ptxas and c++filt, no GPU. Exits 1 when a kernel spills registers.
"""

import argparse
import concurrent.futures
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

# Per SM: CUDA C++ Programming Guide, "Technical Specifications per Compute Capability". Shared memory in bytes.
DEVICES = {80: {"threads": 2048, "registers": 65536, "blocks": 32, "shared": 164 << 10},
           90: {"threads": 2048, "registers": 65536, "blocks": 32, "shared": 228 << 10}}
RESERVED_SHARED = 1 << 10  # of each block, since compute capability 8.0
REGISTER_UNIT = 256        # registers are handed out to warps in such portions

INTRODUCTION = """# CUDA kernels

What `ptxas` of CUDA {version} made of the kernels for compute capability 8.0 (A100) and 9.0 (H100). Occupancy is worked
out from registers, threads and static shared memory; nothing here was measured on a device. Kernels that ask for shared
memory at launch are marked: there it is an upper bound. Kernels of CUB and Thrust are left out.

Rebuild with `cmake --preset cuda && scripts/tools/make_kernel_table.py --build build/cuda`.
"""


def run(command, directory=None):
    result = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"make_kernel_table: {shlex.join(map(str, command))}\n{result.stderr}")
    return result.stdout + result.stderr


def front_end(command):
    """The nvcc command without what concerns the output and the architectures."""
    words, kept, skip = shlex.split(command), [], False
    for word in words[next(i for i, w in enumerate(words) if w.endswith("nvcc")):]:
        if skip:
            skip = False
        elif word in ("-o", "-MF", "-MT", "-x"):
            skip = True
        elif word not in ("-c", "-MD") and not word.startswith(("--generate-code", "-gencode", "-arch")):
            kept.append(word)
    return kept


def kernels_of(entry, capability, scratch):
    """{mangled name: its row} of one source for one architecture."""
    ptx = pathlib.Path(scratch) / f"{pathlib.Path(entry['file']).stem}.{capability}.ptx"
    run([*front_end(entry["command"]), "-x", "cu", "-ptx", f"-arch=compute_{capability}", "-o", str(ptx)], entry["directory"])
    text = ptx.read_text()
    sized_at_launch = re.findall(r"\.extern \.shared[^;]*?(\w+)\[\]", text)
    rows = {}
    pattern = (r"Compiling entry function '(\w+)'.*?(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill "
               r"loads.*?Used (\d+) registers([^\n]*)")
    for name, stack, stores, loads, registers, rest in re.findall(pattern, run(["ptxas", "-v", f"-arch=sm_{capability}", str(ptx),
                                                                               "-o", "/dev/null"]), re.S):
        head, body = text[text.index(f".entry {name}("):].split("{", 1)
        body = body.split(".entry ", 1)[0]
        threads = re.search(r"\.maxntid (\d+)", head)
        shared = re.search(r"(\d+) bytes smem", rest)
        rows[name] = {"stack": int(stack), "spilled": int(stores) + int(loads), "registers": int(registers),
                      "shared": int(shared[1]) if shared else 0, "threads": int(threads[1]) if threads else None,
                      "dynamic": any(symbol in body for symbol in sized_at_launch)}
    return rows


def blocks_per_sm(row, device):
    per_warp = -(-row["registers"] * 32 // REGISTER_UNIT) * REGISTER_UNIT
    warps = -(-row["threads"] // 32)
    return min(device["blocks"], device["threads"] // (32 * warps), device["registers"] // per_warp // warps,
               device["shared"] // (row["shared"] + RESERVED_SHARED))


def short(name):
    """`row_product_all_kernel<bf16, 8, 1>` of the demangled name."""
    name = re.sub(r"^void ", "", name.split("(anonymous namespace)::", 1)[-1])
    name = re.sub(r"\((?:int|bool)\)", "", re.sub(r"trisect::", "", name))
    depth = 0
    for i, letter in enumerate(name):
        depth += {"<": 1, ">": -1}.get(letter, 0)
        if letter == "(" and depth == 0:
            return name[:i]
    return name


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True, help="build directory of a configured preset with CUDA")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path(__file__).parents[2] / "docs/kernels.md")
    options = parser.parse_args()
    root = pathlib.Path(__file__).resolve().parents[2]
    database = options.build / "compile_commands.json"
    if not database.exists():
        sys.exit(f"make_kernel_table: {database} is not there: configure a build with CUDA first")
    sources = sorted((e for e in json.loads(database.read_text()) if e["file"].endswith(".cu") and "/kernels/" in e["file"]
                      and "/tests/" not in e["file"]), key=lambda e: e["file"])
    version = re.search(r"release ([\d.]+)", run(["nvcc", "--version"]))[1]
    lines = [INTRODUCTION.format(version=version)]
    spilling = []
    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = {(e["file"], c): pool.submit(kernels_of, e, c, scratch) for e in sources for c in DEVICES}
        for entry in sources:
            file = pathlib.Path(entry["file"]).resolve().relative_to(root)
            by_capability = {c: jobs[entry["file"], c].result() for c in DEVICES}
            names = list(by_capability[80])
            readable = run(["c++filt", *names]).splitlines() if names else []
            own = sorted((short(d), n) for n, d in zip(names, readable) if "trisect::" in d.split("<")[0])
            if not own:
                continue
            lines.append(f"\n## `{file}`\n")
            lines.append("| kernel | threads | sm_80: registers | blocks an SM | occupancy | sm_90: registers | blocks an SM | "
                         "occupancy | spills | shared bytes |\n| :-- | --: | --: | --: | --: | --: | --: | --: | --: | --: |")
            for kernel, name in own:
                cells, spilled = [], 0
                for capability, device in DEVICES.items():
                    row = by_capability[capability][name]
                    if row["threads"] is None:
                        sys.exit(f"make_kernel_table: {file}: {kernel} has no __launch_bounds__")
                    blocks = blocks_per_sm(row, device)
                    cells += [str(row["registers"]), str(blocks), f"{100 * blocks * row['threads'] // device['threads']} %"]
                    spilled += row["spilled"]
                if spilled:
                    spilling.append(f"{file}: {kernel}: {spilled} bytes")
                extra = " + launch" if row["dynamic"] else ""
                lines.append(f"| `{kernel}` | {row['threads']} | " + " | ".join(cells) + f" | {spilled} | {row['shared']}{extra} |")
    options.output.write_text("\n".join(lines) + "\n")
    print(f"{options.output}: {len(spilling)} kernels spill")
    for line in spilling:
        print(line)
    return 1 if spilling else 0


if __name__ == "__main__":
    sys.exit(main())
