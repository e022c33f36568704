"""All jobs that a configuration needs, told by a result of each."""

from physiome.config.tree import Config
from physiome.plan.graph import Graph
from physiome.plan.layout import Layout


def results_of(config: Config) -> dict[str, list[str]]:
    """Rule -> a result of each of its jobs, of all rules up to the tables."""
    graph, at = Graph(config), Layout(config.results)
    rows = [*dict.fromkeys(r for table in config.made_tables for r in graph.rows(table))]
    models = graph.models(rows)
    batches = [(d, b) for d in config.used for b in range(config.datasets[d].batches)]
    listed = [d for d in config.used if config.datasets[d].source.kind != "recordings"]
    return {
        "records": [at.records(d) for d in listed],
        "fetch": [at.fetched(d, b) for d, b in batches],
        "shard": [at.shard(d, b) for d, b in batches],
        "folds": [at.folds(d) for d in config.used],
        "pretrain": [at.weights(m) for m in models if m.modality is not None],
        "train": [at.weights(m) for m in models if m.modality is None],
        "embed": [at.embeddings(r) for r in rows],
        "probe": [at.scores(r) for r in rows],
        "table": [at.table(t) for t in config.made_tables],
    }
