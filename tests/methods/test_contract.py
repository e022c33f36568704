"""The contract for every registered method and encoder, and faults that it must find."""

import contract
import pytest
import torch
from small import SECTIONS, job_of
from tiny import NAMES, draws, inputs

from physiome.config.systems.multimae import MultiMAESpec
from physiome.errors import ConfigError, PhysioError
from physiome.methods.base import Method
from physiome.methods.build import build_encoder, build_method, fresh_parents
from physiome.methods.multimae import MultiMAE
from physiome.registry import ENCODERS, METHODS

pytestmark = pytest.mark.slow

CASES = [*METHODS, *ENCODERS]
TRAINED = [name for name in CASES if name in ENCODERS or METHODS[name].trains]


def builder(name: str) -> contract.Build:
    """Builds the method or encoder called `name` from a seed, as a step does."""

    def build(seed: int) -> Method:
        torch.manual_seed(seed)
        settings = job_of(name)
        if name in ENCODERS:
            return build_encoder(settings, "a")
        return build_method(settings, fresh_parents(settings))

    return build


def labelled(name: str) -> bool:
    return name in METHODS and METHODS[name].labels


every = pytest.mark.parametrize("name", CASES)
trained = pytest.mark.parametrize("name", TRAINED)


def test_every_registered_name_has_a_case():
    assert set(SECTIONS) == set(METHODS)
    assert not set(METHODS) & set(ENCODERS)


@every
def test_it_knows_its_modalities_and_is_of_its_registered_class(name):
    entry = {**METHODS, **ENCODERS}[name]
    method = builder(name)(0)
    assert type(method) is entry.load()
    assert method.modalities == (("a",) if name in ENCODERS else NAMES)
    assert bool(list(method.parameters())) == (name in TRAINED)


@trained
def test_losses_are_finite_scalars_and_weights_name_some_of_them(name):
    contract.check_losses_are_finite_scalars(builder(name), labelled(name))


@pytest.mark.parametrize("name", sorted(set(CASES) - set(TRAINED)))
def test_a_method_without_training_says_so(name):
    method = builder(name)(0)
    with pytest.raises(PhysioError, match="nothing to train"):
        method.loss(contract.some(method, 4), draws())


@trained
def test_a_gradient_reaches_every_trainable_parameter(name):
    contract.check_a_gradient_reaches_every_trainable_parameter(builder(name), labelled(name))


@trained
def test_clipped_groups_hold_every_trainable_parameter_once(name):
    contract.check_clipped_groups_hold_every_trainable_parameter_once(builder(name))


@trained
def test_the_loss_falls_along_its_gradient(name):
    contract.check_the_loss_falls(builder(name), labelled(name))


@trained
def test_the_probe_beats_chance(name):
    contract.check_the_probe_beats_chance(builder(name))


@trained
def test_one_seed_gives_one_training(name):
    contract.check_one_seed_gives_one_training(builder(name), labelled(name))


@pytest.mark.parametrize("name", ENCODERS)
def test_a_system_can_begin_with_the_encoder(name):
    contract.check_a_system_can_begin_with_it(builder(name))


@every
def test_every_subset_embeds_one_window_or_seven(name):
    contract.check_every_subset_embeds_one_window_or_seven(builder(name))


@every
def test_comparable_methods_give_every_subset_the_same_width(name):
    contract.check_comparable_embeddings_have_one_width(builder(name))


@every
def test_the_order_of_the_dictionary_does_not_matter(name):
    contract.check_the_order_of_the_dictionary_does_not_matter(builder(name))


@every
def test_an_absent_modality_cannot_influence_the_result(name):
    contract.check_an_absent_modality_cannot_influence(builder(name))


@trained
def test_a_batch_may_really_lack_modalities(name):
    contract.check_batches_may_lack_modalities(builder(name), labelled(name))


@every
def test_embedding_nothing_or_something_unknown_is_refused(name):
    method = builder(name)(0)
    with pytest.raises(PhysioError, match="no modality"):
        method.embed({})
    with pytest.raises(PhysioError, match="unknown modality"):
        method.embed({"z": torch.zeros(1, 900)})


@every
def test_saved_weights_give_the_same_embedding_bit_for_bit(name, tmp_path):
    how = labelled(name) if name in TRAINED else None
    contract.check_saved_weights_give_the_same_embedding(
        builder(name), tmp_path / "w.safetensors", how
    )


# Faults that the suite must find in a method it has never seen


class Peeks(MultiMAE):
    """Sets each image off against the mean of all that are there."""

    def encode(self, observed):
        images = super().encode(observed)
        mean = torch.stack(list(images.values())).mean(dim=0)
        return {m: image - 0.1 * mean for m, image in images.items()}


class IndexesByPosition(MultiMAE):
    """The i-th observed modality goes through the i-th embedding."""

    def encode(self, observed):
        own = dict(zip(self.modalities, observed.values(), strict=False))
        return dict(zip(observed, super().encode(own).values(), strict=True))


class DetachesItsDecoder(MultiMAE):
    """What the decoders give is detached before the loss."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        for decoder in self.decoders.values():
            decoder.register_forward_hook(lambda _, __, output: output.detach())


class Forgets(MultiMAE):
    """What it embeds is the same whatever the window."""

    def fuse(self, encoded):
        return torch.ones_like(super().fuse(encoded))


class DetachesItsLoss(MultiMAE):
    """Nothing learns from the loss."""

    def loss(self, batch, rng):
        return {name: term.detach() for name, term in super().loss(batch, rng).items()}


class Climbs(MultiMAE):
    """Each term has its right value and the gradient of its negative."""

    def loss(self, batch, rng):
        return {n: 2 * term.detach() - term for n, term in super().loss(batch, rng).items()}


class Drifts(MultiMAE):
    """The gradient is that of another function: it leads across the slope, not down."""

    def loss(self, batch, rng):
        terms = super().loss(batch, rng)
        other = sum(p.sum() for p in self.parameters())
        return {n: term.detach() + other - other.detach() for n, term in terms.items()}


def faulty(cls: type[Method]) -> contract.Build:
    def build(seed: int) -> Method:
        torch.manual_seed(seed)
        return cls.build(MultiMAESpec.parse(SECTIONS["multimae"]), inputs(), [])

    return build


@pytest.mark.parametrize("cls", [Peeks, IndexesByPosition])
def test_a_method_that_peeks_or_goes_by_position_is_found(cls):
    contract.check_an_absent_modality_cannot_influence(faulty(MultiMAE))
    with pytest.raises(AssertionError, match="influenced"):
        contract.check_an_absent_modality_cannot_influence(faulty(cls))


def test_a_method_whose_decoder_is_detached_is_found():
    with pytest.raises(AssertionError, match="no gradient"):
        contract.check_a_gradient_reaches_every_trainable_parameter(
            faulty(DetachesItsDecoder), labelled=False
        )


@pytest.mark.parametrize(
    ("cls", "said"),
    [(DetachesItsLoss, "detached"), (Climbs, "no step downhill"), (Drifts, "no step downhill")],
)
def test_a_method_whose_loss_cannot_fall_is_found(cls, said):
    contract.check_the_loss_falls(faulty(MultiMAE), labelled=False)
    with pytest.raises(AssertionError, match=said):
        contract.check_the_loss_falls(faulty(cls), labelled=False)


def test_a_method_that_embeds_nothing_of_the_window_is_found():
    with pytest.raises(AssertionError, match="above chance"):
        contract.check_the_probe_beats_chance(faulty(Forgets))


@pytest.mark.parametrize("targets", ["attention", ".*"])
def test_an_encoder_of_which_lora_finds_no_layer_is_found(targets):
    def build(seed: int) -> Method:
        method = builder("resnet18")(seed)
        method.encoder.lora_targets = targets
        return method

    with pytest.raises(ConfigError, match=r"LoRA finds no layer of ResNetB.* correct its lora_tar"):
        contract.check_a_system_can_begin_with_it(build)
