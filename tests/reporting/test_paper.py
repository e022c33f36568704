"""The paper's figures as data."""

import pytest

from physiome.config.paper import TITLES
from physiome.errors import ConfigError
from physiome.reporting.paper import DROP, MEAN, paper_cells, paper_subset, require_titles


def test_paper_spelling_of_the_second_channel_is_the_data_sets():
    assert "Pz-Oz" in set(paper_cells(1)["subset"])
    assert paper_subset(["EEG Fpz-Cz", "EEG Pz-Cz", "EOG"]) == "Fpz-Cz+Pz-Oz+EOG"


def test_every_published_table_is_there_once():
    sizes = [len(paper_cells(number)) for number in range(1, 7)]
    assert sizes == [126, 126, 36, 12, 18, 54]
    for number in range(1, 7):
        assert not paper_cells(number).duplicated(["method", "subset", "metric"]).any()


def test_the_configuration_knows_the_tables_and_their_modalities():
    for number, titles in TITLES.items():
        subsets = set(paper_cells(number)["subset"]) - {MEAN, DROP}
        assert {part for subset in subsets for part in subset.split("+")} == set(titles)
    with pytest.raises(ConfigError):
        paper_cells(max(TITLES) + 1)


def test_unknown_table_and_unknown_title_are_refused():
    with pytest.raises(ConfigError, match="table 7"):
        paper_cells(7)
    with pytest.raises(ConfigError, match=r"'EOH'.*did you mean 'EOG'.*paper_table to null"):
        require_titles(["EOH"], paper_cells(1))
