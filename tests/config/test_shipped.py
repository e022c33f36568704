"""config.yaml and its overlays: they load, they say where numbers come from, and what they plan."""

import re

import pytest
import yaml
from plain_config import OVERLAYS, ROOT, overlaid, shipped, stacked

from physiome.config.base import deep_merge
from physiome.config.tree import Config, load_files
from physiome.errors import ConfigError
from physiome.registry import METHODS
from physiome.reporting.paper import paper_cells, paper_subset

SOURCE = re.compile(
    r"#.*(Table \d|\bcode\b|\btext\b|\bours\b|default|its paper|-18|\bB0\b|ViT-S|Swin-T)"
)
CODE = ROOT / "workflow/overlays/reference-code.yaml"


def numeric_lines(section):
    """(path, line number) of every number in a section of config.yaml."""
    root = yaml.compose((ROOT / "config.yaml").read_text(encoding="utf-8"))

    def walk(node, path):
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                yield from walk(value, f"{path}.{key.value}")
        elif isinstance(node, yaml.SequenceNode):
            for value in node.value:
                yield from walk(value, path)
        elif node.tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float"):
            yield path, node.start_mark.line

    for key, value in root.value:
        if key.value == section:
            yield from walk(value, section)


@pytest.mark.parametrize("section", ["encoder", "encoders", "pretrain", "train", "systems"])
def test_every_number_of_the_method_says_where_it_comes_from(section):
    lines = (ROOT / "config.yaml").read_text(encoding="utf-8").splitlines()
    found = list(numeric_lines(section))
    assert len(found) >= 7
    assert [path for path, line in found if not SOURCE.search(lines[line])] == []


def test_config_yaml_is_the_papers_experiment():
    config = load_files([ROOT / "config.yaml"])
    assert config.used == ["sleep_edf", "vitaldb"]
    assert list(config.tables_of) == [f"table{number}" for number in range(1, 7)]
    assert config.numbers("sleep_edf") == [1, 2, 3, 4, 5]
    assert config.encoder.frames(3000, 100.0) == 27
    assert config.section("encoder", "vitaldb").frames(6000, 100.0) == 20
    assert config.resolve("physiome", "vitaldb").settings["depth"] == 4
    assert config.resolve("physiome", "sleep_edf").settings["depth"] == 6


@pytest.mark.parametrize("path", OVERLAYS, ids=lambda path: path.stem)
def test_every_overlay_loads_on_top_of_config_yaml(path):
    config = overlaid(*stacked(path))
    assert config.plain() != Config.load(shipped()).plain()


@pytest.mark.parametrize("path", OVERLAYS, ids=lambda path: path.stem)
def test_files_merge_from_left_to_right(path):
    merged = load_files([ROOT / "config.yaml", *stacked(path)])
    assert merged == overlaid(*stacked(path))


def test_the_demo_downloads_nothing():
    demo = overlaid(ROOT / "workflow" / "overlays" / "demo.yaml")
    fills = {demo.datasets[name].source.plain()["raw"]["fill"] for name in demo.used}
    assert fills == {"synthetic"}


def test_deep_merge_merges_dictionaries_and_replaces_everything_else():
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 4}
    change = {"a": {"c": [3]}, "d": {"e": 5}}
    assert deep_merge(base, change) == {"a": {"b": 1, "c": [3]}, "d": {"e": 5}}
    assert base == {"a": {"b": 1, "c": [1, 2]}, "d": 4}


def test_the_configuration_cannot_be_changed_after_loading():
    config = Config.load(shipped())
    with pytest.raises(ValueError, match="frozen"):
        config.train.epochs = 1


def test_a_variant_changes_what_it_names_and_nothing_else():
    config = Config.load(shipped())
    plain = config.resolve("physiome", "sleep_edf")
    variant = config.resolve("restore_256x6", "sleep_edf")
    assert variant.base == "physiome"
    assert (variant.settings["restore_width"], variant.settings["restore_depth"]) == (256, 6)
    changed = {k for k in plain.settings if plain.settings[k] != variant.settings[k]}
    assert changed == {"restore_width", "restore_depth"}
    assert variant.train == plain.train.model_copy(update={"epochs": 10})
    assert config.resolve("vit", "sleep_edf").encoder == "vit_s16_tile"
    assert config.resolve("vit", "sleep_edf").settings == plain.settings


def test_overrides_of_a_data_set_reach_its_variants():
    config = Config.load(shipped())
    assert config.resolve("physiome_10", "vitaldb").settings["depth"] == 4
    assert config.resolve("physiome_10", "sleep_edf").settings["depth"] == 6
    assert config.resolve("synthsleepnet", "vitaldb").settings["decoder_depth"] == 3


def test_the_codes_numbers_are_physiomes_and_leave_other_systems_as_they_are():
    plain, code = Config.load(shipped()), overlaid(CODE)
    theirs = "synthsleepnet", "physiome"
    for dataset, widths in (("sleep_edf", (512, 512)), ("vitaldb", (256, 256))):
        for name in METHODS:
            same = code.resolve(name, dataset).train == plain.resolve(name, dataset).train
            assert same == (name not in theirs), name
        found = code.resolve("physiome", dataset)
        assert (found.settings["decoder_width"], found.settings["restore_width"]) == widths
        rate = found.train.learning_rate * found.train.batch / 256
        assert rate == pytest.approx(2e-4 if dataset == "sleep_edf" else 5e-5)


def test_systems_train_as_they_say_and_otherwise_as_all_do():
    config = Config.load(shipped())
    contrawr, common = config.resolve("contrawr", "sleep_edf").train, config.train
    assert (contrawr.optimizer, contrawr.schedule, contrawr.clip_norm) == ("adam", "constant", None)
    assert contrawr.precision == common.precision
    assert config.resolve("synthsleepnet", "sleep_edf").train == common
    assert config.resolve("multimae", "sleep_edf").train.peak_rate == pytest.approx(2e-4)
    assert config.resolve("random", "vitaldb").train.epochs == 0


def test_single_path_encoders_stand_below_synthsleepnet_whatever_is_configured():
    config = Config.load(shipped())
    assert config.resolve("synthsleepnet", "sleep_edf").encoder == "neuronet"
    assert config.resolve("physiome", "sleep_edf").encoder == "dp_neuronet"
    assert config.resolve("crossl", "sleep_edf").encoder is None


def test_the_papers_rows_and_subsets_stand_in_tables_3_to_6():
    config = Config.load(shipped())
    for table, ablation in config.ablations.items():
        paper = paper_cells(int(table.removeprefix("table")))
        assert set(paper["method"]) == set(ablation.rows.values()), table
        assert list(dict.fromkeys(paper["method"])) == list(ablation.rows.values()), table
        titles = config.datasets["sleep_edf"].modalities
        names = {paper_subset([titles[m].title or m for m in s]) for s in ablation.parsed(titles)}
        assert set(paper["subset"]) == names, table


def test_a_later_file_takes_names_out_that_an_earlier_one_gave(tmp_path):
    """A data set, a modality with what a system says of it, a table, a row of one's own."""
    (tmp_path / "less.yaml").write_text(
        "datasets: {vitaldb: null, sleep_edf: {modalities: {eog: null}}}\n"
        "overrides: {vitaldb: null}\n"
        "systems: {physioomni: {mask_ratios: {eog: null}}}\n"
        "ablations: {table3: null, table4: null, table5: null, table6: null}\n"
        "variants: {neuronet_10: null}\n"
    )
    config = load_files([ROOT / "config.yaml", tmp_path / "less.yaml"])
    assert config.used == ["sleep_edf"]
    assert [*config.tables_of] == ["table1"]
    assert [*config.datasets["sleep_edf"].modalities] == ["eeg_fpz_cz", "eeg_pz_oz"]
    assert "neuronet_10" not in config.variants
    assert "eog" not in config.train_settings("sleep_edf", 1, "physioomni_tokenizer")


def test_what_is_taken_out_and_still_named_is_refused(tmp_path):
    for text, says in (
        ("datasets: {sleep_edf: {modalities: {eog: null}}}", "table3.*unknown modality 'eog'"),
        ("variants: {physiome_plus: null}", "methods: 'physiome_plus' does not exist"),
        ("datasets: {sleep_edf: {classes: null}}", "datasets.sleep_edf.classes: None"),
        ("ablations: {3: null}", "less.yaml: ablations.3: null takes out nothing"),
        ("ablations: {tabel3: null}", "less.yaml: ablations.tabel3: .* mean 'table3'"),
        ("datasets: {sleep_edf: {modalities: {ego: null}}}", "modalities.ego: .* mean 'eog'"),
        ("systems: {physioomni: {mask_ratios: {ppg: null}}}", "ppg: null takes out nothing"),
    ):
        (tmp_path / "less.yaml").write_text(text)
        with pytest.raises(ConfigError, match=says):
            load_files([ROOT / "config.yaml", tmp_path / "less.yaml"])
