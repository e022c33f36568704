"""Checks that a PhysioME must pass. The planted defects must fail them.

Each takes a tiny PhysioME in training mode and raises AssertionError.
"""

from collections.abc import Callable, Iterable

import torch
from tiny import NAMES, N, draws, waves
from torch import Tensor

from physiome.methods.physiome import PhysioME
from physiome.nn.masking import n_kept
from physiome.nn.physiome_parts import Part
from physiome.subsets import all_subsets


def drop(method: PhysioME, names: Iterable[str]) -> None:
    """From now on, training drops exactly these modalities (of those present)."""
    chosen = set(names)

    def parts(present: tuple[str, ...], size: int, _) -> list[Part]:
        kept = tuple(m for m in present if m not in chosen)
        return [Part(slice(0, size), kept, tuple(m for m in present if m in chosen))]

    method._draw_parts = parts  # type: ignore[method-assign]


def calls_of(module: torch.nn.Module, run: Callable[[], object]) -> list[tuple[tuple, Tensor]]:
    """(arguments, output) of every call of `module` while `run` runs, copied."""
    seen: list[tuple[tuple, Tensor]] = []

    def note(_, arguments, output):
        copied = tuple(a.detach().clone() if isinstance(a, Tensor) else a for a in arguments)
        seen.append((copied, output.detach().clone()))

    hook = module.register_forward_hook(note)
    try:
        run()
    finally:
        hook.remove()
    return seen


def reached(method: torch.nn.Module, term: Tensor) -> set[str]:
    """Names of the parameters that get a gradient unlike zero from `term` alone."""
    method.zero_grad(set_to_none=True)
    if term.requires_grad:
        term.backward()
    return {
        name for name, p in method.named_parameters() if p.grad is not None and p.grad.abs().any()
    }


def encoder_weights(method: PhysioME) -> dict[str, Tensor]:
    """All tensors of the encoders but LoRA's, by the names they have in an encoder alone."""
    return {
        name.replace("base_layer.", ""): tensor.detach().clone()
        for name, tensor in method.encoders.state_dict().items()
        if "lora_" not in name
    }


def check_encoders_are_as_given(given: dict[str, Tensor], method: PhysioME) -> None:
    """Building the model changes no weight of the pretrained encoders, and LoRA starts at zero."""
    built = encoder_weights(method)
    assert set(built) == set(given)
    changed = [name for name, tensor in given.items() if not torch.equal(built[name], tensor)]
    assert not changed, f"changed by construction: {changed[:3]}"
    for name, p in method.named_parameters():
        assert "lora_B" not in name or not p.any(), f"{name} does not start at zero"


def check_every_term_trains_what_it_should(method: PhysioME) -> None:
    """Nothing on the way to a loss is detached but the restorer's input and the targets."""
    drop(method, "b")
    terms = method.loss(waves(), draws())
    intra = reached(method, terms["intra"])
    for part in ("encoders.a", "enter.a", "mask_token", "modality_tokens.b", "decoders.a"):
        assert any(name.startswith(part) for name in intra), f"intra does not train {part}"
    missing = reached(method, method.loss(waves(), draws())["missing"])
    assert any(name.startswith("restorers.b") for name in missing), "missing trains no restorer"


def check_a_step_leaves_the_encoders_frozen(method: PhysioME) -> None:
    """Weights and running statistics are bit-identical after an optimiser step; LoRA moved."""
    method.train()
    before = encoder_weights(method)
    trained = [p for p in method.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-2)
    method.total(method.loss(waves(), draws())).backward()
    optimizer.step()
    after = encoder_weights(method)
    moved = [name for name in before if not torch.equal(before[name], after[name])]
    assert not moved, f"moved by a training step: {moved[:3]}"
    assert all(p.any() for name, p in method.named_parameters() if "lora_B" in name)


def check_restorer_of_each_name(method: PhysioME) -> None:
    """What is restored for m comes from m's own decoder, whatever is observed."""
    method.eval()
    with torch.no_grad():
        for i, m in enumerate(NAMES):
            method.restorers[m].leave.weight.zero_()
            method.restorers[m].leave.bias.fill_(10.0 + i)
        for subset in all_subsets(NAMES)[1:]:
            restored = method.restore(method.encode(waves(2, subset)))
            assert set(restored) == set(NAMES) - set(subset)
            for m, tokens in restored.items():
                found = tokens.unique().tolist()
                assert found == [10.0 + NAMES.index(m)], f"{subset}: {m} is decoded as {found}"


def check_restorers_read_their_own_places(method: PhysioME) -> None:
    """Restorer m gets the fused tokens at m's places, in training and at inference."""
    kept = n_kept(N, method.spec.mask_ratio)  # places of a modality that training samples

    def check(m: str, before: int, run: Callable[[], object]) -> None:
        fused: list[tuple[tuple, Tensor]] = []
        (decoded,) = calls_of(
            method.restorers[m], lambda: fused.extend(calls_of(method.fusion, run))
        )
        (given, *_), expected = decoded[0], fused[0][1][:, before : before + N]
        assert given.shape == expected.shape
        assert torch.equal(given, expected), f"the restorer of {m} reads other places"

    for i, m in enumerate(NAMES):
        drop(method, m)
        check(m, i * kept, lambda: method.loss(waves(), draws()))
    method.eval()
    for subset in all_subsets(NAMES)[1:]:
        encoded = {m: e.detach() for m, e in method.encode(waves(2, subset)).items()}
        for m in set(NAMES) - set(subset):
            check(m, NAMES.index(m) * N, lambda given=encoded: method.restore(given))


def check_names_decide(method: PhysioME) -> None:
    """A signal goes to the encoder of its name: not by its place in the dictionary."""
    method.eval()
    signals = waves(3)
    with torch.no_grad():
        for subset in all_subsets(NAMES):
            encoded = method.encode({m: signals[m] for m in subset})
            for m in subset:
                expected = method.encoders[m](signals[m])
                assert torch.equal(encoded[m], expected), f"{subset}: {m} went elsewhere"
        forth = method.embed(signals)
        back = method.embed({m: signals[m] for m in reversed(NAMES)})
        assert torch.equal(forth, back), "the order of the dictionary matters"
