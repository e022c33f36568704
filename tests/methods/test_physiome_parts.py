"""Parts of a batch that drop modalities of their own, and restoration from the mean token."""

from collections import Counter

import torch
from checks import calls_of, drop
from tiny import NAMES, N, draws, physiome, waves

from physiome.nn.losses import nt_xent
from physiome.nn.masking import n_kept
from physiome.nn.physiome_parts import Part, draw_parts


def test_a_batch_lacking_modalities_drops_none_of_a_single_one_and_is_one_part_when_small():
    method = physiome()
    assert all(part.dropped == () for part in method._draw_parts(("b",), 6, draws()))
    assert len(method._draw_parts(NAMES, 3, draws())) == 1


def test_a_part_drops_each_number_of_modalities_but_all_as_often_and_none_of_them_rather():
    rng, numbers, names = draws(), Counter(), Counter()
    for _ in range(1500):
        first, second = draw_parts(NAMES, 5, 2, rng)
        assert (first.rows, second.rows) == (slice(0, 2), slice(2, 5))
        for part in (first, second):
            assert part.kept == tuple(m for m in NAMES if m not in part.dropped)
            numbers[len(part.dropped)] += 1
            names.update(part.dropped)
    for counted in (numbers, names):  # of 3000 parts a third: each has expectation 1000
        assert len(counted) == 3
        assert all(abs(n - 1000) < 130 for n in counted.values()), counted  # five deviations


def test_parts_that_drop_differently_give_the_terms_of_their_rows():
    """Terms of a batch in parts, from each part's own rows: no row sees another part's drops."""
    method, signals = physiome(), waves(6)
    method.eval()
    parts = [Part(slice(0, 2), ("a", "c"), ("b",)), Part(slice(2, 6), ("a", "b"), ("c",))]
    method._draw_parts = lambda *_: parts  # type: ignore[method-assign]
    fused: list = []
    terms: dict[str, torch.Tensor] = {}
    decoded = {
        m: calls_of(method.decoders[m], lambda: terms.update(method.loss(signals, draws())))
        for m in NAMES
    }
    fused = calls_of(method.fusion, lambda: method.loss(signals, draws()))
    assert [len(tokens) for (tokens,), _ in fused] == [2, 4]
    assert {m: len(calls[0][1]) for m, calls in decoded.items()} == {"a": 6, "b": 4, "c": 2}
    encoded = method.encode(signals)
    whole = method.project_fused(
        torch.nn.functional.normalize(torch.cat([out.mean(dim=1) for _, out in fused]), dim=1)
    )
    contrast = [
        nt_xent(
            method.project[m](torch.nn.functional.normalize(encoded[m].mean(dim=1), dim=1)),
            whole,
            0.1,
        )
        for m in NAMES
    ]
    torch.testing.assert_close(terms["contrast"], torch.stack(contrast).mean())
    errors = [
        (method.restorers[m](out[:, at : at + N]) - encoded[m][rows, 1:]).square().mean()
        for m, rows, (_, out), at in (
            ("b", slice(0, 2), fused[0], n_kept(N, 0.4)),
            ("c", slice(2, 6), fused[1], 2 * n_kept(N, 0.4)),
        )
    ]
    torch.testing.assert_close(terms["missing"], torch.stack(errors).mean())


def test_restorers_may_learn_from_complete_tokens_as_at_inference():
    method, signals = physiome(restore_from="complete"), waves()
    drop(method, "b")
    method.eval()
    terms: dict[str, torch.Tensor] = {}
    (((given, *_), _),) = calls_of(
        method.restorers["b"], lambda: terms.update(method.loss(signals, draws()))
    )
    encoded = method.encode(signals)
    (((at_inference, *_), restored),) = calls_of(
        method.restorers["b"], lambda: method.restore({m: encoded[m] for m in ("a", "c")})
    )
    torch.testing.assert_close(given, at_inference)
    torch.testing.assert_close(terms["missing"], (restored - encoded["b"][:, 1:]).square().mean())


def test_a_fresh_restorer_gives_nearly_the_mean_token():
    method, signals = physiome(), waves(8)
    method.eval()
    encoded = method.encode(signals)
    mean = encoded["b"][:, 1:].mean(dim=0, keepdim=True)
    for step in range(3):
        method.loss(signals, draws(step))
        method.after_step()
    torch.testing.assert_close(method.restorers["b"].mean, mean[0])
    restored = method.restore({m: encoded[m] for m in ("a", "c")})["b"]
    assert (restored - mean).square().mean() < 1e-3 * mean.square().mean()


def test_a_mean_token_is_the_average_of_steps_whatever_pieces_they_came_in():
    restorer = physiome().restorers["b"]
    pieces = [torch.full((2, N, 32), value) for value in (1.0, 3.0, 5.0)]
    for noted in (pieces[:2], pieces[2:]):
        for piece in noted:
            restorer.note(piece)
        assert restorer.mean.max() <= 2.0  # only `follow` moves it
        restorer.follow()
    torch.testing.assert_close(restorer.mean, torch.full((N, 32), 3.5))
    restorer.follow()
    assert float(restorer.seen) == 2


def test_a_mean_token_forgets_as_an_average_of_a_hundred_steps_does():
    restorer = physiome().restorers["b"]
    for value in [0.0] * 130 + [1.0]:
        restorer.note(torch.full((2, N, 32), value))
        restorer.follow()
    torch.testing.assert_close(restorer.mean, torch.full((N, 32), 0.01))


def test_the_size_of_restorers_changes_no_other_weight():
    """They learn apart: what reads everything observed is the same model for every size."""
    models = [
        physiome(restore_width=width, restore_depth=depth) for width, depth in ((24, 1), (48, 2))
    ]
    for method in models:
        optimizer = torch.optim.AdamW([p for p in method.parameters() if p.requires_grad], lr=1e-2)
        for step in range(2):
            torch.manual_seed(step)
            optimizer.zero_grad()
            method.total(method.loss(waves(), draws(step))).backward()
            for group in method.clip_groups():
                torch.nn.utils.clip_grad_norm_(group, 0.1)
            optimizer.step()
    one, other = ({n: t for n, t in m.state_dict().items() if "restorers" not in n} for m in models)
    assert all(torch.equal(one[n], other[n]) for n in one)
