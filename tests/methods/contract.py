"""What the loop, the probe and the tables rely on, as checks of any method.

Each check takes a function that builds the method anew from a seed, and raises AssertionError.
Methods with planted faults must fail them.
"""

from collections.abc import Callable

import numpy as np
import torch
from descent import check_a_step_downhill_lowers, fixed
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tiny import SAMPLES, draws, waves
from torch import Tensor

from physiome.config.model import Lora
from physiome.methods.base import Method, Progress
from physiome.nn.lora import adapt, adapter_parameters
from physiome.subsets import all_subsets
from physiome.training.checkpoint import load_weights, save_weights

Build = Callable[[int], Method]
STEPS = 12  # of an epoch, here


def some(method: Method, batch: int, seed: int = 0) -> dict[str, Tensor]:
    """Signals of all of a method's modalities."""
    return waves(batch, method.modalities, seed)


def taken(method: Method) -> list[tuple[str, ...]]:
    """The subsets that a method does not refuse."""
    return [s for s in all_subsets(method.modalities) if not method.refuses(s)]


def objectives(method: Method, batch: int, step: int, labelled: bool) -> list[tuple[Tensor, dict]]:
    """(total, terms) of a step, as the loop asks for them, in the middle of a training."""
    method.progress = Progress(1, 2, step % STEPS, STEPS)
    signals = some(method, batch, step)
    if not labelled:
        return list(method.objectives(signals, draws(step)))
    labels = torch.arange(batch) % 2
    terms = method.labelled_loss(signals, labels, draws(step))
    return [(method.total(terms), terms)]


def take_step(method: Method, optimizer: torch.optim.Optimizer, step: int, labelled: bool) -> None:
    """One optimiser step on eight windows."""
    optimizer.zero_grad()
    torch.manual_seed(step)  # dropout
    whole(method, step, labelled).backward()
    optimizer.step()
    method.after_step()


def whole(method: Method, step: int, labelled: bool) -> Tensor:
    """The sum of what a step on eight windows minimises."""
    return torch.stack([found for found, _ in objectives(method, 8, step, labelled)]).sum()


def trainable(method: Method) -> dict[str, torch.nn.Parameter]:
    """Parameters by name, without the frozen ones."""
    return {name: p for name, p in method.named_parameters() if p.requires_grad}


def check_losses_are_finite_scalars(build: Build, labelled: bool) -> None:
    """Every term is a finite number, and weights name some of them."""
    method = build(0).train()
    for step in range(5):
        names = set()
        for total, terms in objectives(method, 4, step, labelled):
            assert torch.isfinite(total)
            assert all(t.shape == () and torch.isfinite(t) for t in terms.values())
            names |= set(terms)
        assert set(method.weights) <= names


def check_a_gradient_reaches_every_trainable_parameter(build: Build, labelled: bool) -> None:
    """Within one epoch, in which every modality is dropped and kept at some time."""
    method = build(0).train()
    parameters = trainable(method)
    optimizer = torch.optim.AdamW(parameters.values(), lr=1e-3)
    waiting = set(parameters)
    for step in range(2 * STEPS):
        take_step(method, optimizer, step, labelled)
        grads = {name: p.grad for name, p in parameters.items() if p.grad is not None}
        assert all(torch.isfinite(g).all() for g in grads.values())
        waiting -= {name for name, g in grads.items() if g.any()}
        if not waiting:
            break
    assert not waiting, f"no gradient: {sorted(waiting)[:5]}"


def check_clipped_groups_hold_every_trainable_parameter_once(build: Build) -> None:
    """Each trained weight belongs to one group whose gradient norm is clipped."""
    method = build(0)
    grouped = [id(p) for group in method.clip_groups() for p in group if p.requires_grad]
    assert sorted(grouped) == sorted(id(p) for p in trainable(method).values())


def check_the_loss_falls(build: Build, labelled: bool) -> None:
    """Along its gradient, with the batch and the draws of each step held fixed.

    In four steps, because a method may take turns between kinds of steps.
    """
    method = build(0).train()
    for step in range(4):
        loss = fixed(method, lambda step=step: whole(method, step, labelled))
        check_a_step_downhill_lowers(trainable(method).values(), loss)


def check_the_probe_beats_chance(build: Build) -> None:
    """A line divides slow from fast rhythms by what is embedded, on other windows than it saw.

    Of fresh weights: they and the windows are the same everywhere up to rounding, which moves a
    window or two across the line. A training would carry the rounding, and dropout that differs
    between makes of processors, to other weights altogether.
    """
    method = build(0)
    method.set_scaling({m: (0.0, 0.7) for m in method.modalities})
    method.calibrate(some(method, 64, seed=7))
    fitted, tested = some(method, 160, seed=101), some(method, 160, seed=102)
    gains = []
    for subset in taken(method):
        x, y = method.embed({m: fitted[m] for m in subset}), _fast(fitted[subset[0]])
        head = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500)).fit(x, y)
        truth = _fast(tested[subset[0]])
        right = float((head.predict(method.embed({m: tested[m] for m in subset})) == truth).mean())
        gains.append(right - max(truth.mean(), 1 - truth.mean()))
    assert np.mean(gains) > 0.1, f"accuracy above chance by subset: {np.round(gains, 2)}"


def _fast(x: Tensor) -> np.ndarray:
    """Whether the strongest rhythm of each row of `waves` is above 5.5 Hz."""
    hz = torch.fft.rfftfreq(SAMPLES, 0.01)[torch.fft.rfft(x).abs()[:, 1:].argmax(dim=1) + 1]
    return (hz > 5.5).numpy()


def check_one_seed_gives_one_training(build: Build, labelled: bool) -> None:
    """And another seed another one, if anything is drawn at all."""
    found, drew = [], False
    for step in (5, 5, 6):
        method = build(4).train()
        torch.manual_seed(7)  # dropout
        signals, rng = some(method, 4, seed=5), draws(step)
        method.progress = Progress(1, 2, STEPS - 1, STEPS)
        if labelled:
            terms = method.labelled_loss(signals, torch.arange(4) % 2, rng)
        else:
            terms = method.loss(signals, rng)
        drew = drew or not torch.equal(rng.get_state(), draws(step).get_state())
        method.total(terms).backward()
        found.append([p.grad for p in method.parameters() if p.grad is not None])
    first, again, other = found
    assert all(map(torch.equal, first, again))
    assert not drew or len(first) != len(other) or not all(map(torch.equal, first, other))


def check_a_system_can_begin_with_it(build: Build) -> None:
    """Of an encoder: its tokens are as many and as wide as it says, and LoRA finds its layers."""
    method = build(0).eval()
    encoder, x = method.encoder, some(method, 2)[method.modalities[0]]
    assert encoder(x).shape == (2, encoder.n + 1, encoder.width)
    adapted = adapt(encoder, encoder.lora_targets, Lora())
    assert list(adapter_parameters(adapted))


def check_every_subset_embeds_one_window_or_seven(build: Build) -> None:
    """An embedding does not depend on what else is in the batch."""
    method = build(0)
    for subset in taken(method):
        signals = waves(7, subset)
        seven = method.embed(signals)
        one = method.embed({m: x[3:4] for m, x in signals.items()})
        assert seven.ndim == 2
        assert len(seven) == 7
        assert torch.isfinite(seven).all()
        assert not seven.requires_grad
        torch.testing.assert_close(one, seven[3:4], rtol=1e-4, atol=1e-4)


def check_comparable_embeddings_have_one_width(build: Build) -> None:
    """So that one head can be applied to every subset."""
    method = build(0)
    widths = {method.embed(waves(2, s)).shape[1] for s in taken(method)}
    assert len(widths) == 1 or not method.comparable


def check_the_order_of_the_dictionary_does_not_matter(build: Build) -> None:
    """Names decide, not places."""
    method = build(0)
    for subset in taken(method):
        signals = waves(2, subset)
        turned = {m: signals[m] for m in reversed(subset)}
        assert torch.equal(method.embed(signals), method.embed(turned))


def check_an_absent_modality_cannot_influence(build: Build) -> None:
    """Fusing a part of what was encoded is embedding that part, whatever the others held."""
    method = build(0).eval()
    signals = some(method, 3)
    for subset in taken(method):
        alone = method.embed({m: signals[m] for m in subset})
        for other in (1, 2):
            disturbed = {**some(method, 3, seed=other), **{m: signals[m] for m in subset}}
            with torch.no_grad():
                encoded = method.encode({m: disturbed[m] for m in method.modalities})
                fused = method.fuse({m: encoded[m] for m in subset})
            assert torch.equal(fused, alone), f"{subset} is influenced by what it lacks"


def check_batches_may_lack_modalities(build: Build, labelled: bool) -> None:
    """A recording that really lacks a modality trains with what it has."""
    method = build(0).train()
    for subset in all_subsets(method.modalities)[1:]:
        signals = waves(4, subset)
        if labelled:
            terms = method.labelled_loss(signals, torch.arange(4) % 2, draws())
        else:
            terms = method.loss(signals, draws())
        total = method.total(terms)
        assert torch.isfinite(total), subset


def check_saved_weights_give_the_same_embedding(build: Build, path, labelled: bool | None) -> None:
    """Bit for bit, after a training step; None: nothing to train."""
    method, other = build(1), build(2)
    method.set_scaling({m: (0.1, 0.7) for m in method.modalities})
    method.calibrate(some(method, 16))
    signals = some(method, 3)
    if labelled is not None:
        method.train()
        optimizer = torch.optim.AdamW(trainable(method).values(), lr=1e-3)
        take_step(method, optimizer, 0, labelled)
        assert not torch.equal(method.embed(signals), other.embed(signals))
    save_weights(path, method, {"name": "any"})
    assert load_weights(other, path) == {"name": "any"}
    assert torch.equal(method.embed(signals), other.embed(signals))
