"""A method that cannot be trained or cannot embed is refused before its training, in one line."""

import inspect

import pytest
import torch
from toys import Toy

from physiome.errors import TrainingError
from physiome.training.rehearsal import rehearse

NAMES = ("a", "b")


class Sound(Toy):
    def fuse(self, encoded):
        return self.map(sum(encoded.values()))


class NeedsBoth(Sound):
    def fuse(self, encoded):
        return self.map(encoded["a"] + encoded["b"])


class Flat(Sound):
    def fuse(self, encoded):
        return super().fuse(encoded).mean(dim=1)


class Infinite(Sound):
    def fuse(self, encoded):
        return super().fuse(encoded) / 0.0


class NoTensor(Sound):
    def fuse(self, encoded):
        return list(encoded.values())


class Grows(Sound):
    def fuse(self, encoded):
        return torch.cat([self.map(x) for x in encoded.values()], dim=1)


class NoScalar(Sound):
    def loss(self, batch, rng):
        return {"fit": self.map(batch["a"]).square().mean(dim=1)}


class NotFinite(Sound):
    def loss(self, batch, rng):
        return {"fit": self.map(batch["a"]).mean() * float("nan")}


class NoTerm(Sound):
    def loss(self, batch, rng):
        return {"fits": self.map(batch["a"]).mean()}


class NoWeights(Sound):
    def __init__(self, names):
        super().__init__(names)
        self.weights = {}


class Wrong(Sound):
    def loss(self, batch, rng):
        return {"fit": torch.matmul(self.map.weight, batch["a"])}


def windows():
    return {m: torch.randn(2, 900) for m in NAMES}


REFUSED = {
    NeedsBoth: "the embedding of a by NeedsBoth failed - KeyError: 'b'",
    Flat: r"its shape is \(2,\), not \(2, D\)",
    Infinite: "the embedding of a\\+b by Infinite cannot be - it is not finite",
    NoTensor: "the embedding of a\\+b by NoTensor cannot be - it is a list, not a tensor",
    Grows: r"embeddings of several sizes by Grows cannot be - a\+b \d+, a \d+, b \d+ columns",
    NoScalar: r"the loss term 'fit' by NoScalar cannot be - its shape is \(2,\), not \(\)",
    NotFinite: "the loss term 'fit' by NotFinite cannot be - it is nan",
    NoTerm: r"no loss term 'fit', which has a weight; given: \['fits'\]",
    NoWeights: r"no loss term has a weight; given: \['fit', 'level'\]",
    Wrong: "a step by Wrong failed - RuntimeError: mat1 and mat2 shapes",
}


@pytest.mark.parametrize("method", REFUSED, ids=lambda method: method.__name__)
def test_a_method_that_cannot_work_is_refused_with_its_file_and_line(method):
    with pytest.raises(TrainingError, match=REFUSED[method]) as caught:
        rehearse(method(NAMES), windows())
    assert "\n" not in str(caught.value)
    file, line = str(caught.value).split(": ")[0].rsplit(":", 1)
    assert file == __file__
    source, first = inspect.getsourcelines(method)
    assert first <= int(line) < first + len(source)


def test_a_sound_method_stays_as_it_was():
    method = Sound(NAMES)
    before = {name: value.clone() for name, value in method.state_dict().items()}
    signals, drawn = windows(), torch.get_rng_state()
    rehearse(method, signals)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())
    assert all(p.grad is None for p in method.parameters())
    assert method.training


def test_embeddings_may_grow_with_the_subset_where_the_class_says_so():
    method = type("Said", (Grows,), {"comparable": False})(NAMES)
    drawn = windows()
    rehearse(method, drawn)  # a class that does not say so is refused, see above
    encoded = method.encode(drawn)
    widths = {method.fuse({m: encoded[m] for m in some}).shape[1] for some in (NAMES, NAMES[:1])}
    assert len(widths) == 2


def test_of_many_modalities_some_subsets_are_tried():
    tried = []

    class Notes(Sound):
        def fuse(self, encoded):
            tried.append(tuple(encoded))
            return super().fuse(encoded)

    names = tuple("abcdefghi")
    rehearse(Notes(names), {m: torch.randn(2, 900) for m in names})
    assert len(tried) == 1 + 9 + 9 + 6  # full, alone, missing, one of each other size; of 511
