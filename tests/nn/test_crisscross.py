"""CBraMod's parts for one lead against the general ones of the published code."""

import torch
from torch import nn

from physiome.config.systems.cbramod import CBraModSpec
from physiome.nn.cbramod import CrissCross, CrissCrossEncoder, PatchEmbedding

SMALL = CBraModSpec(patch=40, channels=10, kernel=9, stride=10, heads=4, depth=2, feed_forward=16)


def copy(target, weight, bias):
    with torch.no_grad():
        target.weight.copy_(weight)
        target.bias.copy_(bias)


def test_with_what_one_lead_leaves_out_it_has_the_published_number_of_parameters():
    spec = CBraModSpec()
    encoder, output = CrissCrossEncoder(spec), nn.Linear(spec.width, spec.patch)
    found = sum(p.numel() for module in (encoder, output) for p in module.parameters())
    queries_and_keys = spec.depth * 2 * (100 * 100 + 100)
    other_rows_of_the_positional_kernel = 18 * 7 * 200
    total = found + queries_and_keys + other_rows_of_the_positional_kernel
    assert total == 4_923_800  # 4.92 million


def test_attention_over_one_lead_is_its_value_and_output_projection():
    ours = CrissCross(40, 4, 0.0)
    general = nn.MultiheadAttention(20, 2, batch_first=True)
    copy(ours.value, general.in_proj_weight[40:], general.in_proj_bias[40:])
    copy(ours.proj, general.out_proj.weight, general.out_proj.bias)
    x = torch.randn(3, 7, 40)
    leads = x[..., :20].reshape(21, 1, 20)  # a sequence of one lead for every patch
    expected = general(leads, leads, leads)[0].reshape(3, 7, 20)
    torch.testing.assert_close(ours(x)[..., :20], expected)


def test_attention_over_time_is_torchs():
    ours = CrissCross(40, 4, 0.0)
    torchs = nn.MultiheadAttention(20, 2, batch_first=True)
    copy(ours.over_time.qkv, torchs.in_proj_weight, torchs.in_proj_bias)
    copy(ours.over_time.proj, torchs.out_proj.weight, torchs.out_proj.bias)
    x = torch.randn(3, 7, 40)
    time = x[..., 20:]
    torch.testing.assert_close(ours(x)[..., 20:], torchs(time, time, time)[0])


def test_dropout_reaches_the_attention_in_training_only():
    attention = CrissCross(40, 4, 0.5).over_time
    x = torch.randn(2, 7, 20)
    assert not torch.equal(attention.train()(x), attention(x))
    assert torch.equal(attention.eval()(x), attention(x))


def test_positions_of_one_lead_use_the_middle_row_of_a_kernel_over_leads_and_time():
    ours = PatchEmbedding(SMALL).positions
    general = nn.Conv2d(40, 40, (19, 7), padding=(9, 3), groups=40)
    copy(ours, general.weight[:, :, 9], general.bias)
    x = torch.randn(2, 40, 6)
    torch.testing.assert_close(ours(x), general(x[:, :, None])[:, :, 0])


def test_the_spectral_branch_sees_amplitudes_and_not_phases():
    embedding = PatchEmbedding(SMALL).eval()
    seen = []
    embedding.spectrum.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    place = torch.arange(40) / 40
    for phase in (0.0, 1.0):
        embedding(torch.cos(6.2832 * 3 * place + phase).expand(1, 2, 40))
    expected = torch.zeros(21)
    expected[3] = 0.5  # of a cosine with height 1, normalised by the length
    for amplitudes in seen:
        torch.testing.assert_close(amplitudes[0, 0], expected, rtol=0, atol=1e-4)
