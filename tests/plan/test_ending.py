"""A run that succeeded ends by saying where its results are."""

from types import SimpleNamespace

from physiome.plan.ending import made_tables, whereabouts


def test_what_is_there_is_named_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = SimpleNamespace(results="r", made_tables=["one", "two"], used=["a", "b"])
    assert whereabouts(config) == []
    for path in ("r/tables/one.csv", "r/tables/three.csv", "r/folds/a.records.csv"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "r/figures/b").mkdir(parents=True)
    assert list(map(str, made_tables(config))) == ["r/tables/one.csv"]
    assert whereabouts(config) == [
        "",
        "Tables:          r/tables/one.csv, .tex beside",
        "To read them:    physiome show r/tables/one.csv",
        "Figures:         r/figures/b/",
        "Every recording: r/folds/a.records.csv",
    ]
    (tmp_path / "r/tables/two.csv").touch()
    _, tables, how, *_ = whereabouts(config)
    assert tables == "Tables:          r/tables/{one,two}.csv, .tex beside"
    assert how == "To read them:    physiome show r/tables/{one,two}.csv"


def test_of_chosen_tables_those_alone_are_named_and_nothing_that_was_not_made_again(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    config = SimpleNamespace(results="r", made_tables=["one"], tables_of={"one": "a", "two": "a"})
    config.used = ["a"]
    for path in ("r/tables/one.csv", "r/tables/two.csv", "r/summary.html", "r/figures/a/x.svg"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    asked = ["r/scores.csv", "./r/tables/two.tex", "r/tables/two.costs.csv"]
    assert list(map(str, made_tables(config, asked))) == ["r/tables/two.csv"]
    assert whereabouts(config, asked) == [
        "",
        "Tables:          r/tables/two.csv, .tex beside",
        "To read them:    physiome show r/tables/two.csv",
    ]
    assert whereabouts(config, ["all"])[1].startswith("Tables:          r/tables/one.csv")
    for target in ("data", "fetch", "r/models/a/fold1/x.safetensors"):  # tables are of before
        assert (made_tables(config, [target]), whereabouts(config, [target])) == ([], [])
