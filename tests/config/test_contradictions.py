"""Settings that are well formed and cannot be meant, or would be passed over, are refused."""

import dataclasses

import pytest
from plain_config import shipped

from physiome.config.base import deep_merge
from physiome.config.tree import Config, load_files
from physiome.errors import ConfigError
from physiome.registry import METHODS, Entry


def said(changes):
    """What a configuration with these changes is told."""
    with pytest.raises(ConfigError) as caught:
        Config.load(deep_merge(shipped(), changes))
    return str(caught.value)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_folds_are_drawn_from_a_seed_that_their_library_takes(seed):
    """It ended the step `folds`, behind all shards, with a traceback."""
    assert f"folds.seed: {seed} - " in said({"folds": {"seed": seed}})


def test_trainings_have_no_negative_seed():
    """Each of them ended with a traceback before its first step."""
    assert "train.seed: -1 - " in said({"train": {"seed": -1}})
    changes = {"variants": {"physiome_plus": {"train": {"seed": -1}}}}
    assert "variants.physiome_plus.train.seed: -1 - " in said(changes)


@pytest.mark.parametrize("scope", ["sleep_edf/", "sleep_edf/01", "sleep_edf/1/2"])
def test_a_scope_that_is_no_fold_is_refused(scope):
    """`sleep_edf/` was taken for the data set, and then passed over."""
    message = said({"overrides": {scope: {"train": {"epochs": 1}}}})
    assert f"overrides.{scope}: no fold" in message


@pytest.mark.parametrize("scope", ["sleep_edf", "sleep_edf/2"])
def test_an_unknown_encoder_of_one_data_set_is_refused(scope):
    """The plan ended with a traceback: `KeyError`."""
    message = said({"overrides": {scope: {"encoder": {"name": "dp_neuronett"}}}})
    assert f"overrides.{scope}.encoder.name: 'dp_neuronett' does not exist" in message


NO_ROWS = {
    "no methods": ({"methods": []}, "methods of sleep_edf: there are none"),
    "none of one data set": (
        {"datasets": {"vitaldb": {"methods": []}}},
        "methods of vitaldb: there are none",
    ),
    "none that fits": ({"methods": ["present_pressure"]}, "methods of sleep_edf: there are none"),
    "all taken out": (
        {"ablations": {"table4": {"rows": {"gradient_on": None, "physiome_10": None}}}},
        "ablations.table4.rows: there are none",
    ),
}


@pytest.mark.parametrize("case", NO_ROWS)
def test_a_table_without_rows_is_refused(case):
    """The plan ended with a traceback of the library that checks settings."""
    changes, wanted = NO_ROWS[case]
    assert wanted in said(changes)


def test_tables_without_rows_may_stand_there_if_nobody_makes_them():
    plain = deep_merge(shipped(), {"methods": [], "use_tables": ["table4"]})
    assert Config.load(plain).made_tables == ["table4"]


def test_a_row_that_its_data_set_cannot_have_is_refused():
    """Its job failed, when the other rows had been trained."""
    rows = {"ablations": {"table4": {"rows": {"present_pressure": "pressure"}}}}
    assert "'present_pressure' is of 'abp', which sleep_edf does not have" in said(rows)


def test_a_pressure_that_no_data_set_has_is_refused():
    """Its row was left out without a word."""
    wanted = "present_pressure.modality: modality 'apb' does not exist - did you mean 'abp'"
    own = {"systems": {"present_pressure": {"modality": "apb"}}}
    assert wanted in said({**own, "methods_add": ["present_pressure"]})


@pytest.mark.parametrize(
    ("head", "key", "off"),
    [("one_head", "one_head", False), ("paper", "paper_head", None), ("centred", "centred", None),
     ("context", "context_s", None), ("context", "centred", None)],
)  # fmt: skip
def test_a_head_of_tables_is_one_that_is_fitted_everywhere(head, key, off):
    plain = deep_merge(shipped(), {"tables": {"head": head}, "use_datasets": ["sleep_edf"]})
    plain["probe"]["context_s"] = 120
    Config.load(plain)
    lacking = {"overrides": {"sleep_edf/2": {"probe": {key: off}}}}
    with pytest.raises(ConfigError, match=f"tables.head: '{head}' .* sleep_edf, fold 2 .*probe"):
        Config.load(deep_merge(plain, lacking))


def test_a_head_of_neighbours_that_would_see_none_is_refused():
    """It was that of centred embeddings, each column twice."""
    short = {"use_datasets": ["sleep_edf"], "probe": {"context_s": 20.0}}
    found = said(short)
    assert "probe.context_s: no window of sleep_edf has a neighbour within 20 s" in found
    assert "one begins every 30 s" in found
    Config.load(deep_merge(shipped(), short | {"probe": {"context_s": 30.0}}))
    Config.load(deep_merge(shipped(), short | {"probe": {"context_s": 20.0, "centred": None}}))
    own = {"overrides": {"sleep_edf/2": {"probe": {"context_s": 10.0}}}}
    assert "within 10 s" in said({"use_datasets": ["sleep_edf"], **own})


@pytest.mark.parametrize("key", ["use_datasets", "use_tables"])
def test_a_run_of_nothing_is_refused(key):
    """It planned no job, and ended as if all were done."""
    assert f"{key}: [] - " in said({key: []})


def test_a_method_of_an_unknown_scope_is_told_of_the_known_ones(monkeypatch):
    """The plan ended with a traceback of the library that checks settings."""
    odd = dataclasses.replace(METHODS["crossl"], scope="sing")
    monkeypatch.setitem(METHODS, "crossl", odd)
    said_of = said({})
    assert "physiome/registry.py: 'crossl' of 'sing' - did you mean 'single'" in said_of


PASSED_OVER = {
    "training among a variant's settings": (
        {"of": "physiome", "method": {"train": {"epochs": 3}}},
        "variants.x.method.train: it belongs at variants.x.train",
    ),
    "encoder of what has none": (
        {"of": "contrawr", "encoder": "neuronet"},
        "variants.x.encoder: contrawr has no modality encoders",
    ),
    "training of what is not trained": (
        {"of": "handmade", "train": {"epochs": 3}},
        "variants.x.train: handmade is not trained",
    ),
    "settings of what has none": (
        {"of": "majority", "method": {"share": 1}},
        "variants.x.method: majority has no settings",
    ),
}


@pytest.mark.parametrize("case", PASSED_OVER)
def test_a_variant_changes_only_what_is_read_of_it(case):
    """These were passed over: the row was what it is a variant of, under another title."""
    variant, wanted = PASSED_OVER[case]
    assert wanted in said({"variants": {"x": {"title": "X", **variant}}, "methods_add": ["x"]})


def test_settings_of_a_control_that_has_none_are_refused():
    assert "systems.majority: majority has no settings" in said({"systems": {"majority": {"a": 1}}})


def test_a_training_that_is_no_section_is_refused_where_no_specification_checks_it(monkeypatch):
    """The plan ended with a traceback: `'int' object has no attribute 'items'`."""
    monkeypatch.setitem(METHODS, "own", Entry("physiome.methods.own", "Own", "Own", "single"))
    changes = {"methods_add": ["own"], "systems": {"own": {"train": 3}}}
    assert "systems.own.train: not a section - 3" in said(changes)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        (
            {"encoder_variants": {"x": {"of": "dp_neuronet", "settings": {"name": "neuronet"}}}},
            "encoder_variants.x.settings.name",
        ),
        (
            {"overrides": {"sleep_edf": {"encoders": {"dp_neuronet": {"name": "neuronet"}}}}},
            "overrides.sleep_edf.encoders.dp_neuronet.name",
        ),
    ],
)
def test_settings_of_an_encoder_do_not_make_it_another(changes, where):
    """NeuroNet was trained under the name of DP-NeuroNet."""
    assert f"{where}: 'neuronet' - encoder.name chooses" in said(changes)


def test_the_untrained_control_stays_untrained_whatever_else_is_set_of_its_training():
    """`systems.random.train: {batch: 64}` trained it for 50 epochs."""
    config = Config.load(deep_merge(shipped(), {"systems": {"random": {"train": {"batch": 64}}}}))
    train = config.resolve("random", "sleep_edf").train
    assert (train.epochs, train.batch) == (0, 64)


def test_a_pressure_is_compared_with_its_threshold_in_the_same_unit():
    """65 mmHg was taken for 65 kPa: every window was hypotension."""
    kpa = {"datasets": {"vitaldb": {"modalities": {"abp": {"unit": "kPa"}}}}}
    assert "threshold_mmhg is in mmHg, the pressure 'abp' in 'kPa'" in said(kpa)


STAGES = {
    "no stages": ("resnet18", {"depths": []}, "encoders.resnet18.depths: []"),
    "fewer stages": ("resnet18", {"depths": [1, 1]}, "widths are of 4 stages, depths of 2"),
    "fewer heads": ("swin_t", {"attention_heads": [3, 6]}, "attention_heads are of 2 stages"),
    "a stage over heads": ("swin_t", {"attention_heads": [3, 5, 12, 24]}, "width 192 cannot be"),
    "width over heads": ("vit_s16", {"attention_heads": 5}, "width 384 cannot be split"),
}


@pytest.mark.parametrize("case", STAGES)
def test_stages_and_heads_of_a_backbone_fit(case):
    """Each ended its pretraining with a traceback, or computed with another width."""
    encoder, settings, wanted = STAGES[case]
    assert wanted in said({"encoders": {encoder: settings}})


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("physiome", "variants.physiome: a method has this name already"),
        ("mine", "variants.mine.of: 'mine' does not exist"),
    ],
)
def test_a_variant_of_its_own_name_is_told_so(name, wanted):
    """It was told that another variant is of a variant of a variant."""
    assert wanted in said({"variants": {name: {"of": name, "title": "X"}}})


def test_a_table_of_variants_without_subsets_is_refused():
    assert "ablations.table4.subsets: [] - " in said({"ablations": {"table4": {"subsets": []}}})


EMG = {"datasets": {"sleep_edf": {"modalities": {"emg": {"channel": "EMG submental"}}}}}


def test_a_table_beside_the_papers_has_its_modalities():
    """The table failed, when everything in it had been trained."""
    wanted = "datasets.sleep_edf.paper_table: the paper's table 1 has no modality titled 'emg'"
    assert wanted in said(EMG)
    freed = deep_merge(EMG, {"datasets": {"sleep_edf": {"paper_table": None}}})
    assert "ablations.table3.paper_table: the paper's table 3 has no" in said(freed)
    Config.load(deep_merge(shipped(), {**freed, "use_tables": ["sleep_edf"]}))


def test_a_table_that_the_paper_does_not_have_is_refused():
    ninth = {"datasets": {"vitaldb": {"paper_table": 9}}}
    assert "datasets.vitaldb.paper_table: the paper has no results in table 9" in said(ninth)


def test_made_up_recordings_stand_beside_no_table_of_the_paper():
    source = {"datasets": {"sleep_edf": {"source": {"raw": {"fill": "synthetic"}}}}}
    assert Config.load(deep_merge(shipped(), deep_merge(EMG, source))).made_tables


@pytest.mark.parametrize("text", ["nan", "-inf", "Infinity"])
def test_what_yaml_takes_for_text_and_python_for_no_finite_number_is_refused(text):
    """The message itself ended with a traceback."""
    limits = {"datasets": {"sleep_edf": {"modalities": {"eog": {"low": text}}}}}
    assert f"eog.low: {text!r} is text, not a number - write a finite number" in said(limits)


@pytest.mark.parametrize(("path", "text"), [("epochs", "50"), ("learning_rate", "0.001")])
def test_a_number_in_quotes_is_told_to_lose_them(path, text):
    """Told to be written as 5.0e1, which is no whole number, `epochs` was refused again."""
    assert f"train.{path}: {text!r} is text, not a number - write {text} without" in said(
        {"train": {path: text}}
    )


@pytest.mark.parametrize(
    "own", [{"source": {"kind": "recordings"}}, {"labels": {"rule": "column", "column": "x"}}]
)
def test_a_key_of_another_kind_is_not_sent_where_it_stands(own):
    """It was told to belong at its own place."""
    message = said({"datasets": {"sleep_edf": own}})
    assert "unknown key - known: " in message
    assert "belongs at" not in message


def test_half_a_sign_is_refused_in_few_words():
    """The message held the whole configuration."""
    message = said({"datasets": {"sleep_edf": {"title": "\ud800"}}})
    assert message.startswith("config: not plain text")
    assert len(message) < 200


def test_a_data_set_that_lacks_a_key_is_not_told_to_name_a_file_that_is_named(repository, tmp_path):
    files = [repository / "config.yaml", tmp_path / "mine.yaml"]
    files[1].write_text("datasets: {mine: {title: Mine, batches: 1}}", "utf-8")
    with pytest.raises(
        ConfigError, match=r"no datasets\.mine\.source, .* - write it, as"
    ) as caught:
        load_files(files)
    assert "before changes" not in str(caught.value)


def test_frames_are_those_of_the_data_sets_that_are_used():
    """Frames of 20 s for windows of a minute were refused for Sleep-EDF's of half a minute."""
    plain = deep_merge(shipped(), {"encoder": {"frame_s": 20.0, "step_s": 20.0}})
    plain["overrides"] = {}
    assert Config.load(plain | {"use_datasets": ["vitaldb"]}).used == ["vitaldb"]
    with pytest.raises(ConfigError, match="a window of sleep_edf holds one frame"):
        Config.load(plain)


def test_frames_are_counted_in_samples_as_encoders_count_them():
    """At 125 Hz 7.5 s are 938 samples and 1.5 s are 188: two such frames do not fit into 9 s."""
    plain = deep_merge(shipped(), {"encoder": {"frame_s": 7.5, "step_s": 1.5}})
    plain["datasets"]["sleep_edf"]["window"] |= {"length_s": 9.0, "rate_hz": 125.0}
    with pytest.raises(ConfigError, match="a window of sleep_edf holds one frame"):
        Config.load(plain | {"use_datasets": ["sleep_edf"]})


def test_a_slip_of_the_pen_is_corrected_where_it_stands():
    """`dataset` at the top was told to belong at `ablations.dataset`."""
    assert "dataset: unknown key - did you mean 'datasets'?" in said({"dataset": {}})
    assert "epochs: unknown key - it belongs at pretrain.epochs or " in said({"epochs": 3})
