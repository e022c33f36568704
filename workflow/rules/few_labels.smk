# Label efficiency: the same embeddings under heads fitted on few of the labelled subjects. Nothing
# of `all`: name the figure, as in `snakemake results/figures/sleep_edf/few_labels.svg`.


rule few_labels:
    input:
        "<results>/embeddings/{dataset}/fold{fold}/{method}.npy",
    output:
        "<results>/few_labels/{dataset}/fold{fold}/{method}.parquet",
    log:
        "<results>/logs/few_labels/{dataset}/fold{fold}/{method}.log",
    conda:
        "../../envs/physiome.yaml"
    threads: CONFIG.threads.probe
    resources:
        mem_mb=mem_mb(CONFIG.cluster, "few_labels"),
        runtime=runtime(CONFIG.cluster, "few_labels"),
    params:
        settings=lambda wc: CONFIG.few_labels_settings(wc.dataset, int(wc.fold)),
        code=code("physiome.steps.few_labels"),
    message:
        "Fit heads of {wildcards.method} on few subjects of {wildcards.dataset}, fold {wildcards.fold}"
    shell:
        "python -m physiome few-labels --settings {params.settings:q} --embeddings {input:q}"
        " --output {output:q} --workers {threads} > {log:q} 2>&1"


rule few_labels_figure:
    input:
        few_labels_of,
    output:
        csv="<results>/figures/{dataset}/few_labels.csv",
        figure=report(
            "<results>/figures/{dataset}/few_labels.svg",
            caption="../report/few_labels.rst",
            category="Figures",
            labels={"data set": "{dataset}", "figure": "score by labelled subjects"},
        ),
    log:
        "<results>/logs/few_labels/{dataset}.log",
    localrule: True
    conda:
        "../../envs/physiome.yaml"
    params:
        settings=lambda wc: CONFIG.figure_settings(wc.dataset),
        code=code("physiome.steps.few_labels_figure"),
    message:
        "Draw how few labels score on {wildcards.dataset}"
    shell:
        "python -m physiome few-labels-figure --settings {params.settings:q}"
        " --csv {output.csv:q} --figure {output.figure:q} {input:q} > {log:q} 2>&1"
