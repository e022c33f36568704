"""What is warned of, from figures alone."""

import pytest

from physiome.training.contrasts import chance_level, chance_terms, contrast_terms, summary_line
from physiome.training.verdict import verdict


def look(auc=0.8, rank=9.0, moved=0.1):
    return {
        "auc": auc,
        "balanced_acc": auc,
        "effective_rank": rank,
        "feature_variance": 1.0,
        "moved": moved,
    }


HEALTHY = [{"across": 3.0, "across_chance": 4.0, "across_accuracy": 0.5}]


def test_nothing_is_said_of_a_training_that_rose():
    found = verdict(look(0.7, moved=0.0), look(0.8), HEALTHY)
    assert found["warnings"] == []
    assert found["difference"]["auc"] == pytest.approx(0.1)
    assert found["contrasts"] == {"across": {"level": 3.0, "chance": 4.0, "accuracy": 0.5}}


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (look(0.7), "not above its start"),
        (look(0.6), "60.0 % after training, 70.0 % by its first weights"),
        (look(rank=1.2), "on a line"),
        (look(rank=0.0), "the same embedding"),
        (look(rank=None), "not finite"),
        (look(moved=1e-9), "did not move"),
    ],
)
def test_what_looks_wrong_is_said(after, said):
    (text,) = verdict(look(0.7), after, HEALTHY)["warnings"]
    assert said in text


def test_a_start_that_cannot_be_beaten_is_no_reproach():
    assert verdict(look(1.0), look(1.0), HEALTHY)["warnings"] == []
    assert verdict(look(1.0), look(0.99), HEALTHY)["warnings"] != []


@pytest.mark.parametrize(("level", "warned"), [(3.9, False), (4.0, True), (8.0, True)])
def test_a_contrast_at_chance_is_said_of_the_mean_over_the_last_steps(level, warned):
    recent = [{"across": level + d, "across_chance": 4.0} for d in (-1.0, 0.0, 1.0)]
    texts = verdict(look(0.7), look(0.8), recent)["warnings"]
    assert [("across ends at chance" in t) for t in texts] == [True] * warned


def test_without_a_probe_the_rest_is_judged():
    first = {"effective_rank": 9.0, "feature_variance": 1.0, "moved": 0.0}
    found = verdict(first, first | {"effective_rank": 0.0, "moved": 0.1}, [])
    assert found["difference"] is None
    assert found["warnings"] == ["collapsed: all windows have the same embedding"]
    assert verdict(None, None, [])["warnings"] == []


def test_every_contrast_gets_its_chance_unless_it_says_so_itself():
    terms = {"masked": 1.0, "a+b/within": 1.0, "across": 1.0, "across_chance": 0.5}
    found = chance_terms(("within", "across"), terms, 4)
    assert found == {"a+b/within_chance": pytest.approx(chance_level(4))}
    logged = {**terms, **found, "lr": 0.1}
    assert set(contrast_terms(logged)) == {
        "a+b/within",
        "a+b/within_chance",
        "across",
        "across_chance",
    }
    assert summary_line(logged) == f"contrast=1.0000 chance={(chance_level(4) + 0.5) / 2:.4f}"
    assert summary_line({"loss": 1.0}) == ""
