# The validated configuration, and what rules take from it. No rules here.

import sys
from shlex import quote

from physiome.config.tree import Config
from physiome.data.sources import SOURCES
from physiome.errors import PhysioError
from physiome.provenance import code
from physiome.registry import ENCODERS, METHODS

try:
    CONFIG = Config.load(config)
    CONFIG.check_folders()
except PhysioError as error:
    print(f"physiome: error: {error}", file=sys.stderr)
    sys.exit(error.exit_code)


RESULTS = CONFIG.results
MODELS = f"{RESULTS}/models/{{dataset}}/fold{{fold}}"


wildcard_constraints:
    dataset="|".join(CONFIG.datasets),
    batch=r"\d+",
    fold=r"\d+",
    encoder="|".join(ENCODERS),
    method="|".join([*METHODS, *CONFIG.variants]),
    modality=r"[a-z][a-z0-9_]*",
    table="|".join(CONFIG.tables_of),


def shards(wildcards):
    """The manifests of all shards of a data set."""
    batches = range(CONFIG.datasets[wildcards.dataset].batches)
    return [f"{RESULTS}/shards/{wildcards.dataset}/batch{b}/manifest.json" for b in batches]


def resolved(wildcards):
    """The method or variant of a job, with all overrides."""
    return CONFIG.resolve(wildcards.method, wildcards.dataset, int(wildcards.fold))


def trained_on(found, dataset, fold):
    """Weights, without suffix, of what a resolved method stands on: encoders, or another method."""
    folder = MODELS.format(dataset=dataset, fold=fold)
    if found.entry.after:
        return [f"{folder}/{found.entry.after}"]
    if not found.entry.on_encoders:
        return []
    modalities = CONFIG.datasets[dataset].modalities
    return [f"{folder}/encoders/{found.encoder}/{m}" for m in modalities]


def stands(wildcards):
    """Weights a training job begins with."""
    stems = trained_on(resolved(wildcards), wildcards.dataset, wildcards.fold)
    return [f"{stem}.safetensors" for stem in stems]


def weights(wildcards):
    """A method's weights; none for a method that has none."""
    if not resolved(wildcards).entry.trains:
        return []
    return MODELS.format(**wildcards) + f"/{wildcards.method}.safetensors"


def probes(wildcards):
    """Per-window scores of all folds and methods of a table."""
    dataset = CONFIG.tables_of[wildcards.table]
    return [
        f"{RESULTS}/scores/{dataset}/fold{fold}/{method}.parquet"
        for fold in CONFIG.folds_of(wildcards.table)
        for method in CONFIG.rows_of(wildcards.table)
    ]


def models(table):
    """Weights, without suffix, of all that a table is made of: encoders first, then methods."""
    dataset = CONFIG.tables_of[table]
    below, above = {}, {}
    for fold in CONFIG.folds_of(table):
        for method in CONFIG.rows_of(table):
            found = CONFIG.resolve(method, dataset, fold)
            if not found.entry.trains:
                continue
            above[MODELS.format(dataset=dataset, fold=fold) + f"/{method}"] = found
            for stem in trained_on(found, dataset, fold):
                below[stem] = None
    return [*below, *(stem for stem in above if stem not in below)]


def manifests(wildcards):
    """Manifests of all models of a table."""
    return [f"{stem}.json" for stem in models(wildcards.table)]


def metrics(wildcards):
    """Training metrics of all models of a table that were trained for at least one epoch."""
    return [f"{stem}.metrics.jsonl" for stem in models(wildcards.table)]


def source_code(step):
    """Hash of a step's code together with that of the data set's kind of source."""

    def of(wildcards):
        kind = CONFIG.datasets[wildcards.dataset].source.kind
        return code(step, SOURCES[kind].partition(":")[0])

    return of


def method_code(step):
    """Hash of a step's code with that of the job's method and of what it stands on."""

    def of(wildcards):
        found = resolved(wildcards)
        modules, after = [found.entry.module], found.entry.after
        if found.encoder:
            modules.append(ENCODERS[found.encoder].module)
        while after:
            modules.append(METHODS[after].module)
            after = METHODS[after].after
        return code(step, *modules)

    return of
