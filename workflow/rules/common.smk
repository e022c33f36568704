# The validated configuration, and what rules take from it. No rules here.

import gc
import sys
from functools import cache
from shlex import quote

from physiome.config.pairs import learned_rows, pair_settings
from physiome.config.strict_yaml import read_yaml
from physiome.config.tree import Config
from physiome.data.sources import SOURCES
from physiome.data.own_files import batch_digests
from physiome.errors import PhysioError, nearest
from physiome.plan.stale import own_batches, require_known
from physiome.provenance import code
from physiome.registry import ENCODERS, METHODS

# A plan is many small objects that stay: looking for garbage among them takes a tenth of the time.
gc.set_threshold(1_000_000)

# With these, results that nothing is known of do no harm.
FORCING = {"--forcerun", "-R", "--forceall", "-F", "--unlock", "--lint"}

try:
    for path in workflow.configfiles:
        read_yaml(path)  # Snakemake takes the last of a key that is there twice
    CONFIG = Config.load(config)
    CONFIG.check_folders()
    if workflow.is_main_process and not {*sys.argv} & FORCING:
        require_known(CONFIG)
except PhysioError as error:
    print(f"physiome: error: {error}", file=sys.stderr)
    sys.exit(error.exit_code)


RESULTS = CONFIG.results

# Snakemake only says that no rule makes a misspelt table.
for target in sys.argv[1:]:
    folder, _, file = target.rpartition("/")
    if folder == f"{RESULTS}/tables" and file.split(".")[0] not in CONFIG.tables_of:
        near = nearest(file.split(".")[0], CONFIG.tables_of)
        print(f"physiome: error: there is no table {target} - {near}", file=sys.stderr)
        sys.exit(2)


wildcard_constraints:
    dataset="|".join(CONFIG.datasets),
    batch=r"\d+",
    fold=r"\d+",
    encoder="|".join([*ENCODERS, *CONFIG.encoders]),
    method="|".join([*METHODS, *CONFIG.variants]),
    modality=r"[a-z][a-z0-9_]*",
    table="|".join(CONFIG.tables_of),
    scored="|".join([*CONFIG.datasets, *CONFIG.ablations]),


def shards(wildcards):
    """The manifests of all shards of a data set."""
    return shards_of(wildcards.dataset)


@cache
def shards_of(dataset):
    batches = range(CONFIG.datasets[dataset].batches)
    return [f"{RESULTS}/shards/{dataset}/batch{b}/manifest.json" for b in batches]


def own_files(wildcards):
    """What stands for a batch of the user's own rows and files; nothing where there are none."""
    digests = own_digests(wildcards.dataset)
    return digests[int(wildcards.batch)] if digests else ""


@cache
def own_digests(dataset):
    noted = own_batches(CONFIG, dataset)
    return batch_digests(CONFIG.records_settings(dataset), noted) if noted else []


def listed(wildcards):
    """The table of records. One's own is not copied: `own_files` says which batches it changes."""
    own = CONFIG.datasets[wildcards.dataset].source.kind == "recordings"
    return [] if own else f"{RESULTS}/records/{wildcards.dataset}.csv"


@cache
def resolve(method, dataset, fold):
    """A method or variant in a fold, with all overrides."""
    return CONFIG.resolve(method, dataset, fold)


def resolved(wildcards):
    """The method or variant of a job."""
    return resolve(wildcards.method, wildcards.dataset, int(wildcards.fold))


def model(dataset, fold, name):
    """A model's weights without suffix; `name` is a method or `encoders/<encoder>/<modality>`."""
    return f"{RESULTS}/models/{dataset}/fold{fold}/{name}"


def trained_on(found, dataset, fold):
    """What a resolved method stands on: models without suffix -> benchmarks of their trainings."""
    folder = f"{dataset}/fold{fold}"
    if found.entry.after:
        name = found.entry.after
        return {model(dataset, fold, name): f"train/{folder}/{name}"}
    if not found.entry.on_encoders:
        return {}
    return {
        model(
            dataset, fold, f"encoders/{found.encoder}/{m}"
        ): f"pretrain/{folder}/{found.encoder}.{m}"
        for m in CONFIG.datasets[dataset].modalities
    }


def stands(wildcards):
    """Weights a training job begins with."""
    stems = trained_on(resolved(wildcards), wildcards.dataset, wildcards.fold)
    return [f"{stem}.safetensors" for stem in stems]


def weights(wildcards):
    """A method's weights; none for a method that has none."""
    if not resolved(wildcards).entry.trains:
        return []
    stem = model(wildcards.dataset, wildcards.fold, wildcards.method)
    return f"{stem}.safetensors"


def train_settings(wildcards):
    """What a method's weights must have been trained with; nothing for one that has none."""
    if not resolved(wildcards).entry.trains:
        return "{}"
    return CONFIG.train_settings(wildcards.dataset, int(wildcards.fold), wildcards.method)


def stand_settings(wildcards):
    """What the weights that a training begins with must have been trained with."""
    found, fold = resolved(wildcards), int(wildcards.fold)
    if found.entry.after:
        return CONFIG.train_settings(wildcards.dataset, fold, found.entry.after)
    if found.entry.on_encoders:
        return CONFIG.pretrain_settings(wildcards.dataset, fold, found.encoder)
    return "{}"


def table_of(scored):
    """The table that a file of scores is for: that of a data set, or one of variants."""
    return CONFIG.table_name(scored) if scored in CONFIG.datasets else scored


def scored_in(table):
    """The file of scores a table is made from, without folder and suffix."""
    return table if table in CONFIG.ablations else CONFIG.tables_of[table]


def results_of(table, pattern):
    """Files of all folds and methods of a table; `pattern` is below the results folder."""
    dataset = CONFIG.tables_of[table]
    return [
        f"{RESULTS}/{pattern}".format(dataset=dataset, fold=fold, method=method)
        for fold in CONFIG.folds_of(table)
        for method in CONFIG.rows_of(table)
    ]


def probes(table):
    """Per-window scores of all folds and methods of a table."""
    return results_of(table, "scores/{dataset}/fold{fold}/{method}.parquet")


@cache
def models(table):
    """All trainings of a table, encoders first: (weights without suffix, benchmark, epochs)."""
    dataset, below, above = CONFIG.tables_of[table], {}, {}
    for fold in CONFIG.folds_of(table):
        for method in CONFIG.rows_of(table):
            found = resolve(method, dataset, fold)
            if found.entry.trains:
                stem, name = model(dataset, fold, method), f"train/{dataset}/fold{fold}/{method}"
                above[stem] = name, found.train.epochs
                for stem, name in trained_on(found, dataset, fold).items():
                    below[stem] = name, 1
    return [(stem, *facts) for stem, facts in (below | above).items()]


def metrics(wildcards):
    """Training metrics of all models of a data set's table that were trained at all."""
    table = CONFIG.table_name(wildcards.dataset)
    return [f"{stem}.metrics.jsonl" for stem, _, epochs in models(table) if epochs]


def manifests(table):
    """Manifests of all models of a table."""
    return [f"{stem}.json" for stem, *_ in models(table)]


def benchmarks(table):
    """What Snakemake measured of the jobs behind `manifests`; no input, so nothing reruns for it."""
    paths = [f"{RESULTS}/benchmarks/{name}.tsv" for _, name, _ in models(table)]
    return " ".join(f"--benchmark {quote(path)}" for path in paths)


def below(table):
    """Method -> manifests of what its models stand on, for the costs."""
    dataset, found = CONFIG.tables_of[table], {}
    for method in CONFIG.rows_of(table):
        for fold in CONFIG.folds_of(table):
            stems = trained_on(resolve(method, dataset, fold), dataset, fold)
            found.setdefault(method, []).extend(f"{stem}.json" for stem in stems)
    return found


# Data sets whose own table is made, those with curves to draw, and tables with rows to compare
SHOWN = [d for d in CONFIG.used if CONFIG.table_name(d) in CONFIG.made_tables]
TRAINED = [d for d in SHOWN if any(epochs for *_, epochs in models(CONFIG.table_name(d)))]
COMPARED = [table for table in CONFIG.made_tables if len(CONFIG.rows_of(table)) > 1]


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
        modules, after = [found.entry.module], METHODS[found.base].after
        if found.encoder:
            modules.append(CONFIG.encoder_entry(found.encoder).module)
        while after:
            modules.append(METHODS[after].module)
            after = METHODS[after].after
        return code(step, *modules)

    return of
