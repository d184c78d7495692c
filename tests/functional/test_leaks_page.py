# SPDX-License-Identifier: Apache-2.0
"""docs/leaks.md says what goheap says of the programs in examples/leaks."""

import pathlib

from lib import goheap, leaksdoc, programs


def test_page_is_true(tmp_path: pathlib.Path) -> None:
    """Numbers differ from run to run; words, functions, lines and order do not."""
    made = leaksdoc.page(goheap.path(), tmp_path, programs.RELEASES[-1])
    kept = leaksdoc.PAGE.read_text()
    assert leaksdoc.normal(made) == leaksdoc.normal(kept), "write it again: tools/leaks-doc"


def test_each_example_is_on_the_page() -> None:
    found = {path.parent.name for path in leaksdoc.EXAMPLES.glob("*/main.go")}
    assert found == set(leaksdoc.ORDER)
    page = leaksdoc.PAGE.read_text()
    assert len(leaksdoc.ORDER) >= 12
    for name in leaksdoc.ORDER:
        example = leaksdoc.read(name)
        assert example.title in page and example.code in page
        assert example.questions and example.text[-1].startswith("Fix:")


def test_normal_form_keeps_what_matters() -> None:
    """The comparison is not blind: another function, verdict or line of code differs."""
    def normal(text: str) -> list:
        return leaksdoc.normal(text)
    assert normal("proven 3.2 MiB main.f main.go:12") == normal("proven 45 KiB main.f main.go:13")
    assert normal("proven, main.f") != normal("likely, main.f")
    assert normal("main.f.func1 waits") != normal("main.g.func1 waits")
