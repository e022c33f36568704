"""What slices look like: sorted JSON, but where order is what a table or figure shows."""

import json

from plain_config import changed, shipped
from test_slices import FOLDS, SHIPPED, SHOWN, affected, slices

from physiome.config.tree import Config


def test_the_order_of_keys_changes_no_slice():
    def reversed_order(value):
        if isinstance(value, dict):
            return {key: reversed_order(value[key]) for key in reversed(value)}
        return value

    plain = shipped()
    for section in ("encoder", "encoders", "train", "systems", "folds", "probe", "overrides"):
        plain[section] = reversed_order(plain[section])
    assert affected(plain) == set()


def test_slices_are_json_with_sorted_keys_but_where_order_is_shown():
    for key, text in slices(SHIPPED, FOLDS).items():
        if key[0] not in SHOWN.split():
            parsed = json.loads(text)
            assert text == json.dumps(parsed, sort_keys=True, separators=(",", ":")), key


def test_tables_and_figures_keep_the_order_of_methods_and_modalities():
    plain = changed("methods", ["majority", "physiome", "handmade"])
    config = Config.load(plain)
    for text in (config.table_settings("table1"), config.figure_settings("sleep_edf")):
        assert list(json.loads(text)["methods"]) == plain["methods"]
        assert list(json.loads(text)["modalities"]) == ["eeg_fpz_cz", "eeg_pz_oz", "eog"]
