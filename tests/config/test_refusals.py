"""A configuration that cannot work is refused before any job: one line that says what to write."""

import pytest
from plain_config import changed

from physiome.config.tree import Config, load_files
from physiome.errors import ConfigError


def message(path, value):
    with pytest.raises(ConfigError) as caught:
        Config.load(changed(path, value))
    assert "\n" not in str(caught.value)
    return str(caught.value)


REFUSED = {
    "misspelt key": ("train.learning_rat", 1.0e-4, ["train.learning_rat", "'learning_rate'"]),
    "misspelt section": ("probes", {}, ["probes", "did you mean 'probe'"]),
    "misspelt deep key": (
        "datasets.sleep_edf.window.lenght_s",
        30.0,
        ["datasets.sleep_edf.window.lenght_s", "did you mean 'length_s'"],
    ),
    "misspelt source key": (
        "datasets.sleep_edf.source.transfer.timeout",
        1.0,
        ["transfer.timeout: unknown key", "did you mean 'timeout_s'"],
    ),
    "number as text": ("train.learning_rate", "1e-4", ["'1e-4' is text", "write 1.0e-4"]),
    "other number as text": ("probe.paper_head.weight_decay", "25e-3", ["write 2.5e-2"]),
    "text that is no number": ("train.epochs", "many", ["train.epochs", "'many'"]),
    "width over heads": ("encoder.heads", 6, ["width 512", "6 heads"]),
    "decoder width over heads": ("systems.physiome.decoder_heads", 3, ["width 256", "3 heads"]),
    "restoration width over heads": (
        "systems.physiome.restore_width",
        100,
        ["width 100", "8 heads"],
    ),
    "everything masked": ("encoder.mask_ratio", 1.0, ["encoder.mask_ratio", "1.0", "less than 1"]),
    "nothing masked": (
        "systems.physiome.mask_ratio",
        0.0,
        ["physiome.mask_ratio", "greater than 0"],
    ),
    "not a number": ("train.learning_rate", float("nan"), ["train.learning_rate: nan is not"]),
    "infinite": ("encoder.temperature", float("inf"), ["encoder.temperature: inf is"]),
    "negative rate": ("pretrain.learning_rate", -1.0, ["pretrain.learning_rate", "greater than 0"]),
    "frame too short for its network": (
        "datasets.vitaldb.window.rate_hz",
        50.0,
        ["150 samples", "too short", "needs 289"],
    ),
    "folds beyond counting": ("folds.count", 100_000, ["folds.count", "1000"]),
    "epochs below none": ("train.epochs", -1, ["train.epochs", "-1"]),
    "half an epoch": ("train.epochs", 1.5, ["train.epochs", "1.5"]),
    "batch of one": ("train.batch", 1, ["at least 2 segments"]),
    "micro-batches of one": ("pretrain.micro_batch", 1, ["at least 2 segments"]),
    "micro-batch that does not divide": ("train.micro_batch", 100, ["100", "512"]),
    "truth as a number": ("probe.one_head", 1, ["probe.one_head"]),
    "unknown method to add": ("methods_add", ["crosl"], ["'crosl'", "did you mean 'crossl'"]),
    "unknown method": ("methods", ["physiom"], ["'physiom'", "did you mean 'physiome'"]),
    "unknown system": ("systems.multimea", {}, ["systems", "'multimea'", "'multimae'"]),
    "misspelt key of a system": ("systems.crossl.keeep", 0.9, ["systems.crossl.keeep", "'keep'"]),
    "misspelt training of a system": (
        "systems.crossl.train.epoch",
        1,
        ["systems.crossl.train.epoch", "'epochs'"],
    ),
    "patch that does not tile": ("systems.multimae.patch", 7, ["patch 7", "96"]),
    "variant of nothing": ("variants.vit.of", "physiom", ["variants.vit.of", "'physiome'"]),
    "variant with an unknown encoder": (
        "variants.vit.encoder",
        "vit_s15",
        ["variants.vit.encoder", "'vit_s16'"],
    ),
    "variant with a misspelt key": (
        "variants.gradient_on.method",
        {"restoration_gradeint": True},
        ["variants.gradient_on.method", "did you mean 'restoration_gradient'"],
    ),
    "variant of what stands on weights that have the old value": (
        "variants.late",
        {"of": "cbramod_tuned", "title": "x", "method": {"between": 0.0}},
        ["variants.late.method.between", "those of cbramod,", "systems.cbramod.between"],
    ),
    "variant with a method's name": (
        "variants.crossl",
        {"of": "physiome", "title": "x"},
        ["variants.crossl", "already"],
    ),
    "unknown row of a table": (
        "ablations.table4.rows.gradient_of",
        "x",
        ["ablations.table4.rows", "'gradient_on'"],
    ),
    "unknown subset of a table": (
        "ablations.table4.subsets",
        ["eeg_fpz+eog"],
        ["table4.subsets", "'eeg_fpz_cz'"],
    ),
    "unknown data set of a table": (
        "ablations.table4.dataset",
        "sleep",
        ["ablations.table4.dataset", "'sleep_edf'"],
    ),
    "override of an unknown system": (
        "overrides.vitaldb.systems",
        {"crosl": {}},
        ["overrides.vitaldb.systems", "'crossl'"],
    ),
    "settings of an unknown encoder": ("encoders.vit_s15", {}, ["encoders", "'vit_s16'"]),
    "misspelt key of an encoder": (
        "encoders.vit_s16.layer",
        3,
        ["encoders.vit_s16.layer", "did you mean 'layers'"],
    ),
    "key of another encoder": ("encoders.vit_s16.stem", 3, ["encoders.vit_s16.stem: unknown key"]),
    "name of an encoder in its own section": (
        "encoders.vit_s16.name",
        "swin_t",
        ["encoders.vit_s16.name", "encoder.name chooses"],
    ),
    "variant of an encoder among encoders": (
        "encoders.tiled",
        {"of": "vit_s16", "settings": {}},
        ["encoders.tiled", "belongs at encoder_variants.tiled"],
    ),
    "variant of no encoder": (
        "encoder_variants.tiled",
        {"of": "vit_s15"},
        ["encoder_variants.tiled.of", "'vit_s16'"],
    ),
    "override of an unknown encoder": (
        "overrides.vitaldb.encoders",
        {"swint": {}},
        ["overrides.vitaldb.encoders", "'swin_t'"],
    ),
    "frame of one encoder longer than the window": (
        "encoders.neuronet",
        {"frame_s": 31.0},
        ["31.0", "sleep_edf", "30.0"],
    ),
    "unknown encoder": ("encoder.name", "dp_neuronett", ["encoder.name", "'dp_neuronet'"]),
    "unknown data set to use": ("use_datasets", ["sleepedf"], ["'sleepedf'", "'sleep_edf'"]),
    "unknown table to use": ("use_tables", ["tabel3"], ["use_tables", "'table3'"]),
    "unknown kind of source": ("datasets.sleep_edf.source.kind", "edf", ["'edf'", "'sleep_edf'"]),
    "download from nowhere": ("datasets.sleep_edf.source.transfer.urls", [], ["transfer.urls"]),
    "folder that is not named": ("datasets.sleep_edf.source.raw.fill", "folder", ["folder"]),
    "duplicate classes": (
        "datasets.sleep_edf.classes",
        ["W", "N1", "N2", "N3", "REM", "W"],
        ["datasets.sleep_edf", "classes are not distinct"],
    ),
    "one class": ("datasets.sleep_edf.classes", ["W"], ["datasets.sleep_edf.classes"]),
    "label of a foreign class": (
        "datasets.sleep_edf.labels.texts.Sleep stage 4",
        "N4",
        ["labels.texts", "'N4'"],
    ),
    "no duration": ("datasets.sleep_edf.labels.lasts", "nxt", ["lasts: 'nxt' - write a number"]),
    "margin of a foreign class": (
        "datasets.sleep_edf.labels.margin_class",
        "Wake",
        ["labels.margin_class", "'Wake'"],
    ),
    "pressure that is no modality": (
        "datasets.vitaldb.labels.pressure",
        "art",
        ["labels.pressure", "'art'"],
    ),
    "stretch longer than its span": (
        "datasets.vitaldb.labels.sustained_s",
        400.0,
        ["400.0", "300.0"],
    ),
    "no modality": ("datasets.vitaldb.modalities", {}, ["datasets.vitaldb.modalities"]),
    "modality that is no path name": (
        "datasets.sleep_edf.modalities",
        {"../EOG": {"channel": "EOG horizontal"}},
        ["../EOG"],
    ),
    "data set that is no path name": ("datasets.Sleep EDF", {}, ["Sleep EDF"]),
    "low-pass above Nyquist": ("datasets.sleep_edf.window.lowpass_hz", 50.0, ["50.0", "100.0"]),
    "frame longer than the window": ("encoder.frame_s", 31.0, ["31.0", "sleep_edf", "30.0"]),
    "one frame in a window": ("encoder.frame_s", 30.0, ["sleep_edf", "one frame"]),
    "odd width": (
        "overrides.vitaldb.systems.physiome",
        {"width": 63, "heads": 1},
        ["width 63 is odd"],
    ),
    "step longer than the frame": ("encoder.step_s", 4.5, ["4.5", "4.0"]),
    "one fold": ("folds.count", 1, ["folds.count"]),
    "share of everything": ("folds.train_share", 1.0, ["folds.train_share", "1.0"]),
    "override of no data set": (
        "overrides",
        {"vitalbd": {"train": {}}},
        ["overrides.vitalbd", "did you mean 'vitaldb'"],
    ),
    "override of no section": (
        "overrides",
        {"vitaldb": {"trian": {}}},
        ["overrides.vitaldb.trian", "did you mean 'train'"],
    ),
    "override of no key": (
        "overrides",
        {"vitaldb": {"train": {"epoch": 3}}},
        ["overrides.vitaldb.train.epoch", "did you mean 'epochs'"],
    ),
    "override as text": (
        "overrides",
        {"sleep_edf/2": {"train": {"learning_rate": "1e-4"}}},
        ["overrides.sleep_edf/2.train.learning_rate", "write 1.0e-4"],
    ),
    "override of no fold": (
        "overrides",
        {"sleep_edf/6": {"train": {}}},
        ["overrides.sleep_edf/6", "1, 2, 3, 4, 5"],
    ),
    "override of fold zero": ("overrides", {"sleep_edf/0": {}}, ["overrides.sleep_edf/0"]),
    "override of a fold's folds": (
        "overrides",
        {"sleep_edf/2": {"folds": {"seed": 1}}},
        ["overrides.sleep_edf/2.folds"],
    ),
    "override that fits only another window": (
        "overrides",
        {"sleep_edf/3": {"encoder": {"frame_s": 45.0}}},
        ["45.0", "sleep_edf"],
    ),
    "modalities of one title": (
        "datasets.sleep_edf.modalities.eog.title",
        "Fpz-Cz",
        ["datasets.sleep_edf.modalities", "'eeg_fpz_cz' and 'eog'", "'Fpz-Cz'"],
    ),
    "rows of one title": (
        "variants.crossl_latents.title",
        "CroSSL",
        ["table1", "'crossl' and 'crossl_latents'", "'CroSSL'"],
    ),
    "tables of one title": (
        "ablations.table3.title",
        "VitalDB",
        ["'table2' and 'table3'", "'VitalDB'"],
    ),
}


def test_a_configuration_that_cannot_work_is_refused(subtests):
    for case, (path, value, wanted) in REFUSED.items():
        with subtests.test(case=case):
            said = message(path, value)
            assert [part for part in wanted if part not in said] == [], said


def test_two_data_sets_cannot_claim_the_same_table_of_the_paper():
    assert "table1" in message("datasets.vitaldb.paper_table", 1)


@pytest.mark.parametrize("table", ["table1", "table4"])
def test_a_table_of_a_data_set_that_is_left_out_is_refused(table):
    """It was accepted, and the plan was empty."""
    plain = changed("use_datasets", ["vitaldb"]) | {"use_tables": ["table2", table]}
    with pytest.raises(ConfigError) as caught:
        Config.load(plain)
    said = str(caught.value)
    assert f"use_tables: {table!r} would not be made" in said
    assert "data set 'sleep_edf', which use_datasets leaves out" in said
    assert "add 'sleep_edf' to use_datasets" in said
    assert Config.load(plain | {"use_datasets": ["sleep_edf", "vitaldb"]}).made_tables


def test_a_required_key_that_is_missing_is_named():
    plain = changed("train.epochs", 1)
    del plain["train"]["learning_rate"]
    with pytest.raises(ConfigError, match=r"train\.learning_rate: required key is missing"):
        Config.load(plain)


@pytest.mark.parametrize("key", ["use_datasets", "use_tables"])
def test_a_name_of_other_signs_is_told_which_it_may_have(key):
    said = message(key, ["Sleep-EDF"])
    assert f"{key}.0: 'Sleep-EDF' - a name is of small letters, digits and _" in said
    assert "at least 1 item" not in said  # one item is there


def test_all_problems_of_a_file_are_named_at_once():
    plain = changed("train.epochs", -1)
    plain["pretrain"]["batches"] = 3
    with pytest.raises(ConfigError, match=r"pretrain\.batches.*train\.epochs"):
        Config.load(plain)


@pytest.mark.parametrize("text", ["a: [1", "- just\n- a list\n", "\x00"])
def test_a_file_that_is_no_configuration_is_refused(tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mine\.yaml"):
        load_files([tmp_path / "mine.yaml"])


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml"):
        load_files([tmp_path / "none.yaml"])


def test_an_overlay_alone_is_told_that_it_needs_the_configuration(repository):
    demo = repository / "workflow/overlays/demo.yaml"
    with pytest.raises(ConfigError, match=r"demo\.yaml: no .* - .* name config\.yaml before"):
        load_files([demo])


def test_of_many_problems_the_first_are_named_and_the_others_counted():
    plain = changed("train.epochs", 1)
    plain["train"] |= {f"wrong_{i}": i for i in range(7)}
    with pytest.raises(ConfigError) as error:
        Config.load(plain)
    assert str(error.value).count("wrong_") == 5
    assert str(error.value).endswith("; and 2 more")


def test_the_path_is_that_of_the_file_and_only_keys_of_the_chosen_kind_are_offered():
    said = message("datasets.sleep_edf.source.max_case", 2)
    known = "known: kind, raw, records, transfer"
    assert f"datasets.sleep_edf.source.max_case: unknown key - {known}" in said


@pytest.mark.parametrize(
    ("path", "right"),
    [
        ("sleep_edf.source.raw.urls", "sleep_edf.source.transfer.urls"),
        ("sleep_edf.source.raw.attempts", "sleep_edf.source.transfer.attempts"),
        ("vitaldb.source.accept_terms", "vitaldb.source.transfer.accept_terms"),
        ("vitaldb.rate_hz", "vitaldb.window.rate_hz"),
    ],
)
def test_a_key_in_the_wrong_place_is_shown_the_right_one(path, right):
    said = message(f"datasets.{path}", True)
    assert f"datasets.{path}: unknown key - it belongs at datasets.{right}" in said


def test_a_key_that_several_sections_have_is_shown_all_of_them():
    said = message("warmup", 0.1)
    assert "warmup: unknown key - it belongs at pretrain.warmup or train.warmup" in said
