"""The transformer block against torch's, and the table of positions."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from physiome.nn.transformer import (
    NORM_EPS,
    Block,
    Transformer,
    attend,
    initialise,
    sincos_positions,
)


def torch_twin(block: Block, width: int, heads: int) -> nn.TransformerEncoderLayer:
    """torch's pre-norm layer with the block's weights."""
    twin = nn.TransformerEncoderLayer(
        width,
        heads,
        4 * width,
        dropout=0.0,
        activation="gelu",
        layer_norm_eps=NORM_EPS,
        batch_first=True,
        norm_first=True,
    )
    pairs = {
        "self_attn.in_proj_": "attn.qkv.",
        "self_attn.out_proj.": "attn.proj.",
        "linear1.": "mlp.0.",
        "linear2.": "mlp.2.",
        "norm1.": "norm1.",
        "norm2.": "norm2.",
    }
    own = block.state_dict()
    named = {t + kind: own[o + kind] for t, o in pairs.items() for kind in ("weight", "bias")}
    twin.load_state_dict(named, strict=True)
    return twin


@pytest.mark.parametrize(("width", "heads"), [(32, 4), (24, 1)])
def test_the_block_equals_torchs_layer_in_training_mode(width, heads):
    torch.manual_seed(0)
    block = Block(width, heads)
    for parameter in block.parameters():  # norms and biases away from 1 and 0
        nn.init.normal_(parameter, std=0.3)
    twin = torch_twin(block, width, heads).train()
    x = torch.randn(3, 7, width)
    torch.testing.assert_close(block(x), twin(x), rtol=1e-5, atol=1e-5)


def test_torchs_gradient_and_ours_agree():
    torch.manual_seed(1)
    block = Block(32, 4)
    twin = torch_twin(block, 32, 4).train()
    x = torch.randn(2, 5, 32)
    block(x).square().mean().backward()
    twin(x).square().mean().backward()
    torch.testing.assert_close(
        block.attn.qkv.weight.grad, twin.self_attn.in_proj_weight.grad, rtol=1e-4, atol=1e-6
    )


def test_attention_written_out_for_bfloat16_is_torchs():
    """More keys than features of a head and than queries: each has a size of its own."""
    q, k, v = (torch.randn(2, 3, n, 4).bfloat16() for n in (5, 9, 9))
    expected = F.scaled_dot_product_attention(q.double(), k.double(), v.double())
    torch.testing.assert_close(attend(q, k, v).double(), expected, rtol=0, atol=0.02)


def test_fresh_layers_have_xaviers_range_no_bias_and_norms_of_one():
    stack = Transformer(32, 1, 4)
    for parameter in stack.parameters():
        nn.init.constant_(parameter, 7.0)
    initialise(stack)
    for layer in (part for part in stack.modules() if isinstance(part, nn.Linear)):
        reach = math.sqrt(6 / sum(layer.weight.shape))
        assert 0.95 * reach < layer.weight.abs().max() <= reach
        assert not layer.bias.any()
    for norm in (part for part in stack.modules() if isinstance(part, nn.LayerNorm)):
        assert (norm.weight == 1).all()
        assert not norm.bias.any()


def test_the_stack_ends_in_a_norm():
    stack = Transformer(32, 2, 4)
    initialise(stack)
    y = stack(torch.randn(4, 6, 32))
    torch.testing.assert_close(y.mean(dim=-1), torch.zeros(4, 6), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.std(dim=-1, correction=0), torch.ones(4, 6), atol=1e-3, rtol=0)


def test_attention_without_positions_does_not_care_about_order():
    torch.manual_seed(2)
    stack = Transformer(32, 2, 4)
    x, order = torch.randn(1, 6, 32), torch.tensor([4, 0, 5, 1, 3, 2])
    torch.testing.assert_close(stack(x[:, order]), stack(x)[:, order], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("n", "width"), [(27, 512), (20, 512), (27, 256), (5, 32)])
def test_all_columns_of_the_position_table_differ_and_vary(n, width):
    table = sincos_positions(n, width).double()
    assert table.shape == (n, width)
    # The published two-dimensional table has constant columns; this one has none.
    assert (table.std(dim=0) > 0).all()
    distance = torch.cdist(table.T, table.T) + torch.eye(width)
    assert distance.min() > 0
    assert (torch.cdist(table, table) + torch.eye(n)).min() > 0.1  # rows tell frames apart


def test_the_position_table_is_the_sine_cosine_one():
    table = sincos_positions(3, 4)
    expected = torch.tensor([[i, i / 100] for i in range(3)])
    torch.testing.assert_close(table, torch.cat([expected.sin(), expected.cos()], dim=1))
