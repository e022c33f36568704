"""Published CBraMod weights: taken block by block, and refused with what is odd about them."""

import pytest
import torch
from published_layout import Published
from torch import nn

from physiome.config.systems.cbramod import CBraModSpec
from physiome.errors import DataError
from physiome.nn.cbramod import CrissCrossEncoder
from physiome.nn.cbramod_leads import LeadEncoder
from physiome.nn.cbramod_published import MASK, published_shapes, read_published, take_published

SMALL = CBraModSpec(patch=40, channels=10, kernel=9, stride=10, heads=4, depth=2, feed_forward=16)


@pytest.fixture
def theirs():
    torch.manual_seed(0)
    model = Published(SMALL).eval()
    for p in model.parameters():
        if p.requires_grad:
            nn.init.normal_(p, std=0.1)
    return model


@pytest.fixture
def file(theirs, tmp_path):
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")
    return tmp_path / "weights.pth"


def test_the_published_network_has_these_names_and_shapes():
    """Of the published sizes: 4.92 million trained numbers."""
    with torch.device("meta"):
        model = Published(CBraModSpec())
    shapes = {name: tuple(x.shape) for name, x in model.state_dict().items()}
    assert published_shapes(CBraModSpec()) == shapes
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert trained == 4_923_800


def test_every_block_of_several_leads_gives_what_theirs_gives(theirs, file):
    ours, output = LeadEncoder(SMALL).eval(), nn.Linear(SMALL.width, SMALL.patch)
    taken = take_published(read_published(file, SMALL), ours, output)
    assert taken == set(published_shapes(SMALL)) - {MASK}
    patches, seen = torch.randn(2, 5, 6, 40), torch.ones(2, 5, dtype=torch.bool)
    expected = theirs.features(patches)
    found = [ours.embedding(patches, seen)]
    for block in ours.blocks:
        found.append(block(found[-1], seen))
    for mine, other in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(output(found[-1]), theirs.proj_out(expected[-1]))


def test_every_block_of_one_channel_gives_what_theirs_gives_of_one_lead(theirs, file):
    ours, output = CrissCrossEncoder(SMALL).eval(), nn.Linear(SMALL.width, SMALL.patch)
    take_published(read_published(file, SMALL), ours, output)
    patches = torch.randn(2, 6, 40)
    expected = theirs.features(patches[:, None])
    found = patches
    for part, other in zip(ours, expected, strict=True):
        found = part(found)
        torch.testing.assert_close(found, other[:, 0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("proj_out.0.bias"), "proj_out.0.bias is missing"),
        (lambda s: s.update(classifier=torch.zeros(3)), "classifier is unknown"),
        (lambda s: s.update({"proj_out.0.bias": torch.zeros(3)}), r"is \(3,\), not \(40,\)"),
        (lambda s: s.update({MASK: torch.ones(40)}), "is not zero"),
    ],
)
def test_weights_of_another_network_are_refused(theirs, tmp_path, change, said):
    state = dict(theirs.state_dict())
    change(state)
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(DataError, match=said):
        read_published(tmp_path / "w.pth", SMALL)


class Foreign:
    def __reduce__(self):
        return print, ("executed",)


def test_what_is_no_dictionary_of_tensors_is_refused_and_never_executed(tmp_path, capsys):
    path = tmp_path / "w.pth"
    for content, said in [([1], "not a dictionary"), ({"a": 1}, "not a dictionary"),
                          (Foreign(), "not published weights")]:  # fmt: skip
        torch.save(content, path)
        with pytest.raises(DataError, match=said):
            read_published(path, SMALL)
    path.write_bytes(b"not weights at all")
    with pytest.raises(DataError, match="not published weights"):
        read_published(path, SMALL)
    with open(path, "wb") as big:
        big.truncate(1 << 30)
    with pytest.raises(DataError, match="1073741824 bytes, at most"):
        read_published(path, SMALL)
    with pytest.raises(DataError, match="not there"):
        read_published(tmp_path / "absent.pth", SMALL)
    assert "executed" not in capsys.readouterr().out
