"""Footnotes of rows of a table: which methods they belong to, and the lines under a LaTeX table."""

from collections.abc import Callable, Iterable, Mapping, Sequence


class Numbered:
    """Footnotes numbered in the order of methods; a text that several share has one number."""

    def __init__(self, methods: Iterable[str], footnotes: Mapping[str, Sequence[str]] | None):
        self._of = {method: list((footnotes or {}).get(method, ())) for method in methods}
        texts = dict.fromkeys(text for said in self._of.values() for text in said)
        self.numbers = {text: number for number, text in enumerate(texts, start=1)}

    def mark(self, method: str) -> str:
        """The raised numbers behind a method's title in LaTeX; empty without footnotes."""
        numbers = [str(self.numbers[text]) for text in self._of[method]]
        return rf"\textsuperscript{{{','.join(numbers)}}}" if numbers else ""

    def lines(self, width: str, escape: Callable[[str], str]) -> str:
        """The lines under a LaTeX table, each with its number; empty without footnotes.

        Args:
            width: of the lines, such as `\\textwidth`.
            escape: makes LaTeX's special characters printable.
        """
        if not self.numbers:
            return ""
        lines = "\\\\\n".join(
            rf"\textsuperscript{{{number}}} {escape(text)}" for text, number in self.numbers.items()
        )
        return (
            f"\n\\par\\smallskip\n\\begin{{minipage}}{{{width}}}\\footnotesize\\raggedright\n"
            f"{lines}\n\\end{{minipage}}"
        )
