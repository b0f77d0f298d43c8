"""Every text of the page is there in both languages, and every text that is there is used."""

import re
import string

import gradio as gr
import pytest

from tryon.web.texts import ENGLISH, GERMAN, MESSAGES


@pytest.mark.parametrize(("english", "german"), [(ENGLISH, GERMAN), (MESSAGES["en"], MESSAGES["de"])])
def test_every_text_is_there_in_both_languages(english: dict[str, str], german: dict[str, str]):
    assert list(english) == list(german)
    for name, text in english.items():
        gaps, places = ([field for _, field, _, _ in string.Formatter().parse(words)] for words in (text, german[name]))
        assert gaps.count("") == places.count(""), name
        assert re.findall(r"\d+", text) == re.findall(r"\d+", german[name]), name
        assert german[name].strip()
        assert german[name][-1:] in ".!?" or text[-1:] not in ".!?", name


def test_the_page_asks_for_every_text_that_exists_and_no_other(monkeypatch: pytest.MonkeyPatch):
    import app

    asked, translated = set(), gr.I18n.__call__
    monkeypatch.setattr(gr.I18n, "__call__", lambda texts, key: asked.add(key) or translated(texts, key))
    app.create_demo(lambda name: None)
    assert asked == set(ENGLISH)
