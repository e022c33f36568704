# Encoders of single modalities, then the methods that fuse them. Progress that survives a kill lies
# in `<weights>.resume/`, which is no output: Snakemake would delete it. The settings that
# shards and weights must have are resources: a step compares them, and they rerun nothing. So is how
# a training is watched.


rule pretrain:
    input:
        folds="<results>/folds/{dataset}.json",
    output:
        weights="<results>/models/{dataset}/fold{fold}/encoders/{encoder}/{modality}.safetensors",
        manifest="<results>/models/{dataset}/fold{fold}/encoders/{encoder}/{modality}.json",
        metrics="<results>/models/{dataset}/fold{fold}/encoders/{encoder}/{modality}.metrics.jsonl",
    log:
        "<results>/logs/pretrain/{dataset}/fold{fold}/{encoder}.{modality}.log",
    benchmark:
        "<results>/benchmarks/pretrain/{dataset}/fold{fold}/{encoder}.{modality}.tsv"
    conda:
        "../../envs/physiome.yaml"
    threads: GPU_THREADS
    resources:
        mem_mb=mem_mb(CONFIG.cluster, "pretrain"),
        runtime=runtime(CONFIG.cluster, "pretrain"),
        gpu=1,
        on_device=ON_DEVICE,
        watched=WATCHED,
        shard_settings=lambda wc: shard_settings(wc.dataset),
    params:
        shards=lambda wc: said_shards(wc.dataset),
        settings=lambda wc: pretrain_settings(wc.dataset, int(wc.fold), wc.encoder),
        code=lambda wc: code("physiome.steps.pretrain", CONFIG.encoder_entry(wc.encoder).module),
    message:
        "Pretrain {wildcards.encoder} on {wildcards.modality} of {wildcards.dataset}, fold {wildcards.fold}"
    shell:
        "python -m physiome pretrain --settings {params.settings:q} --folds {input.folds:q}"
        " --fold {wildcards.fold} --modality {wildcards.modality} --output {output.weights:q}"
        " --gpus {resources.gpu} {resources.on_device} {resources.watched}"
        " --shard-settings {resources.shard_settings:q} {params.shards} > {log:q} 2>&1"


rule train:
    input:
        folds="<results>/folds/{dataset}.json",
        parents=parents,
        published=lambda wc: CONFIG.published(wc.dataset, int(wc.fold), wc.method),
    output:
        weights="<results>/models/{dataset}/fold{fold}/{method}.safetensors",
        manifest="<results>/models/{dataset}/fold{fold}/{method}.json",
        metrics="<results>/models/{dataset}/fold{fold}/{method}.metrics.jsonl",
    log:
        "<results>/logs/train/{dataset}/fold{fold}/{method}.log",
    benchmark:
        "<results>/benchmarks/train/{dataset}/fold{fold}/{method}.tsv"
    conda:
        "../../envs/physiome.yaml"
    threads: GPU_THREADS
    resources:
        mem_mb=mem_mb(CONFIG.cluster, "train"),
        runtime=runtime(CONFIG.cluster, "train"),
        gpu=1,
        on_device=ON_DEVICE,
        watched=WATCHED,
        shard_settings=lambda wc: shard_settings(wc.dataset),
        parent_settings=parent_settings,
    params:
        shards=lambda wc: said_shards(wc.dataset),
        settings=train_settings,
        parents=lambda wc: " ".join(f"--parent {quote(path)}" for path in parents(wc)),
        code=method_code("physiome.steps.train"),
    message:
        "Train {wildcards.method} on {wildcards.dataset}, fold {wildcards.fold}"
    shell:
        "python -m physiome train --settings {params.settings:q} --folds {input.folds:q}"
        " --fold {wildcards.fold} {params.parents} --output {output.weights:q}"
        " --gpus {resources.gpu} {resources.on_device} {resources.watched}"
        " --shard-settings {resources.shard_settings:q}"
        " --parent-settings {resources.parent_settings:q} {params.shards} > {log:q} 2>&1"
