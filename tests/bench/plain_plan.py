"""The floor of planning: the same jobs and files in a Snakefile that computes nothing.

Its rules have the names, outputs and logs of the real ones; what a job reads is looked up.
"""

import json
import re
from pathlib import Path

FIELD = re.compile(r"^    (input|output|log|wildcards): (.*)$")
RULE = """
rule {name}:
    input: lambda w: JOBS["{name} " + " ".join(f"{{k}}={{v}}" for k, v in sorted(w.items()))]
    output: {output}
    log: {log}
    shell: "true"
"""


def plain_snakefile(plan: str) -> str:
    """A Snakefile with the jobs of a plan.

    Args:
        plan: what `snakemake -n` printed.
    """
    blocks = re.split(r"^(?:local)?rule (\w+):$", plan, flags=re.MULTILINE)[1:]
    jobs: dict[str, list[str]] = {}
    rules: dict[str, str] = {}
    values: dict[str, set[str]] = {}
    for name, block in zip(blocks[::2], blocks[1::2], strict=True):
        fields = {k: v.split(", ") for line in block.splitlines() for k, v in FIELD.findall(line)}
        wildcards = dict(pair.split("=", 1) for pair in fields.get("wildcards", []))
        key = " ".join(f"{k}={v}" for k, v in sorted(wildcards.items()))
        jobs[f"{name} {key}"] = fields.get("input", [])
        for wildcard, value in wildcards.items():
            values.setdefault(wildcard, set()).add(re.escape(value))
        output, log = (
            ", ".join(f'"{_pattern(path, wildcards)}"' for path in fields.get(kind, []))
            for kind in ("output", "log")
        )
        rules.setdefault(name, RULE.format(name=name, output=output, log=log))
    known = "".join(f'    {k}="{"|".join(sorted(v))}",\n' for k, v in values.items())
    first = "".join(rules.pop("all"))  # its input is what is made by default
    head = f"JOBS = {json.dumps(jobs)}\nwildcard_constraints:\n{known}"
    return head + first + "".join(rules.values())


def _pattern(path: str, wildcards: dict[str, str]) -> str:
    """A path with wildcards in place of their values, each where it stands as a whole word."""
    for wildcard, value in wildcards.items():
        before = wildcard if value.isdigit() else ""
        whole = rf"(?<=[/.]){before}{re.escape(value)}(?=[/.]|$)"
        path = re.sub(whole, f"{before}{{{wildcard}}}", path, count=1)
    return path


def write_plain(plan: str, folder: Path) -> None:
    """Write `Snakefile` into a folder of its own."""
    folder.mkdir()
    (folder / "Snakefile").write_text(plain_snakefile(plan), encoding="utf-8")
