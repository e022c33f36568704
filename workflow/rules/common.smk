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
TRAINED = any(METHODS[m].trains for m in CONFIG.methods)  # else there are no curves to draw


wildcard_constraints:
    dataset="|".join(CONFIG.datasets),
    batch=r"\d+",
    fold=r"\d+",
    encoder="|".join(ENCODERS),
    method="|".join(METHODS),
    modality=r"[a-z][a-z0-9_]*",
    table="|".join(CONFIG.table_name(d) for d in CONFIG.datasets),


def shards(wildcards):
    """The manifests of all shards of a data set."""
    batches = range(CONFIG.datasets[wildcards.dataset].batches)
    return [f"{RESULTS}/shards/{wildcards.dataset}/batch{b}/manifest.json" for b in batches]


def encoders(wildcards):
    """The encoders a method stands on, one per modality; none for others."""
    if not METHODS[wildcards.method].on_encoders:
        return []
    folder = encoder_folder(wildcards)
    modalities = CONFIG.datasets[wildcards.dataset].modalities
    return [f"{folder}/{m}.safetensors" for m in modalities]


def encoder_folder(wildcards):
    name = encoder_name(wildcards)
    return f"{RESULTS}/models/{wildcards.dataset}/fold{wildcards.fold}/encoders/{name}"


def encoder_name(wildcards):
    return CONFIG.section("encoder", wildcards.dataset, int(wildcards.fold)).name


def weights(wildcards):
    """A method's weights; none for a method that has none to train."""
    if not METHODS[wildcards.method].trains:
        return []
    return (
        f"{RESULTS}/models/{wildcards.dataset}/fold{wildcards.fold}/{wildcards.method}.safetensors"
    )


def probes(wildcards):
    """Per-window scores of all folds and methods of a data set."""
    return [
        f"{RESULTS}/scores/{wildcards.dataset}/fold{fold}/{method}.parquet"
        for fold in CONFIG.numbers(wildcards.dataset)
        for method in CONFIG.methods
    ]


def metrics(wildcards):
    """Training metrics of all folds of a data set: encoders, if a method needs them, then methods."""
    with_encoders = any(METHODS[m].on_encoders for m in CONFIG.methods)
    found = []
    for fold in CONFIG.numbers(wildcards.dataset):
        folder = f"{RESULTS}/models/{wildcards.dataset}/fold{fold}"
        name = CONFIG.section("encoder", wildcards.dataset, fold).name
        modalities = CONFIG.datasets[wildcards.dataset].modalities if with_encoders else ()
        found += [f"{folder}/encoders/{name}/{m}.metrics.jsonl" for m in modalities]
        found += [f"{folder}/{m}.metrics.jsonl" for m in CONFIG.methods if METHODS[m].trains]
    return found


def source_code(step):
    """Hash of a step's code together with that of the data set's kind of source."""

    def of(wildcards):
        kind = CONFIG.datasets[wildcards.dataset].source.kind
        return code(step, SOURCES[kind].partition(":")[0])

    return of


def method_code(step):
    """Hash of a step's code together with the code of the job's method and encoder."""

    def of(wildcards):
        modules = [METHODS[wildcards.method].module]
        if METHODS[wildcards.method].on_encoders:
            modules.append(ENCODERS[encoder_name(wildcards)].module)
        return code(step, *modules)

    return of
