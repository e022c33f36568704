"""A step's slice of the configuration holds what the step depends on, and nothing else.

The table below says for every leaf of config.yaml which steps' slices it changes: a new key needs a
row. What is not in a slice cannot rerun a job; what is wrongly in it costs days of training.
"""

from fnmatch import fnmatch
from functools import cache

import pytest
from plain_config import changed, shipped

from physiome.config.tree import Config
from physiome.registry import ENCODERS

MODEL, SHOWN = "pretrain train embed", "table figures intervals"
ANOTHER = object()  # a value derived from the shipped one
FOLDS = (1, 2, 5)
SYSTEM = "train embed"  # what a system's own section changes

# pattern of the leaf's path -> (another value, steps whose slices change); the first match counts
TABLE = {
    "results": ("elsewhere", "records"),  # the raw folder lies below it
    "seed": (1, "pretrain train"),
    "data_folder": ("/data", ""),  # of `recordings` alone, see below
    "device": ("cpu", ""),
    "threads.*": (1, ""),
    "cluster.*": (1.0, ""),
    "gpu.compile": (True, ""),
    "gpu.*": (2, ""),
    "save_every_s": (1.0, ""),
    "use_datasets": (["vitaldb", "sleep_edf"], ""),
    "use_tables": (["table2"], ""),
    "datasets.*.title": (ANOTHER, "table figures"),
    "datasets.*.paper_table": (None, "table"),
    "datasets.*.source.kind": (None, None),
    "datasets.*.source.raw.fill": ("synthetic", "records table"),  # no published figures beside it
    "datasets.*.source.raw.folder": ("/data", "records"),
    "datasets.*.source.transfer.urls": (["https://elsewhere.example"], ""),
    "datasets.*.source.transfer.*timeout_s": (1.0, ""),
    "datasets.*.source.transfer.heartbeat_s": (0.0, ""),
    "datasets.*.source.transfer.attempts": (1, ""),
    "datasets.*.source.transfer.connections": (1, ""),
    "datasets.*.source.transfer.accept_terms": (True, ""),
    "datasets.*.source.track_list": ("tracks.csv", "records"),
    "datasets.*.source.case_list": ("cases.csv", "records"),
    "datasets.*.source.required": (["SNUADC/ART"], "records"),
    "datasets.*.source.max_cases": (10, "records"),
    "datasets.sleep_edf.subsets": (["eeg_fpz_cz+eeg_pz_oz+eog", "eog"], f"{SYSTEM} {SHOWN}"),
    "datasets.vitaldb.subsets": (["abp+ecg+ppg", "ecg"], f"{SYSTEM} {SHOWN}"),
    "datasets.*.methods": (["physiome", "majority"], "table figures intervals"),
    "datasets.*.batches": (3, ""),  # it changes which jobs there are
    "datasets.*.modalities.*.channel": ("Other", "records shard"),
    "datasets.*.modalities.*.unit": ("mm Hg", "shard"),
    "datasets.*.modalities.*": (ANOTHER, "shard"),
    "datasets.sleep_edf.classes": (["W", "N1", "N2", "N3", "REM", "X"], "shard folds train embed"),
    "datasets.vitaldb.classes": (["normal", "low"], "shard folds train embed"),
    "datasets.*.window.rate_hz": (200.0, f"shard {MODEL}"),
    "datasets.*.window.*": (35.0, f"shard {MODEL}"),
    "datasets.*.labels.rule": (None, None),
    "datasets.*.labels.pressure": ("ppg", "shard"),
    "datasets.*.labels.texts.Sleep stage 1": ("N2", "shard"),
    "datasets.*.labels.texts.*": ("N1", "shard"),
    "datasets.*.labels.unscored": ([], "shard"),
    "datasets.*.labels.lasts": (30.0, "shard"),
    "datasets.*.labels.margin_class": (None, "shard"),
    "datasets.*.labels.mean_s": (3.0, "shard"),
    "datasets.*.labels.*": (61.5, "shard"),
    "datasets.*.quality.*": (0.5, "shard"),
    "datasets.*.incomplete_windows": ("drop", "shard"),
    "datasets.*.strict_*": (True, "shard"),
    "datasets.*.max_left_out": (0.9, "folds"),
    "folds.use": (2, ""),
    "folds.count": (6, "folds"),
    "folds.seed": (1, "folds"),
    "folds.similar_names_differ": (True, "folds"),
    "folds.allow_missing_classes": (True, "folds"),
    "folds.*": (0.5, "folds"),
    "encoder.name": ("neuronet", SYSTEM),  # pretraining has a slice per encoder
    "encoder.frame_s": (5.0, MODEL),
    "encoder.channels": ([8, 8, 8, 8], MODEL),
    "encoder.projection": ([64, 64], MODEL),
    "encoder.leads": ("attention", MODEL),
    "encoder.detach_target": (True, MODEL),
    "encoder.augment.crop": ("tile", MODEL),
    "encoder.augment.segments": (4, MODEL),
    "encoder.*width": (1024, MODEL),
    "encoder.*heads": (4, MODEL),
    "encoder.*depth": (5, MODEL),
    "encoder.*": (0.5, MODEL),
    "pretrain.*": (None, "pretrain"),
    "train.*": (None, "train"),
    "systems.physiome.projection": ([64, 64], "train embed"),
    "systems.physiome.lora.rank": (2, "train embed"),
    "systems.physiome.lora.alpha": (2, "train embed"),
    "systems.physiome.embedding": ("per_modality", "train embed"),
    "systems.physiome.levels": (True, "train embed"),
    "systems.physiome.restore_from": ("complete", "train embed"),
    "systems.physiome.restore_windows": ("complete", "train embed"),
    "systems.physiome.presence": (True, "train embed"),
    "systems.physiome.normalise_pooled": (False, "train embed"),
    "systems.physiome.drop_groups": (2, "train embed"),
    "systems.physiome.restoration": ("memory", "train embed"),
    "systems.physiome.restoration_gradient": (True, "train embed"),
    "systems.physiome.*width": (1024, "train embed"),
    "systems.physiome.*heads": (4, "train embed"),
    "systems.physiome.*depth": (5, "train embed"),
    "systems.physiome.defects": (["detach"], "train embed"),
    "systems.physiome.*": (0.5, "train embed"),
    "systems.*.train.*": (None, "train"),
    "systems.synthsleepnet.train": (None, None),  # empty
    "systems.cbramod.*": (None, None),  # sizes that depend on each other
    "systems.*.bands_hz": (None, None),  # empty
    "systems.contrawr.slow": (["eog"], SYSTEM),
    "systems.contrawr.*_hz": ([2.0, 9.0], SYSTEM),
    "systems.synthsleepnet.projection": ([64, 64], SYSTEM),
    "systems.crossl.embedding": ("latents", SYSTEM),
    "systems.*.embedding": ("mean", SYSTEM),
    "systems.physioomni.spectral": (["eog"], SYSTEM),
    "systems.present_pressure.modality": (None, None),  # a row appears or goes
    "systems.image_row_means.*": (None, None),  # in no table of config.yaml
    "systems.*": (ANOTHER, SYSTEM),
    "encoders.*.image.bins": (128, MODEL),  # a multiple of all strides
    "encoders.*.image.frames": (256, MODEL),
    "encoders.*": (ANOTHER, MODEL),
    "encoder_variants.*.of": (None, None),
    "encoder_variants.*.settings.augment.crop": ("stretch", MODEL),
    "variants.*.of": (None, None),
    "variants.as_published.title": ("Another", "table figures"),
    "variants.physiome_plus.title": ("Another", "table figures"),
    "variants.crossl_latents.title": ("Another", "table figures"),
    "variants.*.title": ("Another", ""),  # its tables call it otherwise
    "variants.*.encoder": ("dp_neuronet", SYSTEM),
    "variants.crossl_latents.method.embedding": ("aggregated", SYSTEM),
    "variants.*.method.embedding": ("mean", SYSTEM),
    "variants.*.method.restore_from": ("sampled", SYSTEM),
    "variants.*.method.defects": (["detach"], SYSTEM),
    "variants.*.method.restoration": ("decoder", SYSTEM),
    "variants.*.method.*": (ANOTHER, SYSTEM),
    "variants.*.train.epochs": (12, "train"),
    "ablations.*.dataset": (None, None),
    "ablations.*.subsets": (["eog"], "table embed"),
    "ablations.*.folds": (1, ""),
    "ablations.*.paper_table": (None, "table"),
    "ablations.*.title": ("Another", "table"),
    "ablations.*.rows.*": ("Another", "table"),
    "methods": (["physiome"], SHOWN),
    "methods_add": (["image_row_means"], SHOWN),
    "embed_batch": (7, ""),  # it changes no embedding
    "embed_precision": ("auto", "embed"),
    "monitor.*": (17, ""),  # being watched changes no weight
    "probe.strengths": ([1.0], "probe few_labels"),
    "*probe.centred": ("subject", "probe"),
    "*probe.context_s": (60.0, "probe"),
    "probe.one_head": (False, "probe"),
    "probe.paper_head.[lw]*": (0.5, "probe"),  # learning rate, weight decay
    "probe.paper_head.*": (7, "probe"),
    "probe.*": (7, "probe few_labels"),
    "tables.head": ("paper", SHOWN),
    "tables.decimals": (1, "table"),
    "tables.metrics": (["acc", "auc", "kappa"], "table"),
    "tables.intervals.*": (7, "intervals figures"),
    "tables.few_labels.*": (7, "few_labels"),
    "overrides.vitaldb.encoder.step_s": (2.0, MODEL),
    "overrides.vitaldb.encoder.*": (4.0, MODEL),
    "overrides.vitaldb.systems.physiome.*": (5, "train embed"),
    "overrides.vitaldb.systems.contrawr.slow": (["ppg"], SYSTEM),
    "overrides.vitaldb.systems.contrawr.*": ([[[1.0, 2.0], [3.0, 4.0]]] * 2, None),
    "overrides.vitaldb.systems.physioomni.spectral": (["abp"], SYSTEM),
    "overrides.vitaldb.systems.physioomni.mask_ratios": ({"abp": 0.5}, SYSTEM),
    "overrides.vitaldb.systems.*": (ANOTHER, SYSTEM),
}
TRAINING = {
    "epochs": [3], "batch": [64, 32], "micro_batch": [32], "learning_rate": [0.5], "warmup": [0.5],
    "scale_with_batch": [True, False], "weight_decay": [0.5], "betas": [[0.5, 0.5]],
    "clip_norm": [0.5], "precision": ["fp32"], "seed": [1], "optimizer": ["amsgrad", "adam"],
    "schedule": ["polynomial", "constant"], "least_steps": [9], "final_rate": [1e-6],
}  # fmt: skip


def leaves(plain, path=""):
    """Paths of everything that is not a dictionary."""
    if not isinstance(plain, dict) or not plain:
        return [path]
    return [leaf for key, inner in plain.items() for leaf in leaves(inner, f"{path}.{key}")]


LEAVES = [leaf.removeprefix(".") for leaf in leaves(shipped())]


def value_at(leaf):
    """The shipped value of a leaf."""
    value = shipped()
    for key in leaf.split("."):
        value = value[key]
    return value


def another(value):
    """A valid value that differs."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, list):
        return [another(part) for part in value]
    if isinstance(value, str):
        return f"EEG {value}"  # the paper's table stands beside it all the same
    return 2 * value if isinstance(value, int) else (value or 1.0) / 2


def row(leaf):
    """Another value for a leaf, and the steps it matters to; None for a choice of kind."""
    pattern = next((p for p in TABLE if fnmatch(leaf, p)), None)
    assert pattern is not None, f"{leaf}: say in TABLE which steps depend on it"
    value, steps = TABLE[pattern]
    *_, part, key = ["", *leaf.split(".")]
    if steps is not None and value is None and part in ("train", "pretrain"):
        value = next(v for v in TRAINING[key] if v != value_at(leaf))
    if value is ANOTHER:
        value = another(value_at(leaf))
    return value, None if steps is None else set(steps.split())


def slices(config, folds):
    """(step, data set, fold, method) -> the text that Snakemake compares."""
    found = {}
    for d in config.datasets:
        found["records", d] = config.records_settings(d)
        found["shard", d] = config.shard_settings(d)
        found["folds", d] = config.folds_settings(d)
        found["figures", d] = config.figure_settings(d)
        for fold in folds:
            found["probe", d, fold] = config.probe_settings(d, fold)
            found["few_labels", d, fold] = config.few_labels_settings(d, fold)
            for encoder in [*ENCODERS, *config.encoder_variants]:
                found["pretrain", d, fold, encoder] = config.pretrain_settings(d, fold, encoder)
            for m in ALL:
                found["embed", d, fold, m] = config.embed_settings(d, fold, m)
                if config.resolve(m, d).entry.trains:
                    found["train", d, fold, m] = config.train_settings(d, fold, m)
    for table, d in config.tables_of.items():
        # under a name that stays when a data set's table gets another number
        name = d if table not in config.ablations else table
        found["table", d, name] = config.table_settings(table)
        found["intervals", d, name] = config.interval_settings(table)
    return found


SHIPPED = Config.load(shipped())
ALL = SHIPPED.all_methods
RESOLVED = {m: SHIPPED.resolve(m, "sleep_edf") for m in ALL}
# Method -> what it is a variant of, or itself
BASE = {m: r.base for m, r in RESOLVED.items()}
# Variant -> what it sets itself
OWN = {m: set(variant.method) for m, variant in SHIPPED.variants.items()}
# Method -> the section of its architecture
SECTION = {m: r.entry.settings_of or r.base for m, r in RESOLVED.items()}
slices_shipped = cache(lambda folds: slices(SHIPPED, folds))


def affected(plain, folds=(1,)):
    """Keys of the slices that differ from config.yaml's, whose folds have no overrides."""
    before, now = slices_shipped(folds), slices(Config.load(plain), folds)
    return {key for key in before.keys() & now.keys() if before[key] != now[key]}


@pytest.mark.slow
def test_a_leaf_changes_the_slices_of_the_steps_that_depend_on_it(subtests):
    for leaf in LEAVES:
        with subtests.test(leaf=leaf):
            check(leaf)


def check(leaf):
    """A leaf changes the slices of the steps, data sets and methods it matters to, and no other."""
    value, steps = row(leaf)
    if steps is None:
        return  # another kind has other keys: nothing else stays the same
    hit = affected(changed(leaf, value))
    assert {key[0] for key in hit} == steps
    if leaf.startswith(("datasets.", "overrides.")):
        assert {key[1] for key in hit} <= {leaf.split(".")[1]}
    first, name, *_ = [*leaf.removeprefix("overrides.vitaldb.").split("."), ""]
    methods = {key[3] for key in hit if key[0] in SYSTEM.split()}
    if leaf.endswith(".classes"):  # only what learns from labels trains anew
        assert {key[3] for key in hit if key[0] == "train"} == {"physioomni_tuned"}
    if first == "systems" and name == "physiome":
        assert {"physiome", "random"} <= methods
    if first == "systems":
        whole = "train." not in leaf
        of = SECTION if whole else BASE
        key = leaf.split(f"systems.{name}.")[1].split(".")[0]  # a variant may set it itself
        assert methods == {m for m in ALL if of[m] == name and key not in OWN.get(m, ())}
    if first == "variants" and methods:
        assert methods == {name}


def test_a_setting_of_one_encoder_retrains_it_and_what_stands_on_it_alone():
    def pretrained(leaf, value):
        return {key[3] for key in affected(changed(leaf, value)) if key[0] == "pretrain"}

    signals = {"neuronet", "dp_neuronet", "dp_neuronet_tile"}
    hit = affected(changed("encoders.vit_s16.layers", 3))
    assert {key[3] for key in hit if key[0] == "pretrain"} == {"vit_s16", "vit_s16_tile"}
    assert {key[3] for key in hit if key[0] == "train"} == {"vit"}
    assert pretrained("encoder.depth", 3) == signals
    assert pretrained("encoders.neuronet", {"depth": 3}) == {"neuronet"}
    assert pretrained("encoder.temperature", 0.5) == {*ENCODERS, *SHIPPED.encoder_variants}
    plain = changed("overrides.sleep_edf/2", {"encoders": {"swin_t": {"temperature": 0.5}}})
    rows = {("train", "swin"), ("embed", "swin")}
    rows |= {("pretrain", name) for name in ("swin_t", "swin_t_tile")}
    assert affected(plain, FOLDS) == {(step, "sleep_edf", 2, row) for step, row in rows}


def test_a_change_of_one_encoder_variant_retrains_what_stands_on_it_alone():
    hit = affected(changed("encoder_variants.dp_neuronet_tile.settings.augment.crop", "stretch"))
    assert {key[3] for key in hit if key[0] == "pretrain"} == {"dp_neuronet_tile"}
    assert {key[3] for key in hit if key[0] == "train"} == {"physiome_plus"}
    plain = changed("encoder_variants.dp_neuronet_tile.pretrain", {"epochs": 3})
    assert {key[0] for key in affected(plain)} == {"pretrain"}


def test_controls_depend_on_no_model():
    for leaf in ("encoder.depth", "systems.physiome.depth", "train.epochs"):
        assert not {key[3:] for key in affected(changed(leaf, 4))} & {("handmade",), ("majority",)}


def test_the_table_has_no_row_for_a_key_that_is_gone():
    matched = {next(p for p in TABLE if fnmatch(leaf, p)) for leaf in LEAVES}
    assert matched == set(TABLE)


def test_an_override_of_one_fold_changes_that_folds_slices_only():
    plain = changed("overrides.sleep_edf/2", {"systems": {"crossl": {"train": {"epochs": 3}}}})
    # A variant that takes its system's weights is made anew since these are.
    assert affected(plain, FOLDS) == {("train", "sleep_edf", 2, "crossl")}
    plain = changed("overrides.sleep_edf/2", {"train": {"learning_rate": 1.0e-3}})
    assert {key[:3] for key in affected(plain, FOLDS)} == {("train", "sleep_edf", 2)}
    plain = changed("overrides.vitaldb/5", {"encoder": {"depth": 2}})
    steps = {(step, "vitaldb", 5) for step in MODEL.split()}
    assert {key[:3] for key in affected(plain, FOLDS)} == steps


def test_the_override_of_a_fold_wins_over_that_of_its_data_set():
    plain = changed("overrides.vitaldb/1", {"encoder": {"frame_s": 3.5}})
    config = Config.load(plain)
    assert config.section("encoder", "vitaldb", 1).frame_s == 3.5
    assert config.section("encoder", "vitaldb", 1).step_s == 3.0  # the data set's
    assert config.section("encoder", "vitaldb", 2).frame_s == 3.0
    assert config.section("encoder", "sleep_edf", 1).frame_s == 4.0
