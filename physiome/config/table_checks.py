"""Checks of what tables show: their rows, heads and titles."""

from collections.abc import Mapping

from physiome.config.experiment import Experiment
from physiome.config.paper import require_paper
from physiome.errors import ConfigError, PhysioError, nearest

# tables.head -> the setting of probe that fits it, and its value where it does not
HEADS = {
    "centred": ("centred", "null"),
    "context": ("context_s", "null"),
    "paper": ("paper_head", "null"),
    "one_head": ("one_head", "false"),
}


def check_tables(config: Experiment) -> None:
    """Every table is one thing, and those to make exist.

    Raises:
        ConfigError: naming the table and what it clashes with.
    """
    _check_names(config)
    _check_use_tables(config)


def _check_names(config: Experiment) -> None:
    owner: dict[str, str] = {}
    for name in config.datasets:
        table = config.table_name(name)
        if table in owner:
            raise ConfigError(
                f"data sets {owner[table]!r} and {name!r} would both be {table}",
                do="give one of them another paper_table, or null",
            )
        owner[table] = name
    for table, ablation in config.ablations.items():
        if table in owner:
            raise ConfigError(f"ablations.{table}: data set {owner[table]!r} has this table")
        if ablation.dataset not in config.datasets:
            known = nearest(ablation.dataset, config.datasets)
            raise ConfigError(f"ablations.{table}.dataset: {ablation.dataset!r} - {known}")
        try:
            ablation.parsed(config.datasets[ablation.dataset].modalities)
        except PhysioError as error:
            raise ConfigError(f"ablations.{table}.subsets: {error}") from None


def _check_use_tables(config: Experiment) -> None:
    """Tables to make exist, and so does what they are made of."""
    known = {config.table_name(name): name for name in config.datasets}
    known |= {table: ablation.dataset for table, ablation in config.ablations.items()}
    for table in config.use_tables or ():
        if table not in known:
            raise ConfigError(f"use_tables: {table!r} - {nearest(table, known)}")
        if known[table] not in config.used:
            raise ConfigError(
                f"use_tables: {table!r} would not be made",
                why=f"it is of data set {known[table]!r}, which use_datasets leaves out",
                do=f"add {known[table]!r} to use_datasets, or take {table!r} out of use_tables",
            )


def check_rows(config: Experiment) -> None:
    """Tables that are made have rows that can be filled, by a head that is fitted.

    Raises:
        ConfigError: naming the table's key.
    """
    _check_heads(config)
    for table in config.made_tables:
        _check_rows(config, table)


def _check_heads(config: Experiment) -> None:
    """The head that tables show is one that is fitted everywhere."""
    head = config.tables.head
    for dataset in config.used if head in HEADS else ():
        for fold in config.numbers(dataset):
            probe = config.section("probe", dataset, fold)
            key, off = HEADS[head]
            key = "centred" if head == "context" and not probe.centred else key
            if getattr(probe, key):
                continue
            raise ConfigError(
                f"tables.head: {head!r} is not fitted for {dataset}, fold {fold}",
                why=f"probe.{key} is {off} there",
                do=f"set probe.{key}, or another tables.head",
            )


def _check_rows(config: Experiment, table: str) -> None:
    """A table has rows that can be filled, and modalities that the paper's has."""
    dataset, rows = config.tables_of[table], config.rows_of(table)
    where = f"ablations.{table}.rows" if table in config.ablations else f"methods of {dataset}"
    if not rows:
        raise ConfigError(
            "there are none that this data set can have",
            where=where,
            do=f"name some, or leave {table!r} out by use_tables",
        )
    for name in rows:
        found = config.resolve(name, dataset)
        if not config.applies(found, dataset):
            lacking = found.settings["modality"]
            raise ConfigError(f"{where}: {name!r} is of {lacking!r}, which {dataset} does not have")
    titles = {m: spec.title or m for m, spec in config.datasets[dataset].modalities.items()}
    of = config.ablations.get(table) or config.datasets[dataset]
    place = f"ablations.{table}" if table in config.ablations else f"datasets.{dataset}"
    if of.paper_table is not None and not config.datasets[dataset].made_up:
        require_paper(of.paper_table, titles.values(), f"{place}.paper_table")


def check_titles(config: Experiment) -> None:
    """What stands side by side has titles that differ: of two columns of one name one is lost.

    Raises:
        ConfigError: naming the two.
    """
    headings = {}
    for table, dataset in config.tables_of.items():
        shown = config.shown(table)
        _check_distinct(f"datasets.{dataset}.modalities", shown["modalities"])
        _check_distinct(f"rows of {table}", {m: e.title for m, e in shown["methods"].items()})
        ablation = config.ablations.get(table)
        headings[table] = ablation.title if ablation else shown["title"]
    _check_distinct("tables", {t: headings[t] for t in config.made_tables})


def _check_distinct(where: str, titles: Mapping[str, str]) -> None:
    owner: dict[str, str] = {}
    for name, title in titles.items():
        if title in owner:
            raise ConfigError(
                f"{where}: {owner[title]!r} and {name!r} are both called {title!r}",
                do="give one of them another title",
            )
        owner[title] = name
