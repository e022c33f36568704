"""How figures are written: the same numbers give the same bytes."""

import numpy as np
import pytest

from physiome.reporting.style import colors_of, save
from physiome.reporting.timeline import timeline_figure


@pytest.mark.parametrize("classes", [2, 8, 9, 30])
def test_classes_are_told_apart_by_their_colours(classes):
    """The ninth had the first's."""
    colors = colors_of(classes)
    assert len(colors) == len(set(colors)) == classes


def test_a_figure_repeats_wherever_its_arrays_lie_in_memory(tmp_path):
    draws = np.random.default_rng(0)
    strips = {name: draws.dirichlet(np.ones(3), 118) for name in ("a+b", "a")}
    true = draws.integers(0, 3, 118)
    drawn = set()
    for n in range(6):  # before the axes' positions were rounded: two kinds, as likely as not
        elsewhere = [bytearray(37 * i + 1) for i in range(5 * n)]
        path = tmp_path / f"{n}.svg"
        save(timeline_figure(np.arange(118) / 120, true, strips, list("wnr"), "Night"), path)
        drawn.add((path.read_bytes(), path.with_suffix(".pdf").read_bytes()))
        del elsewhere
    assert len(drawn) == 1
