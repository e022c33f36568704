"""Write envs/physiome.yaml, the conda environment of the rules, from constraints.txt.

python envs/write.py           # writes it
python envs/write.py --check   # exit code 1 if it is out of date
"""

import sys
from pathlib import Path

from packaging.requirements import Requirement

HERE = Path(__file__).parent
PYTHON = "3.11"
WHERE = {  # whatever machine writes it
    "python_version": PYTHON, "python_full_version": f"{PYTHON}.9",
    "implementation_name": "cpython", "platform_python_implementation": "CPython",
    "sys_platform": "linux", "os_name": "posix", "platform_system": "Linux",
    "platform_machine": "x86_64",
}  # fmt: skip
OF_TORCH = ("nvidia-", "cuda-", "triton")  # what it pulls in itself on a GPU machine


def environment(constraints: str) -> str:
    """The YAML text for the given constraints."""
    found = [Requirement(line) for line in constraints.splitlines() if line and line[0] != "#"]
    here = [r for r in found if r.marker is None or r.marker.evaluate(WHERE)]
    pins = [f"{r.name}{r.specifier}" for r in here if not r.name.startswith(OF_TORCH)]
    lines = [
        "# Written from constraints.txt by envs/write.py. The tested way to install is pip.",
        "channels:",
        "  - conda-forge",
        "dependencies:",
        f"  - python={PYTHON}",
        "  - pip",
        "  - pip:",
        *(f"      - {pin}" for pin in pins),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write or check; return the exit code."""
    text = environment((HERE.parent / "constraints.txt").read_text(encoding="utf-8"))
    target = HERE / "physiome.yaml"
    if "--check" in sys.argv:
        return int(not target.exists() or target.read_text(encoding="utf-8") != text)
    target.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
