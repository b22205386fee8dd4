import re
from pathlib import Path

import pytest

from viewer_api import looks, words

TEMPLATES = sorted((Path(looks.__file__).parent / "templates").glob("*.html"))


@pytest.mark.parametrize("key", words.WORDS)
def test_every_sentence_exists_in_both_languages(key: str) -> None:
    """No page falls back to a key or to the other language."""
    assert len(words.WORDS[key]) == len(words.LANGUAGES)
    assert all(text.strip() for text in words.WORDS[key])


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda p: p.name)
def test_templates_name_only_words_that_exist(template: Path) -> None:
    """A misspelt key is found here and not by a doctor."""
    named = re.findall(r"""\bt\(["'](\w+)["']\)""", template.read_text("utf-8"))
    assert [key for key in named if key not in words.WORDS] == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda p: p.name)
def test_templates_hold_no_inline_script_or_style(template: Path) -> None:
    """The content security policy would block it, and so would a reviewer."""
    text = template.read_text("utf-8")
    assert not re.search(r"""<style|\sstyle=|\son\w+=|<script(?![^>]*(src=|type="application/json"))""", text)
