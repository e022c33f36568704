# What happens to trained models when a modality of several leads loses some of them.


rule lost_leads:
    input:
        folds="<results>/folds/{dataset}.json",
        heads="<results>/scores/{dataset}/fold{fold}/{method}.heads.npz",
        weights=weights,
    output:
        "<results>/lost_leads/{dataset}/fold{fold}/{method}.parquet",
    log:
        "<results>/logs/lost_leads/{dataset}/fold{fold}/{method}.log",
    conda:
        "../../envs/physiome.yaml"
    threads: GPU_THREADS
    resources:
        mem_mb=mem_mb(CONFIG.cluster, "lost_leads"),
        runtime=runtime(CONFIG.cluster, "lost_leads"),
        gpu=lambda wc: int(bool(weights(wc))),
        on_device=on_device,
        shard_settings=lambda wc: shard_settings(wc.dataset),
    params:
        shards=lambda wc: said_shards(wc.dataset),
        weights=lambda wc: f"--weights {quote(weights(wc))}" if weights(wc) else "",
        code=method_code("physiome.predict.lost_leads"),
    message:
        "Take leads away from {wildcards.method} on {wildcards.dataset}, fold {wildcards.fold}"
    shell:
        "python -m physiome lost-leads --heads {input.heads:q} --folds {input.folds:q}"
        " --fold {wildcards.fold} {params.weights} --output {output:q}"
        " --gpus {resources.gpu} {resources.on_device}"
        " --shard-settings {resources.shard_settings:q} {params.shards} > {log:q} 2>&1"


rule lost_leads_figure:
    input:
        lost_leads_of,
    output:
        csv="<results>/figures/{dataset}/lost_leads.csv",
        figure=report(
            "<results>/figures/{dataset}/lost_leads.svg",
            caption="../report/lost_leads.rst",
            category="Figures",
            labels={"data set": "{dataset}", "figure": "score by leads left"},
        ),
    log:
        "<results>/logs/lost_leads/{dataset}.log",
    localrule: True
    conda:
        "../../envs/physiome.yaml"
    params:
        settings=lambda wc: CONFIG.figure_settings(wc.dataset),
        classes=lambda wc: " ".join(
            f"--class {quote(name)}" for name in CONFIG.datasets[wc.dataset].classes
        ),
        code=code("physiome.steps.lost_leads_figure"),
    message:
        "Draw what lost leads cost on {wildcards.dataset}"
    shell:
        "python -m physiome lost-leads-figure --settings {params.settings:q} {params.classes}"
        " --csv {output.csv:q} --figure {output.figure:q} {input:q} > {log:q} 2>&1"
