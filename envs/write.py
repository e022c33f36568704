"""Write envs/physiome.yaml, the conda environment of the rules, from constraints.txt.

python envs/write.py           # writes it
python envs/write.py --check   # exit code 1 if it is out of date
"""

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
# What torch itself pulls in on a GPU machine, and what no conda platform has.
LEFT_OUT = re.compile(r"^(nvidia-|cuda-|triton)|emscripten|win32|darwin")


def environment(constraints: str) -> str:
    """The YAML text for the given constraints."""
    pins = [line.strip() for line in constraints.splitlines() if line and line[0] != "#"]
    pins = [pin.partition(" ;")[0] for pin in pins if not LEFT_OUT.search(pin)]
    lines = [
        "# Written from constraints.txt by envs/write.py. The tested way to install is pip.",
        "channels:",
        "  - conda-forge",
        "dependencies:",
        "  - python=3.11",
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
