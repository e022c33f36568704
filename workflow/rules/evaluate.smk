# Embeddings of all subsets in one pass, heads on them, and scores.


rule embed:
    input:
        folds="<results>/folds/{dataset}.json",
        weights=weights,
    output:
        rows="<results>/embeddings/{dataset}/fold{fold}/{method}.npy",
        facts="<results>/embeddings/{dataset}/fold{fold}/{method}.json",
        windows="<results>/embeddings/{dataset}/fold{fold}/{method}.parquet",
    log:
        "<results>/logs/embed/{dataset}/fold{fold}/{method}.log",
    benchmark:
        "<results>/benchmarks/embed/{dataset}/fold{fold}/{method}.tsv"
    conda:
        "../../envs/physiome.yaml"
    threads: GPU_THREADS
    resources:
        mem_mb=mem_mb(CONFIG.cluster, "embed"),
        runtime=runtime(CONFIG.cluster, "embed"),
        gpu=lambda wc: int(bool(weights(wc))),
        on_device=on_device,
        shard_settings=lambda wc: shard_settings(wc.dataset),
        train_settings=train_settings,
    params:
        shards=lambda wc: said_shards(wc.dataset),
        settings=lambda wc: CONFIG.embed_settings(wc.dataset, int(wc.fold), wc.method),
        weights=lambda wc: f"--weights {quote(weights(wc))}" if weights(wc) else "",
        code=method_code("physiome.steps.embed"),
    message:
        "Embed {wildcards.dataset} with {wildcards.method}, fold {wildcards.fold}"
    shell:
        "python -m physiome embed --settings {params.settings:q} --folds {input.folds:q}"
        " --fold {wildcards.fold} {params.weights} --output {output.rows:q}"
        " --gpus {resources.gpu} {resources.on_device}"
        " --shard-settings {resources.shard_settings:q}"
        " --train-settings {resources.train_settings:q} {params.shards} > {log:q} 2>&1"


rule probe:
    input:
        "<results>/embeddings/{dataset}/fold{fold}/{method}.npy",
    output:
        windows="<results>/scores/{dataset}/fold{fold}/{method}.parquet",
        facts="<results>/scores/{dataset}/fold{fold}/{method}.json",
        heads="<results>/scores/{dataset}/fold{fold}/{method}.heads.npz",
    log:
        "<results>/logs/probe/{dataset}/fold{fold}/{method}.log",
    benchmark:
        "<results>/benchmarks/probe/{dataset}/fold{fold}/{method}.tsv"
    conda:
        "../../envs/physiome.yaml"
    threads: CONFIG.threads.probe
    resources:
        mem_mb=mem_mb(CONFIG.cluster, "probe"),
        runtime=runtime(CONFIG.cluster, "probe"),
    params:
        settings=lambda wc: CONFIG.probe_settings(wc.dataset, int(wc.fold)),
        code=code("physiome.steps.probe"),
    message:
        "Fit and test heads of {wildcards.method} on {wildcards.dataset}, fold {wildcards.fold}"
    shell:
        "python -m physiome probe --settings {params.settings:q} --embeddings {input:q}"
        " --output {output.windows:q} --workers {threads} > {log:q} 2>&1"


rule scores:
    input:
        lambda wc: probes(
            CONFIG.table_name(wc.scored) if wc.scored in CONFIG.datasets else wc.scored
        ),
    output:
        scores="<results>/scores/{scored}.csv",
        by_subject="<results>/scores/{scored}.by_subject.csv",
        notes="<results>/scores/{scored}.notes.json",
    log:
        "<results>/logs/scores/{scored}.log",
    conda:
        "../../envs/physiome.yaml"
    resources:
        mem_mb=mem_mb(CONFIG.cluster, "scores"),
        runtime=runtime(CONFIG.cluster, "scores"),
    params:
        code=code("physiome.steps.scores"),
    message:
        "Collect the scores of {wildcards.scored}"
    shell:
        "python -m physiome scores --output {output.scores:q} --by-subject {output.by_subject:q}"
        " {input:q} > {log:q} 2>&1"


rule all_scores:
    input:
        expand("<results>/scores/{dataset}.csv", dataset=SHOWN),
    output:
        report(
            "<results>/scores.csv",
            caption="../report/scores.rst",
            category="Scores",
        ),
    log:
        "<results>/logs/scores.log",
    localrule: True
    conda:
        "../../envs/physiome.yaml"
    params:
        code=code("physiome.steps.scores"),
    message:
        "Join all scores"
    shell:
        "python -m physiome concat --output {output:q} {input:q} > {log:q} 2>&1"
