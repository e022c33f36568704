"""A configuration survives the way it travels: as plain data, as JSON text, as YAML."""

import json

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_config import shipped

from physiome.config.base import Spec
from physiome.config.evaluation import PaperHead, ProbeSpec
from physiome.config.folds import FoldSpec
from physiome.config.model import Augment, EncoderSpec, Lora
from physiome.config.systems.physiome import PhysioMESpec
from physiome.config.training import TrainSpec
from physiome.config.tree import Config
from physiome.config.window import Window
from physiome.errors import ConfigError

COUNTS = st.integers(1, 2000)
POSITIVE = st.floats(min_value=1e-12, max_value=1e6)
NOT_NEGATIVE = st.floats(min_value=0.0, max_value=1e6)
OPEN = st.floats(min_value=0.0, max_value=1.0, exclude_min=True, exclude_max=True)
SEEDS = st.integers(0, 2**31 - 1)


@st.composite
def training(draw):
    micro = draw(st.none() | st.integers(2, 64))
    batch = draw(st.integers(2, 512)) if micro is None else micro * draw(st.integers(1, 8))
    return TrainSpec(
        epochs=draw(COUNTS),
        batch=batch,
        micro_batch=micro,
        learning_rate=draw(POSITIVE),
        scale_with_batch=draw(st.booleans()),
        weight_decay=draw(NOT_NEGATIVE),
        betas=(draw(OPEN), draw(OPEN)),
        clip_norm=draw(st.none() | POSITIVE),
        precision=draw(st.sampled_from(["auto", "fp32", "tf32", "bf16"])),
        seed=draw(SEEDS),
    )


@st.composite
def heads(draw):
    """A number of heads and an even width they divide."""
    count = draw(st.integers(1, 12))
    return count, 2 * count * draw(st.integers(1, 32))


@st.composite
def encoder(draw):
    (count, width), (decoder_count, decoder_width) = draw(heads()), draw(heads())
    step_s = draw(st.floats(min_value=0.01, max_value=10.0))
    return EncoderSpec(
        name=draw(st.text()),
        frame_s=step_s * draw(st.floats(1.0, 9.0)),
        step_s=step_s,
        width=width,
        heads=count,
        decoder_width=decoder_width,
        decoder_heads=decoder_count,
        depth=draw(COUNTS),
        projection=(draw(COUNTS), draw(COUNTS)),
        mask_ratio=draw(OPEN),
        temperature=draw(POSITIVE),
        detach_target=draw(st.booleans()),
        augment=Augment(probability=draw(OPEN), crop=draw(st.sampled_from(["stretch", "tile"]))),
        weights={"masked": draw(NOT_NEGATIVE), "across": draw(NOT_NEGATIVE)},
    )


@st.composite
def fusion(draw):
    (count, width), (restore_count, restore_width) = draw(heads()), draw(heads())
    return PhysioMESpec(
        width=width,
        heads=count,
        restore_width=restore_width,
        restore_heads=restore_count,
        lora=Lora(rank=draw(COUNTS), alpha=draw(COUNTS), dropout=draw(OPEN)),
        restoration=draw(st.sampled_from(["decoder", "masked", "memory"])),
        restoration_gradient=draw(st.booleans()),
        restore_windows=draw(st.sampled_from(["all", "complete"])),
        presence=draw(st.booleans()),
        weights={"contrast": draw(NOT_NEGATIVE)},
    )


probe = st.builds(
    ProbeSpec,
    strengths=st.lists(POSITIVE, min_size=1).map(tuple),
    seed=SEEDS,
    paper_head=st.none() | st.builds(PaperHead, hidden=COUNTS, learning_rate=POSITIVE),
    one_head=st.booleans(),
)
fold = st.builds(
    FoldSpec,
    count=st.integers(2, 50),
    use=st.none() | COUNTS,
    seed=SEEDS,
    train_share=OPEN,
    similar_names_differ=st.booleans(),
    allow_missing_classes=st.booleans(),
)
window = st.builds(Window, length_s=POSITIVE, rate_hz=POSITIVE, lowpass_hz=st.none() | POSITIVE)
SPECS = training() | encoder() | fusion() | probe | fold | window


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault of a spec
@given(SPECS)
def test_a_spec_survives_plain_data_text_and_yaml(spec: Spec):
    kind, plain = type(spec), spec.plain()
    assert kind.parse(plain) == spec
    assert kind.parse_text(json.dumps(plain)) == spec
    assert kind.parse(json.loads(json.dumps(plain))).plain() == plain


@given(training())
def test_a_spec_survives_being_written_as_yaml(spec: TrainSpec):
    assert TrainSpec.parse(yaml.safe_load(yaml.safe_dump(spec.plain()))) == spec


@given(heads(), heads())
def test_only_widths_that_the_heads_divide_are_accepted(first, second):
    (count, _), (_, width) = first, second
    plain = {**shipped()["encoder"], "width": width, "heads": count}
    if width % count == 0:
        assert EncoderSpec.parse(plain).width == width
    else:
        with pytest.raises(ConfigError, match=rf"width {width} .* {count} heads"):
            EncoderSpec.parse(plain)


def test_the_whole_configuration_survives():
    config = Config.load(shipped())
    assert Config.load(config.plain()) == config
    assert Config.load(json.loads(json.dumps(config.plain()))) == config
