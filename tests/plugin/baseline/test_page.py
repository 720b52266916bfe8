"""The examples of the page about baselines run."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

from support.frozen_rows import binary

PAGE = (Path(__file__).parents[3] / "docs" / "baselines.md").read_text()


def test_the_examples_of_the_page_run(store: Path) -> None:
    rows = ["amount", "tied", "town", "age", "score", "default"]
    known = {"training": binary(2000)[rows], "november": binary(1000, 2, 0.2)[rows]}
    told: list[str] = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
    blocks = "\n".join(re.findall(r"```pycon\n(.*?)```", PAGE, re.DOTALL))
    runner.run(doctest.DocTestParser().get_doctest(blocks, known, "docs/baselines.md", None, 0), out=told.append)
    assert runner.summarize(verbose=False).attempted > 5
    assert not told, "".join(told)
