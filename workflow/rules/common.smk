# The validated configuration, and what rules take from it. No rules here.

import gc
import sys
from functools import cache
from shlex import quote

from physiome import provenance
from physiome.config.pairs import learned_rows, pair_settings
from physiome.data.sources.kinds import SOURCES
from physiome.data.sources.own_files import batch_digests
from physiome.errors import PhysioError
from physiome.plan.ending import made_tables, whereabouts
from physiome.plan.graph import Graph
from physiome.plan.layout import Layout, Row
from physiome.plan.memory import note_results
from physiome.plan.page import summary_files, summary_spec
from physiome.plan.sizes import gpu_threads, mem_mb, runtime
from physiome.plan.stale import own_batches
from physiome.plan.start import begin
from physiome.registry import ENCODERS, METHODS
from physiome.watch.said import said_at_end

# A plan is many small objects that stay: looking for garbage among them takes a tenth of the time.
gc.set_threshold(1_000_000)

# Commands take the place of their shell: it would die at once of a signal that a scheduler sends to
# all of a job, and be taken for the training, which saves its progress first.
shell.prefix("set -euo pipefail; exec ")


def refuse(error):
    """End the run before any job, in the words of the error alone."""
    print(f"physiome: error: {error}", file=sys.stderr)
    sys.exit(error.exit_code)


try:
    CONFIG = begin(config, workflow.configfiles, sys.argv[1:], workflow.is_main_process)
except PhysioError as error:
    refuse(error)


def code(*modules):
    """A hash of the code that these modules reach."""
    try:
        return provenance.code(*modules)
    except PhysioError as error:
        refuse(error)


RESULTS, AT, GRAPH = CONFIG.results, Layout(CONFIG.results), Graph(CONFIG)

# Options of commands that change no result
ON_DEVICE, ON_CPU = (
    f"--device {device} --gpu {quote(CONFIG.gpu_settings())}" for device in (CONFIG.device, "cpu")
)
WATCHED = f"--save-every-s {CONFIG.save_every_s} --monitor {quote(CONFIG.monitor_settings())}"

# Asked for every job, and the same for many
shard_settings = cache(CONFIG.shard_settings)
pretrain_settings = cache(CONFIG.pretrain_settings)


def shared_gpus():
    """Jobs that compute on GPUs at once, where several share one; 0 where none do.

    `--resources gpu=` counts devices, a job asks for one slot: so the resource becomes slots. The
    job itself leases a slot of a device that has the memory. On a cluster every job gets a GPU.
    """
    given = workflow.global_resources.get("gpu").value
    on_cluster = workflow.global_resources.get("_nodes").value is not None
    if CONFIG.gpu.jobs == 1 or CONFIG.device == "cpu" or on_cluster or not given:
        return 0
    if not workflow.is_main_process:  # what the main process says is slots already
        return given
    workflow.register_resource("gpu", given * CONFIG.gpu.jobs)
    print(f"{given} GPUs, shared by {CONFIG.gpu.jobs} jobs at most each", file=sys.stderr)
    return given * CONFIG.gpu.jobs


GPU_THREADS = gpu_threads(
    CONFIG.threads.train, workflow.global_resources.get("_cores").value, shared_gpus()
)


wildcard_constraints:
    dataset="|".join(CONFIG.datasets),
    batch=r"\d+",
    fold=r"\d+",
    encoder="|".join([*ENCODERS, *CONFIG.encoder_variants]),
    method="|".join([*METHODS, *CONFIG.variants]),
    modality=r"[a-z][a-z0-9_]*",
    table="|".join(CONFIG.tables_of),
    scored="|".join([*CONFIG.datasets, *CONFIG.ablations]),


def end(config):
    """Print a run's table, if it makes one, and where everything is."""
    asked = workflow.dag_settings.until or workflow.dag_settings.omit_from
    asked = [*(asked or workflow.dag_settings.targets)]
    made = made_tables(config, asked)
    if len(made) == 1:
        from physiome.steps import show  # imports what planning does not need

        try:
            show.run(made, config.tables.head)
        except PhysioError as error:  # a run that succeeded stays so
            print(f"physiome: {error}", file=sys.stderr)
    for line in whereabouts(config, asked):
        print(line)


def shards(wildcards):
    """The manifests of all shards of a data set."""
    return shards_of(wildcards.dataset)


@cache
def shards_of(dataset):
    return [AT.shard(dataset, b) for b in range(CONFIG.datasets[dataset].batches)]


@cache
def said_shards(dataset):
    """The same for a command, put together once for all jobs of the data set."""
    return AT.shards(dataset, CONFIG.datasets[dataset].batches)


@cache
def own_digests(dataset):
    """For each batch, what stands for the user's own rows and files; [] where there are none."""
    noted = own_batches(CONFIG, dataset)
    return batch_digests(CONFIG.records_settings(dataset), noted) if noted else []


def listed(wildcards):
    """The table of records. One's own is not copied: `own_digests` say which batches it changes."""
    own = CONFIG.datasets[wildcards.dataset].source.kind == "recordings"
    return [] if own else AT.records(wildcards.dataset)


def row(wildcards):
    """A job's method or variant in its fold."""
    return Row(wildcards.dataset, int(wildcards.fold), wildcards.method)


def parents(wildcards):
    """Weights a training job begins with."""
    return [AT.weights(model) for model in GRAPH.parents(row(wildcards))]


def parent_settings(wildcards):
    """What they must have been trained with; it is the same for all of them."""
    models = GRAPH.parents(row(wildcards))
    return GRAPH.settings(models[0]) if models else "{}"


def weights(wildcards):
    """A method's weights; none for a method that has none."""
    model = GRAPH.model(row(wildcards))
    return AT.weights(model) if model else []


def on_device(wildcards):
    """How a method embeds; what has no weights asks for no GPU and takes none."""
    return f"{ON_DEVICE if weights(wildcards) else ON_CPU} --batch {CONFIG.embed_batch}"


def train_settings(wildcards):
    """The settings of a method's own training; {} for one that is not trained."""
    model = GRAPH.model(row(wildcards))
    return GRAPH.settings(model) if model else "{}"


def probes(table):
    """Per-window scores of all folds and methods of a table."""
    return [AT.scores(r) for r in GRAPH.rows(table)]


def lost_leads_of(wildcards):
    """Rows of a data set whose test windows are scored with fewer leads."""
    return [AT.lost_leads(r) for r in GRAPH.rows(CONFIG.table_name(wildcards.dataset))]


def few_labels_of(wildcards):
    """Rows of a data set whose heads are fitted again on few subjects."""
    return [AT.few_labels(r) for r in GRAPH.rows(CONFIG.table_name(wildcards.dataset))]


@cache
def models(table):
    """All trainings that a table needs."""
    return GRAPH.models(GRAPH.rows(table))


def is_trained(model):
    """Whether a model is more than its first weights."""
    return GRAPH.training(model).epochs > 0


def metrics(wildcards):
    """Training metrics of all models of a data set's table that were trained at all."""
    of_table = models(CONFIG.table_name(wildcards.dataset))
    return [AT.metrics(model) for model in of_table if is_trained(model)]


def ancestors(table):
    """Method -> all that was trained before its own models -> in which folds, for the costs."""
    found = {}
    for r in GRAPH.rows(table):
        for model in GRAPH.ancestors(r):
            found.setdefault(r.method, {}).setdefault(model.below, []).append(model.fold)
    return found


def main_embeddings(wildcards):
    """Embeddings of the method that a data set's figures are about, in its first fold."""
    rows = GRAPH.rows(CONFIG.table_name(wildcards.dataset))
    main = [r for r in rows if r.method == CONFIG.main_method(wildcards.dataset)]
    return AT.embeddings(min(main, key=lambda r: r.fold))


def benchmarks(table):
    """What Snakemake measured of a table's trainings; no input, so nothing reruns for it."""
    return " ".join(f"--benchmark {quote(AT.benchmark(model))}" for model in models(table))


def scored_in(table):
    """The data set, or table of variants, whose file of scores a table is made from."""
    return table if table in CONFIG.ablations else CONFIG.tables_of[table]


# Data sets whose own table is made, those with curves to draw, and with modalities of
# several leads
SHOWN = [d for d in CONFIG.used if CONFIG.table_name(d) in CONFIG.made_tables]
TRAINED = [d for d in SHOWN if any(map(is_trained, models(CONFIG.table_name(d))))]
OF_LEADS = [d for d in SHOWN if CONFIG.leads_of(d)]
SUMMARY = summary_spec(CONFIG)


def beside(wildcards):
    """What stands beside a table and is made with it, never left from an earlier run."""
    table = wildcards.table
    kinds = ["costs"]
    if len(CONFIG.rows_of(table)) > 1:
        kinds.append("intervals")
    if table not in CONFIG.ablations:
        kinds.append("missing")
    return [f"<results>/tables/{table}.{kind}.csv" for kind in kinds]


def source_code(step):
    """Hash of a step's code together with that of the data set's kind of source."""

    def of(wildcards):
        kind = CONFIG.datasets[wildcards.dataset].source.kind
        return code(step, SOURCES[kind].partition(":")[0])

    return of


def method_code(step):
    """Hash of a step's code with that of the job's method and of what it is built on."""
    return lambda wildcards: code(step, *GRAPH.modules(row(wildcards)))
