# What `make learn` runs of each data set and seed: all scores, and a note of which are compared.


rule pairs:
    input:
        [
            AT.scores(Row(dataset, fold, method))
            for dataset in CONFIG.used
            for fold in CONFIG.numbers(dataset)
            for method in learned_rows(CONFIG, dataset)
        ],
    output:
        "<results>/pairs.json",
    log:
        "<results>/logs/pairs.log",
    localrule: True
    conda:
        "../../envs/physiome.yaml"
    params:
        settings=pair_settings(CONFIG),
        code=code("physiome.steps.pairs"),
    message:
        "Note which scores are compared"
    shell:
        "python -m physiome pairs --settings {params.settings:q} --output {output:q}"
        " {input:q} > {log:q} 2>&1"
