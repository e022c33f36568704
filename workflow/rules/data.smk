# Raw recordings -> shards -> folds. How files are transferred is a resource: a change reruns nothing.


rule records:  # of sources that publish a list
    output:
        "<results>/records/{dataset}.csv",
    log:
        "<results>/logs/records/{dataset}.log",
    localrule: True
    conda:
        "../../envs/physiome.yaml"
    resources:
        transfer=lambda wc: CONFIG.transfer_settings(wc.dataset),
    params:
        settings=lambda wc: CONFIG.records_settings(wc.dataset),
        code=source_code("physiome.steps.records"),
    message:
        "List the recordings of {wildcards.dataset}"
    shell:
        "python -m physiome records --settings {params.settings:q}"
        " --transfer {resources.transfer:q} --output {output:q} > {log:q} 2>&1"


rule fetch:
    input:
        records=listed,
    output:
        "<results>/raw/{dataset}.batch{batch}.json",
    log:
        "<results>/logs/fetch/{dataset}.batch{batch}.log",
    benchmark:
        "<results>/benchmarks/fetch/{dataset}.batch{batch}.tsv"
    conda:
        "../../envs/physiome.yaml"
    resources:
        mem_mb=mem_mb(CONFIG.cluster, "fetch"),
        runtime=runtime(CONFIG.cluster, "fetch"),
        downloads=1,
        transfer=lambda wc: CONFIG.transfer_settings(wc.dataset),
    params:
        settings=lambda wc: CONFIG.records_settings(wc.dataset),
        records=lambda wc: f"--records {quote(listed(wc))}" if listed(wc) else "",
        batches=lambda wc: CONFIG.datasets[wc.dataset].batches,
        files=lambda wc: (own_digests(wc.dataset) or {int(wc.batch): ""})[int(wc.batch)],
        code=source_code("physiome.steps.fetch"),
    message:
        "Get the files of {wildcards.dataset}, batch {wildcards.batch}"
    shell:
        "python -m physiome fetch --settings {params.settings:q} {params.records}"
        " --transfer {resources.transfer:q} --batch {wildcards.batch}"
        " --batches {params.batches} --output {output:q} > {log:q} 2>&1"


rule shard:
    input:
        "<results>/raw/{dataset}.batch{batch}.json",
    output:
        windows="<results>/shards/{dataset}/batch{batch}/windows.parquet",
        manifest="<results>/shards/{dataset}/batch{batch}/manifest.json",
    log:
        "<results>/logs/shard/{dataset}.batch{batch}.log",
    benchmark:
        "<results>/benchmarks/shard/{dataset}.batch{batch}.tsv"
    conda:
        "../../envs/physiome.yaml"
    threads: CONFIG.threads.shard
    resources:
        mem_mb=mem_mb(CONFIG.cluster, "shard"),
        runtime=runtime(CONFIG.cluster, "shard"),
    params:
        settings=lambda wc: shard_settings(wc.dataset),
        folder=subpath(output.manifest, parent=True),
        code=code("physiome.steps.shard"),
    message:
        "Cut batch {wildcards.batch} of {wildcards.dataset} into windows"
    shell:
        "python -m physiome shard --settings {params.settings:q} --raw {input:q}"
        " --folder {params.folder:q} --workers {threads} > {log:q} 2>&1"


rule folds:
    input:
        shards,
    output:
        folds="<results>/folds/{dataset}.json",
        records="<results>/folds/{dataset}.records.csv",
    log:
        "<results>/logs/folds/{dataset}.log",
    localrule: True
    conda:
        "../../envs/physiome.yaml"
    resources:
        shards=lambda wc: said_shards(wc.dataset),
        shard_settings=lambda wc: shard_settings(wc.dataset),
    params:
        settings=lambda wc: CONFIG.folds_settings(wc.dataset),
        code=code("physiome.steps.folds"),
    message:
        "Divide the subjects of {wildcards.dataset} into folds"
    shell:
        "python -m physiome folds --settings {params.settings:q} --output {output.folds:q}"
        " --records {output.records:q}"
        " --shard-settings {resources.shard_settings:q} {resources.shards} > {log:q} 2>&1"
