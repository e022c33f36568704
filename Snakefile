# PhysioME: from raw recordings to tables. What lies where, below the results folder:
#
#   records/, raw/        which recordings there are, and where their files lie
#   shards/               labelled windows, memory-mappable
#   folds/                which subjects pretrain, train, validate and test
#   models/               weights, manifests, training metrics
#   embeddings/, scores/  embeddings and per-window scores of every fold, method and subset
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


rule all:
    default_target: True
    input:
        [f"<results>/tables/{CONFIG.table_name(d)}.csv" for d in CONFIG.used],
        [f"<results>/tables/{CONFIG.table_name(d)}.tex" for d in CONFIG.used],
        [f"<results>/figures/{d}/curves.svg" for d in CONFIG.used if TRAINED],
        expand("<results>/figures/{dataset}/confusion.svg", dataset=CONFIG.used),
        "<results>/scores.csv",
    localrule: True


rule data:
    input:
        expand("<results>/folds/{dataset}.json", dataset=CONFIG.used),
    localrule: True
