"""Compiled blocks: the same training, under the same names, and no failure where none can be."""

import copy
import logging

import pytest
import torch
from small import OWN, SECTIONS
from tinyshards import tiny_store
from toys import Toy, train

from physiome.config.gpu import GpuSpec
from physiome.nn import compiled
from physiome.nn.blocks import block, blocks
from physiome.nn.neuronet_frames import FrameNetwork
from physiome.registry import METHODS
from physiome.training.checkpoint import read_weights
from tests.gpu.steps import Steps

# Systems made of the same blocks as another one, and RobustSsF, which has none: it is fused by hand
ALIKE = {
    "dp_neuronet", "synthsleepnet", "maskmentor", "cbramod_tuned", "physioomni_tokenizer",
    "physioomni_tuned", "random", "robustssf",
}  # fmt: skip
LEARNED = [n for n in (*OWN, *(n for n in SECTIONS if METHODS[n].trains)) if n not in ALIKE]


@pytest.fixture
def traced_only(monkeypatch):
    """Graphs are captured, split into forward and backward, and run by torch's own kernels."""
    monkeypatch.setattr(compiled, "BACKEND", "aot_eager")
    yield
    torch._dynamo.reset()


class Dropping(torch.nn.Linear):
    """A layer with dropout: torch takes no module of its own as a block, as a Sequential."""

    def forward(self, input):
        return torch.nn.functional.dropout(super().forward(input), 0.5, self.training)


class Blocky(Toy):
    """With a block, which has dropout."""

    def __init__(self):
        super().__init__()
        self.map = block(Dropping(900, 3))


class Odd(torch.nn.Linear):
    """What no backend takes: it looks at values."""

    compiles = True

    def forward(self, input):
        return super().forward(input) * (2.0 if input.sum().item() > 0 else 1.0)


class Wayward(Toy):
    def __init__(self):
        super().__init__()
        self.map = Odd(900, 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", LEARNED)
def test_a_system_takes_the_same_steps(name, traced_only):
    as_it_is = Steps(name, 4, "cpu", small=True, bf16=False)
    other = Steps(name, 4, "cpu", small=True, bf16=False)
    assert compiled.compile_blocks(other.method, "cpu") == len([*blocks(other.method)]) > 0
    for number in range(2):
        losses = []
        for steps in (as_it_is, other):
            torch.manual_seed(number)  # dropout
            losses.append(steps(number))
        torch.testing.assert_close(losses[1], losses[0])
        assert other.reached() == as_it_is.reached()
    assert list(other.method.state_dict()) == list(as_it_is.method.state_dict())
    broken = torch._dynamo.utils.counters["graph_break"]
    assert not broken, f"blocks that torch cannot take as a whole: {dict(broken)}"


@pytest.mark.parametrize("step", [100, 200])
def test_frames_that_overlap_are_taken_whole(step, traced_only):
    torch.manual_seed(0)
    network = FrameNetwork(400, step, (4, 4, 6, 6), 1100)
    assert network.layout
    other, x = copy.deepcopy(network), torch.randn(2, 1100)
    other.compile(backend=compiled.BACKEND, fullgraph=True)
    for one in (network, other):
        one(x).square().sum().backward()
    for name, weight in network.named_parameters():
        found = other.get_parameter(name).grad
        torch.testing.assert_close(found, weight.grad, rtol=1e-3, atol=1e-4, msg=name)
    for name, buffer in network.named_buffers():
        torch.testing.assert_close(other.get_buffer(name), buffer, msg=name)


@pytest.mark.parametrize("build", [Blocky, Wayward])
def test_a_training_ends_with_the_same_weights(build, traced_only, tmp_path):
    store = tiny_store(tmp_path, windows=12)
    anew, other = (
        read_weights(train(build, store, tmp_path / f"{gpu}.safetensors", gpu=gpu))[0]
        for gpu in (GpuSpec(), GpuSpec(compile=True))
    )
    assert other.keys() == anew.keys()
    for name, x in anew.items():
        torch.testing.assert_close(other[name], x)


def test_where_nothing_can_be_compiled_the_training_goes_on_and_says_why(
    tmp_path, monkeypatch, caplog
):
    def broken(graph, inputs):
        raise RuntimeError("no C compiler")

    monkeypatch.setattr(compiled, "BACKEND", broken)
    store = tiny_store(tmp_path, windows=12)
    with caplog.at_level(logging.INFO, "physiome"):
        output = train(Blocky, store, tmp_path / "w.safetensors", gpu=GpuSpec(compile=True))
    assert "blocks are not compiled" in caplog.text
    assert "no C compiler" in caplog.text
    plain, _ = read_weights(train(Blocky, store, tmp_path / "plain.safetensors"))
    weights, _ = read_weights(output)
    assert all(torch.equal(weights[name], x) for name, x in plain.items())
    torch._dynamo.reset()


def test_a_block_that_fails_alone_runs_as_it_is(monkeypatch, caplog):
    """A backend that gives up on what has dropout: the trial is compiled, the block is not."""
    from torch._dynamo.backends.debugging import aot_eager

    refused = []

    def picky(graph, inputs, **options):
        if "dropout" in graph.code:
            refused.append(graph)
            raise RuntimeError("dropout")
        return aot_eager(graph, inputs, **options)

    monkeypatch.setattr(compiled, "BACKEND", picky)
    method = Blocky()
    assert compiled.compile_blocks(method, "cpu") == 1
    x = torch.randn(4, 900)
    torch.manual_seed(0)
    found = method.map(x)
    torch.manual_seed(0)
    assert torch.equal(found, method.map.forward(x))
    assert refused
    torch._dynamo.reset()


def test_within_as_written_nothing_is_compiled(monkeypatch):
    graphs = []

    def noting(graph, inputs, **options):
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(compiled, "BACKEND", noting)
    method = Blocky()
    compiled.compile_blocks(method, "cpu")
    (trial,) = graphs
    with compiled.as_written():
        method.map(torch.randn(4, 900))
    assert graphs == [trial]
    method.map(torch.randn(4, 900))
    assert len(graphs) == 2
    torch._dynamo.reset()
