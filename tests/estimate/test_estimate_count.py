"""What is counted of operations, by hand."""

import pytest
import small
import tiny
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F

from physiome.config.jobs import TrainSettings
from physiome.config.training import TrainSpec
from physiome.methods.maskmentor import MaskMentor
from physiome.nn.blocks import block
from physiome.nn.draws import send
from physiome.nn.physiome_parts import draw_parts
from tests.estimate.count import Counted
from tests.estimate.regions import Regions
from tests.estimate.stand_in import as_on_cuda, without_values
from tests.estimate.steps import SAMPLES, SEEDS, Steps, _built, train_work


@pytest.fixture
def fake():
    return FakeTensorMode(allow_non_fake_inputs=True)


def made(fake, *shape, learns=False, dtype=torch.float32):
    with fake:
        return torch.empty(*shape, dtype=dtype).requires_grad_(learns)


def named(ops, name):
    (found,) = [op for op in ops if op.name == name]
    return found


def test_a_linear_layer_in_closed_form(fake):
    x, w, b = made(fake, 8, 5, learns=True), made(fake, 3, 5, learns=True), made(fake, 3)
    with Counted(fake) as counted:
        F.linear(x, w, b).sum().backward()
    forward = named(counted.ops, "addmm")
    assert forward.flop == 2 * 8 * 5 * 3
    assert forward.bytes == 4 * (8 * 5 + 3 * 5 + 3 + 8 * 3)
    backward = [op for op in counted.ops if op.name == "mm"]
    assert sum(op.flop for op in backward) == 2 * (2 * 8 * 5 * 3)
    # The gradient of a sum is one number, repeated: it is read once.
    assert sorted(op.bytes for op in backward) == [4 * (1 + 8 * 5 + 15), 4 * (1 + 15 + 8 * 5)]


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_gradients_of_a_grouped_convolution(fake, groups):
    x, w = made(fake, 2, 4, 10, learns=True), made(fake, 8, 4 // groups, 3, learns=True)
    with Counted(fake) as counted:
        F.conv1d(x, w, groups=groups).sum().backward()
    once = 2 * (2 * 8 * 8) * (4 // groups * 3)  # outputs x what each is summed from
    assert named(counted.ops, "convolution").flop == once
    assert named(counted.ops, "convolution_backward").flop == 2 * once


def test_an_input_without_gradient_costs_half_of_the_backward_pass(fake):
    x, w = made(fake, 2, 4, 10), made(fake, 4, 1, 3, learns=True)
    with Counted(fake) as counted:
        F.conv1d(x, w, groups=4).sum().backward()
    assert named(counted.ops, "convolution_backward").flop == 2 * (2 * 4 * 8) * 3


def test_views_and_reserved_memory_cost_nothing(fake):
    x = made(fake, 4, 6)
    with Counted(fake) as counted:
        x.view(6, 4).t()[1:].unsqueeze(0).expand(3, 3, 6).detach()
        torch.empty_like(x)
    assert counted.ops == []


def test_what_expands_is_read_once(fake):
    x, y = made(fake, 1, 6), made(fake, 5, 6)
    with Counted(fake) as counted:
        x.expand(5, 6).add(y)
    assert named(counted.ops, "add").bytes == 4 * (6 + 30 + 30)


def test_draws_are_made_on_the_host_and_sent(fake):
    x, rng = made(fake, 5, 6), torch.Generator().manual_seed(0)
    with as_on_cuda(fake) as counted:
        assert float(torch.rand(1, generator=rng)) < 1
        x.mul(torch.rand(5, 6, generator=rng))
    assert counted.drawn == 31
    assert [op.name for op in counted.ops] == ["send", "mul"]


def test_what_is_sent_is_sent_before_it_is_looked_at(fake):
    """An index is sent as it is, and repeated on the device."""
    x, index = made(fake, 5, 6), torch.zeros(5, 1, dtype=torch.int64)
    with as_on_cuda(fake) as counted:
        x.gather(1, send(index, x.device).expand(5, 6))
    assert named(counted.ops, "send").bytes == 8 * 5
    assert [op.name for op in counted.ops] == ["send", "gather"]


def test_autocast_is_that_of_a_gpu(fake):
    """A norm in float32 and a product in bfloat16; the sum of the product in float32."""
    layer = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 4))
    x = made(fake, 8, 4)
    for p in layer.parameters():
        p.requires_grad_(False)
    with as_on_cuda(fake) as counted, torch.autocast("cpu", dtype=torch.bfloat16):
        found = layer(x).sum()
    assert found.dtype == torch.float32
    names = [op.name for op in counted.ops if op.name not in ("send", "_to_copy")]
    assert names == ["addmm", "native_layer_norm", "addmm", "sum"]
    casts = [op for op in counted.ops if op.name == "_to_copy"]
    assert len(casts) == 7  # the input, two weights and biases; to the norm and from it
    assert all(op.narrow for op in counted.ops if op.name == "addmm")


def test_attention_is_one_operation(fake):
    q = made(fake, 2, 4, 7, 8, learns=True)
    with as_on_cuda(fake) as counted:
        F.scaled_dot_product_attention(q, q, q).sum().backward()
    assert named(counted.ops, "attention").flop == 4 * (2 * 4 * 7 * 8) * 7


def job_of(name: str) -> TrainSettings:
    train = TrainSpec(epochs=1, batch=8, learning_rate=1e-3)
    return TrainSettings(**dict(small.job_of(name)), train=train)


def steps_of(name: str) -> Steps:
    settings = job_of(name)
    found = Steps(_built(settings, None), settings.window.samples, 8)
    found.optimise("adamw")
    return found


def test_maskmentors_student_is_counted_only_where_it_steps():
    steps = steps_of("maskmentor")
    method = steps.method
    assert isinstance(method, MaskMentor)
    taken, phases = [], []
    for number in range(SAMPLES):
        taken.append(sum(op.flop for op in steps.step(number, labelled=False).ops))
        phases.append(method.phase)
    # A fifth of the epochs warms up; of the steps after it a quarter are the student's.
    assert sorted(phases) == ["student", "teacher", "teacher", "teacher", "warmup"]
    assert taken[phases.index("student")] > 1.1 * taken[phases.index("teacher")]
    assert taken[phases.index("warmup")] == taken[phases.index("teacher")]


def test_a_mean_over_draws_is_the_same_each_time():
    one, two = (train_work(job_of("physiome")) for _ in range(2))
    assert one == two
    assert one.samples == SAMPLES


def test_the_draws_drop_as_many_modalities_as_the_long_run():
    def parts(seed):
        return draw_parts(("a", "b", "c"), 512, 3, torch.Generator().manual_seed(seed))

    dropped = [len(part.dropped) for seed in SEEDS for part in parts(seed)]
    assert [dropped.count(n) for n in range(3)] == [5, 5, 5]


def test_the_optimiser_steps_and_its_state_is_weighed():
    work = train_work(job_of("multimae"))
    fused = [op for op in work.ops if op.name == "_fused_adamw_"]
    assert len(fused) == work.samples
    # weights, gradients and two moments are read, all but gradients written
    assert 7 * work.trained_bytes <= fused[0].bytes < 7.1 * work.trained_bytes
    assert 2 * work.trained_bytes <= work.state_bytes < 2.1 * work.trained_bytes


class Halved(nn.Module):
    """A block behind a layer that is none."""

    def __init__(self):
        super().__init__()
        self.before, self.inside = nn.Linear(4, 4), block(nn.Linear(4, 4))

    def forward(self, x):
        return self.inside(torch.relu(self.before(x))).tanh()


def test_operations_of_blocks_and_of_their_gradients_are_known(fake):
    method = without_values(Halved(), fake)
    with Counted(fake, Regions(method)) as counted:
        method(made(fake, 8, 4)).sum().backward()
    found = [(op.name, op.compiled) for op in counted.ops]
    assert [c for name, c in found if name == "addmm"] == [False, True]
    # Gradients of the block come first: of its weight and its input; then of the layer's weight.
    assert [c for name, c in found if name == "mm"] == [True, True, False]
    for name in ("relu", "tanh", "tanh_backward", "threshold_backward"):
        assert (name, False) in found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["physiome", "synthsleepnet"])
def test_frozen_frame_networks_are_known(name):
    steps = Steps(_built(small.job_of(name), None), tiny.SAMPLES, 4)
    steps.optimise("adamw")
    ops = steps.step(0, labelled=False).ops
    once = [op.name for op in ops if op.once]
    assert once.count("convolution") == sum(op.name == "convolution" for op in ops) > 0
    assert not any("backward" in name for name in once)
    frames = [m.n * m.frame_network.features for m in steps.method.encoders.values()]
    assert steps.regions.kept_bytes == 4 * sum(frames) * 2  # of four windows, in bf16
