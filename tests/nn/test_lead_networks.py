"""Networks over leads: averages of those that are there, and nothing of those that are not."""

import pytest
import torch
from torch import nn

from physiome.config.systems.cbramod import CBraModSpec
from physiome.nn.cbramod import CrissCrossEncoder
from physiome.nn.cbramod_leads import (
    LeadAttention,
    LeadEncoder,
    LeadPatchEmbedding,
    known_group_norm,
)
from physiome.nn.leads import drop_leads, known_means, one_lead, over_leads, there
from physiome.nn.neuronet_leads import LeadPool

SMALL = CBraModSpec(
    patch=40, channels=10, kernel=9, stride=10, heads=4, depth=2, feed_forward=16, dropout=0.0
)


@pytest.fixture
def x():
    """(3, 4, 40): the second window lacks two leads, the third all but one."""
    torch.manual_seed(0)
    x = torch.randn(3, 4, 40)
    x[1, [0, 2]] = torch.nan
    x[2, 1:] = torch.nan
    return x


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_network_of_one_channel_is_averaged_over_the_leads_there_are(x):
    network = nn.Linear(40, 5)
    found = over_leads(network, x)
    torch.testing.assert_close(found[0], network(x[0]).mean(dim=0))
    torch.testing.assert_close(found[1], network(x[1, [1, 3]]).mean(dim=0))
    torch.testing.assert_close(found[2], network(x[2, 0]))
    one = x[:2, 1]
    assert torch.equal(over_leads(network, one), network(one))
    torch.testing.assert_close(known_means(x, there(x))[1], x[1, [1, 3]].mean(dim=0))


def test_batch_statistics_are_those_of_the_leads_there_are(x):
    norm = nn.BatchNorm1d(40, momentum=1.0)
    over_leads(norm, x)
    torch.testing.assert_close(norm.running_mean, x[there(x)].mean(dim=0))


def test_dropped_leads_are_drawn_among_those_there(x):
    for seed in range(20):
        left = there(drop_leads(x, 2, draws(seed)))
        assert left.sum(dim=1).tolist() == [2, 2, 1]
        assert not (left & ~there(x)).any()
    drawn = torch.stack([there(drop_leads(x, 2, draws(s)))[0] for s in range(200)])
    assert drawn.float().mean(dim=0).sub(0.5).abs().max() < 0.15
    assert there(drop_leads(x, 9, draws())).equal(there(x))


def test_one_lead_is_a_row_of_its_window(x):
    found = one_lead(x, draws(3))
    assert found.shape == (3, 40)
    for row, leads in zip(found, x, strict=True):
        assert any(torch.equal(row, lead) for lead in leads)


@pytest.mark.parametrize("how", ["attention", "mean"])
def test_pooling_does_not_see_absent_leads_and_goes_by_name(x, how):
    torch.manual_seed(0)
    pool, network = LeadPool(6, 4, how), nn.Sequential(nn.Unflatten(1, (2, 20)), nn.Linear(20, 6))
    found = pool(network, x)
    assert found.shape == (3, 2, 6)
    # The same windows, leads and their names in another order
    order = torch.tensor([2, 0, 3, 1])
    other = LeadPool(6, 4, how)
    other.load_state_dict(pool.state_dict() | {"names": pool.names[order]})
    torch.testing.assert_close(other(network, x[:, order]), found)
    # Alone in its batch, and with the absent leads cut out altogether
    few = LeadPool(6, 2, how)
    few.load_state_dict(pool.state_dict() | {"names": pool.names[[1, 3]]})
    torch.testing.assert_close(few(network, x[1:2, [1, 3]]), found[1:2])


def test_mean_pooling_weighs_leads_alike_and_attention_does_not(x):
    torch.manual_seed(0)
    network = nn.Unflatten(1, (2, 20))
    mean, attention = LeadPool(20, 4, "mean"), LeadPool(20, 4, "attention")
    seen = there(x)
    named = network(x[seen])
    assert mean._weights(named, seen)[0].unique().tolist() == [0.25]
    weights = attention._weights(named, seen)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(3, 2, 1))
    assert weights[1, [0, 2]].eq(0).all()
    assert weights[0].std() > 0


def test_group_norm_over_known_leads_is_torchs_where_all_are_there():
    torch.manual_seed(0)
    norm, y = nn.GroupNorm(5, 10), torch.randn(2, 10, 12, 7)  # three leads of four patches
    nn.init.normal_(norm.weight)
    every = torch.ones(2, 3, dtype=torch.bool)
    torch.testing.assert_close(known_group_norm(norm, y, every), norm(y))
    some = torch.tensor([[True, True, False], [True, True, True]])
    found = known_group_norm(norm, y, some)
    torch.testing.assert_close(found[:1, :, :8], norm(y[:1, :, :8]))


def test_attention_over_leads_is_torchs_with_absent_keys_masked():
    ours, torchs = LeadAttention(20, 2, 0.0), nn.MultiheadAttention(20, 2, batch_first=True)
    with torch.no_grad():
        ours.qkv.weight.copy_(torchs.in_proj_weight)
        ours.qkv.bias.copy_(torchs.in_proj_bias)
        ours.proj.load_state_dict(torchs.out_proj.state_dict())
    x, seen = torch.randn(2, 3, 5, 20), torch.tensor([[True, False, True], [True, True, True]])
    flat = x.transpose(1, 2).flatten(0, 1)  # (B T, C, D)
    absent = ~seen.repeat_interleave(5, dim=0)
    expected = torchs(flat, flat, flat, key_padding_mask=absent)[0].unflatten(0, (2, 5))
    torch.testing.assert_close(ours(x, seen), expected.transpose(1, 2))


def test_of_one_lead_the_network_over_leads_is_the_network_of_one_channel():
    torch.manual_seed(0)
    many, one = LeadEncoder(SMALL).eval(), CrissCrossEncoder(SMALL).eval()
    embedding, single = many.embedding, one[0]
    with torch.no_grad():
        for i in (0, 1, 3, 4, 6, 7):
            single.waveform[i].load_state_dict(embedding.waveform[i].state_dict())
        single.spectrum.load_state_dict(embedding.spectrum.state_dict())
        single.positions.weight.copy_(embedding.positions.weight[:, :, 9])
        single.positions.bias.copy_(embedding.positions.bias)
        for theirs, ours in zip(many.blocks, list(one)[1:], strict=True):
            leads, half = theirs.attention.over_leads, SMALL.width // 2
            ours.attention.value.weight.copy_(leads.qkv.weight[2 * half :])
            ours.attention.value.bias.copy_(leads.qkv.bias[2 * half :])
            ours.attention.proj.load_state_dict(leads.proj.state_dict())
            ours.attention.over_time.load_state_dict(theirs.attention.over_time.state_dict())
            for part in ("norm1", "norm2", "mlp"):
                getattr(ours, part).load_state_dict(getattr(theirs, part).state_dict())
    patches = torch.randn(2, 6, 40)
    seen = torch.ones(2, 1, dtype=torch.bool)
    torch.testing.assert_close(many(patches[:, None], seen)[:, 0], one(patches))


def test_absent_leads_change_nothing_of_the_others():
    torch.manual_seed(0)
    encoder, patches = LeadEncoder(SMALL).eval(), torch.randn(2, 3, 6, 40)
    seen = torch.tensor([[True, False, True], [True, True, True]])
    found = encoder(patches.masked_fill(~seen[:, :, None, None], torch.nan), seen)
    other = encoder(patches, seen)
    assert torch.equal(found[seen], other[seen])


def test_positions_reach_over_nineteen_leads_and_seven_patches():
    assert LeadPatchEmbedding(SMALL).positions.weight.shape == (40, 1, 19, 7)
