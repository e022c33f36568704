# Raw recordings -> shards -> folds.


rule records:
    output:
        "<results>/records/{dataset}.csv",
    params:
        settings=lambda wc: CONFIG.records_settings(wc.dataset),
        code=code("physiome.steps.records"),
    log:
        "<results>/logs/records/{dataset}.log",
    conda:
        "../../envs/physiome.yaml"
    localrule: True
    shell:
        "{PHYSIOME} records --settings {params.settings:q} --output {output:q} > {log:q} 2>&1"


rule fetch:
    input:
        "<results>/records/{dataset}.csv",
    output:
        "<results>/raw/{dataset}.batch{batch}.json",
    params:
        settings=lambda wc: CONFIG.records_settings(wc.dataset),
        batches=lambda wc: CONFIG.datasets[wc.dataset].batches,
        code=code("physiome.steps.fetch"),
    log:
        "<results>/logs/fetch/{dataset}.batch{batch}.log",
    benchmark:
        "<results>/benchmarks/fetch/{dataset}.batch{batch}.tsv"
    conda:
        "../../envs/physiome.yaml"
    shell:
        "{PHYSIOME} fetch --settings {params.settings:q} --records {input:q}"
        " --batch {wildcards.batch} --batches {params.batches} --output {output:q} > {log:q} 2>&1"


rule shard:
    input:
        "<results>/raw/{dataset}.batch{batch}.json",
    output:
        windows="<results>/shards/{dataset}/batch{batch}/windows.parquet",
        manifest="<results>/shards/{dataset}/batch{batch}/manifest.json",
    params:
        settings=lambda wc: CONFIG.shard_settings(wc.dataset),
        folder=subpath(output.manifest, parent=True),
        code=code("physiome.steps.shard"),
    log:
        "<results>/logs/shard/{dataset}.batch{batch}.log",
    benchmark:
        "<results>/benchmarks/shard/{dataset}.batch{batch}.tsv"
    threads: CONFIG.threads.shard
    conda:
        "../../envs/physiome.yaml"
    shell:
        "{PHYSIOME} shard --settings {params.settings:q} --raw {input:q}"
        " --folder {params.folder:q} --workers {threads} > {log:q} 2>&1"


rule folds:
    input:
        shards,
    output:
        folds="<results>/folds/{dataset}.json",
        records="<results>/folds/{dataset}.records.csv",
    params:
        settings=lambda wc: CONFIG.folds_settings(wc.dataset),
        code=code("physiome.steps.folds"),
    log:
        "<results>/logs/folds/{dataset}.log",
    conda:
        "../../envs/physiome.yaml"
    localrule: True
    shell:
        "{PHYSIOME} folds --settings {params.settings:q} --output {output.folds:q}"
        " --records {output.records:q} {input:q} > {log:q} 2>&1"
