# PhysioME: from raw recordings to tables. What lies where, below the results folder:
#
#   records/, raw/        which recordings there are, and where their files lie
#   shards/               labelled windows, memory-mappable
#   folds/                which subjects pretrain, train and test
#   models/               weights, manifests, training metrics
#   embeddings/, scores/  embeddings and per-window scores of every fold, method and subset
#   lost_leads/           per-window scores with leads of a modality taken away
#   few_labels/           scores by heads of few labelled subjects
#   tables/, figures/     what people read
#
# Every job calls `python -m physiome <verb>`: copy a command from the log and run it by hand.

from snakemake.utils import min_version

min_version("9.27")


configfile: f"{workflow.basedir}/config.yaml"


include: "workflow/rules/common.smk"


pathvars:
    results=CONFIG.results,


include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/leads.smk"
include: "workflow/rules/few_labels.smk"
include: "workflow/rules/learn.smk"


rule all:
    default_target: True
    input:
        expand("<results>/tables/{table}.{kind}", table=CONFIG.made_tables, kind=["csv", "tex"]),
        expand("<results>/figures/{dataset}/curves.svg", dataset=TRAINED),
        expand("<results>/figures/{dataset}/confusion.svg", dataset=SHOWN),
        expand("<results>/figures/{dataset}/robustness.svg", dataset=SHOWN),
        expand("<results>/figures/{dataset}/paired.svg", dataset=SHOWN),
        expand("<results>/figures/{dataset}/lost_leads.svg", dataset=OF_LEADS),
        ["<results>/scores.csv", "<results>/summary.html"] if SHOWN else [],
    localrule: True


rule data:
    input:
        expand("<results>/folds/{dataset}.json", dataset=CONFIG.used),
        [manifest for dataset in CONFIG.used for manifest in shards_of(dataset)],
    localrule: True


onstart:
    note_results(log, RESULTS)


onerror:
    for line in said_at_end(log, RESULTS):
        print(line, file=sys.stderr)
    note_results(log, RESULTS, "failed")


onsuccess:
    end(CONFIG)
    note_results(log, RESULTS, "done")
