"""Which job makes a result, told by where it lies. The rules' outputs are tested to agree."""

import re
from dataclasses import dataclass
from typing import Any

# rule -> its results below the results folder, and its log below logs/<rule>/, without suffix
FOLD = r"(?P<dataset>[^/]+)/fold(?P<fold>\d+)"
ROW, OF_ROW = FOLD + r"/(?P<method>[^/.]+)\.", "{dataset}/fold{fold}/{method}"
DATASET, BATCH = r"(?P<dataset>[^/.]+)", r"batch(?P<batch>\d+)"
RULES: dict[str, tuple[str, str]] = {
    "records": (rf"records/{DATASET}\.csv", "{dataset}"),
    "fetch": (rf"raw/{DATASET}\.{BATCH}\.json", "{dataset}.batch{batch}"),
    "shard": (rf"shards/{DATASET}/{BATCH}/.+", "{dataset}.batch{batch}"),
    "folds": (rf"folds/{DATASET}\..+", "{dataset}"),
    "pretrain": (
        rf"models/{FOLD}/encoders/(?P<encoder>[^/]+)/(?P<modality>[^/.]+)\..+",
        "{dataset}/fold{fold}/{encoder}.{modality}",
    ),
    "train": (rf"models/{ROW}.+", OF_ROW),
    "embed": (rf"embeddings/{ROW}.+", OF_ROW),
    "probe": (rf"scores/{ROW}.+", OF_ROW),
    "lost_leads": (rf"lost_leads/{ROW}.+", OF_ROW),
    "few_labels": (rf"few_labels/{ROW}.+", OF_ROW),
    "scores": (r"scores/(?P<scored>[^/.]+)\..+", "{scored}"),
    "all_scores": (r"scores\.csv", ""),
    "intervals": (r"tables/(?P<table>[^/.]+)\.intervals\.csv", "{table}"),
    "really_missing": (r"tables/(?P<table>[^/.]+)\.missing\.csv", "{table}"),
    "costs": (r"tables/(?P<table>[^/.]+)\.costs\.csv", "{table}"),
    "table": (r"tables/(?P<table>[^/.]+)\..+", "{table}"),
    "comparison": (rf"figures/{DATASET}/(robustness|restoration|restored)\..+", "{dataset}"),
    "figures": (rf"figures/{DATASET}/(confusion|timeline|subsets)\..+", "{dataset}"),
    "diagnostics": (
        rf"figures/{DATASET}/(paired|reliability|cost_score|embedding_map)\..+",
        "{dataset}",
    ),
    "curves": (rf"figures/{DATASET}/curves\..+", "{dataset}"),
    "lost_leads_figure": (rf"figures/{DATASET}/lost_leads\..+", "{dataset}"),
    "few_labels_figure": (rf"figures/{DATASET}/few_labels\..+", "{dataset}"),
    "summary": (r"summary\.html", ""),
    "pairs": (r"pairs\.json", ""),
}
# Rules that are told one by one; the others take seconds and are told together
LONG = ("records", "fetch", "shard", "folds", "pretrain", "train", "embed", "probe", "lost_leads",
        "few_labels")  # fmt: skip
SHORT = "tables and figures"
LOGS = {"all_scores": "scores.log", "pairs": "pairs.log", "lost_leads_figure": "lost_leads/{}.log",
        "few_labels_figure": "few_labels/{}.log", "summary": "summary.log"}  # fmt: skip


@dataclass(frozen=True)
class Job:
    """A job of the workflow.

    Attributes:
        rule: as in workflow/rules.
        results: the results folder.
        wildcards: of the rule, in order of its log's name.
    """

    rule: str
    results: str
    wildcards: tuple[tuple[str, str], ...]

    @property
    def named(self) -> dict[str, Any]:
        """Wildcard -> value."""
        return dict(self.wildcards)

    @property
    def log(self) -> str:
        """Where its output goes."""
        own = RULES[self.rule][1].format(**self.named)
        below = LOGS.get(self.rule, f"{self.rule}/{{}}.log").format(own)
        return f"{self.results}/logs/{below}"

    @property
    def what(self) -> str:
        """Whose it is, in words: `physiome, sleep_edf fold 2`."""
        named = self.named
        own = [named[key] for key in ("encoder", "method", "scored", "table") if key in named]
        own += [named["modality"]] if "modality" in named else []
        of = named.get("dataset", "")
        of += "".join(f" {key} {named[key]}" for key in ("fold", "batch") if key in named)
        return ", ".join(part for part in (" ".join(own), of) if part)


def job_of(path: str) -> Job | None:
    """The job that makes a result; None for what no rule makes.

    Example:
        >>> job_of("results/demo/models/sleep_edf/fold2/physiome.json").what
        'physiome, sleep_edf fold 2'
    """
    for rule, (pattern, _) in RULES.items():
        found = re.fullmatch(rf"(?P<results>.+)/{pattern}", path)
        if found:
            named = found.groupdict()
            return Job(rule, named.pop("results"), tuple(named.items()))
    return None
