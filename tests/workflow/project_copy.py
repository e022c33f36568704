"""A copy of the project's tracked files in a folder of its own, and snakemake runs in it."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
JOB_LINE = re.compile(r"^(\w+)\s+(\d+)$")


def environment() -> dict[str, str]:
    """Jobs call `python`: it must be the one that runs the tests."""
    scripts = str(Path(sys.executable).parent)
    kept = {k: v for k, v in os.environ.items() if k not in ("SNAKEMAKE_PROFILE", "PYTHONPATH")}
    return {**kept, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}


@dataclass(frozen=True)
class Project:
    """A checkout to run snakemake in."""

    root: Path

    @classmethod
    def copy(cls, root: Path) -> "Project":
        """The tracked files, as they are in the working tree."""
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split("\0")
        for name in listed:
            if (ROOT / name).is_file() and not name.startswith("tests/"):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, root / name)
        return cls(root)

    def clone(self, root: Path) -> "Project":
        """Everything, results and Snakemake's records of them included, with times kept."""
        shutil.copytree(self.root, root, dirs_exist_ok=True)
        return Project(root)

    def command(self, *arguments: object) -> list[str]:
        """A snakemake command line. Targets come first: some options take what follows them."""
        return [sys.executable, "-m", "snakemake", *map(str, arguments)]

    def snakemake(self, *arguments: object, check: bool = True) -> subprocess.CompletedProcess:
        """Run snakemake here; stdout and stderr are captured."""
        warm = [] if "-n" in arguments else [sys.executable, "-m", "physiome.warm"]
        done = subprocess.run(
            [*warm, *self.command(*arguments)],
            cwd=self.root,
            env=environment(),
            capture_output=True,
            text=True,
        )
        if check and done.returncode:
            raise AssertionError(f"snakemake {arguments}:\n{done.stdout}\n{done.stderr}")
        return done

    def start(self, *arguments: object) -> subprocess.Popen:
        """A snakemake run in the background, in a process group of its own."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.root,
            env=environment(),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def plan(self, *arguments: object) -> dict[str, int]:
        """Rule -> number of jobs that a dry run plans."""
        done = self.snakemake(*arguments, "-n", "--quiet", "rules")
        lines = (done.stdout + done.stderr).splitlines()
        jobs = [match.groups() for line in lines if (match := JOB_LINE.match(line.strip()))]
        return {rule: int(count) for rule, count in jobs if rule != "total"}

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace text in a file; the text must be there."""
        path = self.root / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def stamps(self, folders: Iterable[str]) -> dict[str, int]:
        """Path -> time of last change, of every file below folders of results."""
        paths = [p for f in folders for p in sorted((self.root / "results" / f).rglob("*"))]
        return {
            str(p.relative_to(self.root / "results")): p.stat().st_mtime_ns
            for p in paths
            if p.is_file()
        }
