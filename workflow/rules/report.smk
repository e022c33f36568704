# Tables and figures.


rule table:
    input:
        lambda wc: f"<results>/scores/{CONFIG.dataset_of_table(wc.table)}.csv",
    output:
        csv=report(
            "<results>/tables/{table}.csv",
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{table}"},
        ),
        tex="<results>/tables/{table}.tex",
    log:
        "<results>/logs/table/{table}.log",
    localrule: True
    conda:
        "../../envs/physiome.yaml"
    params:
        settings=lambda wc: CONFIG.table_settings(CONFIG.dataset_of_table(wc.table)),
        code=code("physiome.steps.table"),
    shell:
        "python -m physiome table --settings {params.settings:q} --scores {input:q}"
        " --csv {output.csv:q} --tex {output.tex:q} > {log:q} 2>&1"


rule figures:
    input:
        scores="<results>/scores/{dataset}.csv",
        probes=probes,
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
    shell:
        "python -m physiome figures --settings {params.settings:q} --scores {input.scores:q}"
        " --confusion {output.confusion:q} --timeline {output.timeline:q}"
        " --subsets {output.subsets:q} {input.probes:q} > {log:q} 2>&1"


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
    shell:
        "python -m physiome curves --output {output:q} {input:q} > {log:q} 2>&1"
