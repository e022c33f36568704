# Tables and figures.


rule table:
    input:
        scores=lambda wc: f"<results>/scores/{scored_in(wc.table)}.csv",
        notes=lambda wc: f"<results>/scores/{scored_in(wc.table)}.notes.json",
        beside=beside,
    output:
        csv=report(
            "<results>/tables/{table}.csv",
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{table}"},
        ),
        long="<results>/tables/{table}.long.csv",
        tex="<results>/tables/{table}.tex",
        facts="<results>/tables/{table}.json",
    log:
        "<results>/logs/table/{table}.log",
    localrule: True
    conda:
        "../../envs/physiome.yaml"
    params:
        settings=lambda wc: CONFIG.table_settings(wc.table),
        code=code("physiome.steps.table"),
    message:
        "Write {wildcards.table}"
    shell:
        "python -m physiome table --settings {params.settings:q} --scores {input.scores:q}"
        " --csv {output.csv:q} --tex {output.tex:q} > {log:q} 2>&1"


rule summary:
    input:
        summary_files(SUMMARY),
    output:
        report(
            "<results>/summary.html",
            caption="../report/summary.rst",
            category="Summary",
        ),
    log:
        "<results>/logs/summary.log",
    localrule: True
    conda:
        "../../envs/physiome.yaml"
    params:
        settings=SUMMARY.text(),
        code=code("physiome.steps.summary"),
    message:
        "Write the page that tells the whole run"
    shell:
        "python -m physiome summary --settings {params.settings:q} --output {output:q} > {log:q} 2>&1"


rule intervals:
    input:
        lambda wc: probes(wc.table),
    output:
        report(
            "<results>/tables/{table}.intervals.csv",
            caption="../report/intervals.rst",
            category="Tables",
            labels={"table": "{table}", "shows": "differences with intervals"},
        ),
    log:
        "<results>/logs/intervals/{table}.log",
    conda:
        "../../envs/physiome.yaml"
    resources:
        mem_mb=mem_mb(CONFIG.cluster, "intervals"),
        runtime=runtime(CONFIG.cluster, "intervals"),
    params:
        settings=lambda wc: CONFIG.interval_settings(wc.table),
        code=code("physiome.steps.intervals"),
    message:
        "Draw subjects for the intervals of {wildcards.table}"
    shell:
        "python -m physiome intervals --settings {params.settings:q} --output {output:q}"
        " {input:q} > {log:q} 2>&1"


rule really_missing:
    input:
        lambda wc: probes(wc.table),
    output:
        report(
            "<results>/tables/{table}.missing.csv",
            caption="../report/missing.rst",
            category="Tables",
            labels={"table": "{table}", "shows": "really and artificially missing"},
        ),
    log:
        "<results>/logs/really_missing/{table}.log",
    conda:
        "../../envs/physiome.yaml"
    resources:
        mem_mb=mem_mb(CONFIG.cluster, "really_missing"),
        runtime=runtime(CONFIG.cluster, "really_missing"),
    params:
        settings=lambda wc: CONFIG.interval_settings(wc.table),
        code=code("physiome.steps.really_missing"),
    message:
        "Compare really and artificially missing modalities in {wildcards.table}"
    shell:
        "python -m physiome really-missing --settings {params.settings:q} --output {output:q}"
        " {input:q} > {log:q} 2>&1"


rule costs:
    input:
        lambda wc: [AT.manifest(model) for model in models(wc.table)],
    output:
        report(
            "<results>/tables/{table}.costs.csv",
            caption="../report/costs.rst",
            category="Tables",
            labels={"table": "{table}", "shows": "size, time, memory"},
        ),
    log:
        "<results>/logs/costs/{table}.log",
    localrule: True
    conda:
        "../../envs/physiome.yaml"
    params:
        settings=lambda wc: CONFIG.cost_settings(
            wc.table, AT.models(CONFIG.tables_of[wc.table]), ancestors(wc.table)
        ),
        benchmarks=lambda wc: benchmarks(wc.table),
        code=code("physiome.steps.costs"),
    message:
        "Add up the costs of {wildcards.table}"
    shell:
        "python -m physiome costs --settings {params.settings:q} --output {output:q}"
        " {params.benchmarks} {input:q} > {log:q} 2>&1"


rule comparison:
    input:
        scores="<results>/scores/{dataset}.csv",
        embeddings=lambda wc: [
            AT.embeddings(r, "json") for r in GRAPH.rows(CONFIG.table_name(wc.dataset))
        ],
    output:
        robustness=report(
            "<results>/figures/{dataset}/robustness.svg",
            caption="../report/robustness.rst",
            category="Figures",
            labels={"data set": "{dataset}", "figure": "score by missing modalities"},
        ),
        restoration=report(
            "<results>/figures/{dataset}/restoration.svg",
            caption="../report/restoration.rst",
            category="Figures",
            labels={"data set": "{dataset}", "figure": "restoration error"},
        ),
        restored=report(
            "<results>/figures/{dataset}/restored.svg",
            caption="../report/restored.rst",
            category="Figures",
            labels={"data set": "{dataset}", "figure": "restored tokens"},
        ),
        numbers="<results>/figures/{dataset}/restoration.csv",
    log:
        "<results>/logs/comparison/{dataset}.log",
    localrule: True
    conda:
        "../../envs/physiome.yaml"
    params:
        settings=lambda wc: CONFIG.figure_settings(wc.dataset),
        code=code("physiome.steps.compare_figures"),
    message:
        "Draw robustness and restoration of {wildcards.dataset}"
    shell:
        "python -m physiome comparison --settings {params.settings:q} --scores {input.scores:q}"
        " --robustness {output.robustness:q} --restoration {output.restoration:q}"
        " --restored {output.restored:q} --numbers {output.numbers:q} {input.embeddings:q}"
        " > {log:q} 2>&1"


rule figures:
    input:
        scores="<results>/scores/{dataset}.csv",
        probes=lambda wc: probes(CONFIG.table_name(wc.dataset)),
    output:
        confusion=report(
            "<results>/figures/{dataset}/confusion.svg",
            caption="../report/confusion.rst",
            category="Figures",
            labels={"data set": "{dataset}", "figure": "confusion"},
        ),
        timeline=report(
            "<results>/figures/{dataset}/timeline.svg",
            caption="../report/timeline.rst",
            category="Figures",
            labels={"data set": "{dataset}", "figure": "one recording"},
        ),
        subsets=report(
            "<results>/figures/{dataset}/subsets.svg",
            caption="../report/subsets.rst",
            category="Figures",
            labels={"data set": "{dataset}", "figure": "score by subset"},
        ),
    log:
        "<results>/logs/figures/{dataset}.log",
    localrule: True
    conda:
        "../../envs/physiome.yaml"
    params:
        settings=lambda wc: CONFIG.figure_settings(wc.dataset),
        code=code("physiome.steps.figures"),
    message:
        "Draw confusion, timeline and scores of {wildcards.dataset}"
    shell:
        "python -m physiome figures --settings {params.settings:q} --scores {input.scores:q}"
        " --confusion {output.confusion:q} --timeline {output.timeline:q}"
        " --subsets {output.subsets:q} {input.probes:q} > {log:q} 2>&1"


rule diagnostics:
    input:
        scores="<results>/scores/{dataset}.csv",
        by_subject="<results>/scores/{dataset}.by_subject.csv",
        costs=lambda wc: f"<results>/tables/{CONFIG.table_name(wc.dataset)}.costs.csv",
        embeddings=main_embeddings,
        probes=lambda wc: probes(CONFIG.table_name(wc.dataset)),
    output:
        paired=report(
            "<results>/figures/{dataset}/paired.svg",
            caption="../report/paired.rst",
            category="Figures",
            labels={"data set": "{dataset}", "figure": "differences by subject"},
        ),
        reliability=report(
            "<results>/figures/{dataset}/reliability.svg",
            caption="../report/reliability.rst",
            category="Figures",
            labels={"data set": "{dataset}", "figure": "calibration"},
        ),
        cost_score=report(
            "<results>/figures/{dataset}/cost_score.svg",
            caption="../report/cost_score.rst",
            category="Figures",
            labels={"data set": "{dataset}", "figure": "score against cost"},
        ),
        embedding_map=report(
            "<results>/figures/{dataset}/embedding_map.svg",
            caption="../report/embedding_map.rst",
            category="Figures",
            labels={"data set": "{dataset}", "figure": "embeddings"},
        ),
    log:
        "<results>/logs/diagnostics/{dataset}.log",
    localrule: True
    conda:
        "../../envs/physiome.yaml"
    params:
        settings=lambda wc: CONFIG.figure_settings(wc.dataset),
        code=code("physiome.steps.diagnostics"),
    message:
        "Draw subjects, calibration, costs and embeddings of {wildcards.dataset}"
    shell:
        "python -m physiome diagnostics --settings {params.settings:q} --scores {input.scores:q}"
        " --by-subject {input.by_subject:q} --costs {input.costs:q}"
        " --embeddings {input.embeddings:q} --paired {output.paired:q}"
        " --reliability {output.reliability:q} --cost-score {output.cost_score:q}"
        " --embedding-map {output.embedding_map:q} {input.probes:q} > {log:q} 2>&1"


rule curves:
    input:
        metrics,
    output:
        report(
            "<results>/figures/{dataset}/curves.svg",
            caption="../report/curves.rst",
            category="Figures",
            labels={"data set": "{dataset}", "figure": "training curves"},
        ),
    log:
        "<results>/logs/curves/{dataset}.log",
    localrule: True
    conda:
        "../../envs/physiome.yaml"
    params:
        code=code("physiome.steps.curves"),
    message:
        "Draw the training curves of {wildcards.dataset}"
    shell:
        "python -m physiome curves --output {output:q} {input:q} > {log:q} 2>&1"
