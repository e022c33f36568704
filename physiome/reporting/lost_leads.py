"""The figure of scores by the number of leads that a modality has left."""

from collections.abc import Mapping

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from physiome.config.report import MethodEntry
from physiome.reporting.figures import STYLE


def lost_leads_figure(
    table: pd.DataFrame,
    methods: Mapping[str, MethodEntry],
    modalities: Mapping[str, str],
    metric: str,
) -> Figure:
    """A panel per modality and subset: the score against the leads left, a line per method.

    Args:
        table: from `by_leads`.
        methods: name -> title and scope, in drawing order; controls are dashed.
        modalities: name -> title.
    """
    shown = table[(table["metric"] == metric) & table["mean"].notna()]
    panels = list(dict.fromkeys(zip(shown["modality"], shown["subset"], strict=True)))
    drawn = [name for name in methods if (shown["method"] == name).any()]
    colors = mpl.color_sequences["tab10" if len(drawn) <= 10 else "tab20"]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(1.8 + 2.6 * max(len(panels), 1), 3.2), layout="constrained")
        axes = figure.subplots(1, max(len(panels), 1), sharey=True, squeeze=False)[0]
        for axis, (modality, subset) in zip(axes, panels, strict=False):
            here = shown[(shown["modality"] == modality) & (shown["subset"] == subset)]
            for place, name in enumerate(drawn):
                mine = here[here["method"] == name].sort_values("left")
                axis.plot(
                    mine["left"],
                    mine["mean"],
                    "--" if methods[name].scope == "control" else "-",
                    label=methods[name].title,
                    color=colors[place % len(colors)],
                    marker="o",
                    markersize=3,
                    linewidth=1.1,
                )
            axis.set_xscale("log", base=2)
            axis.set_xticks(sorted(here["left"].unique()), map(str, sorted(here["left"].unique())))
            axis.invert_xaxis()
            axis.set_title(" + ".join(modalities[m] for m in subset.split("+")))
            axis.set_xlabel(f"leads of {modalities[modality]} left")
        axes[0].set_ylabel(f"{metric.upper()} (percent)")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right upper", frameon=False)
    return figure
