"""BM25 vectors."""

from __future__ import annotations

from roggia_embedder import lexical


def test_words_meet_across_case_form_and_script() -> None:
    """A query finds a passage by another form of its words, in the passage's language, also beyond ASCII."""
    for language, text, query in [
        ("en", "The Mills were running", "mill runs"),
        ("de", "Die Flüsse führten Wasser", "FLUSS"),
        ("ru", "Реки текли", "река"),
        (None, "北 京 2026", "北"),
        ("xx", "Straße", "STRASSE"),
    ]:
        found = set(lexical.encode_passage(text, language).indices.tolist())
        asked = set(lexical.encode_query(query, [language]).indices.tolist())
        assert found & asked, (language, text, query)


def test_weights_saturate_and_long_passages_weigh_less() -> None:
    """More of a word weighs more, but less than proportionally; the same word in a longer passage weighs less."""
    once, thrice = (lexical.encode_passage(text, "en").values for text in ("mill", "mill mill mill"))
    assert once[0] < thrice[0] < 3 * once[0]
    long = lexical.encode_passage("mill " + "other " * 600, "en")
    weight = dict(zip(long.indices.tolist(), long.values.tolist(), strict=True))
    assert weight[lexical.encode_passage("mill", "en").indices[0]] < once[0]


def test_indices_are_distinct_and_junk_is_no_word() -> None:
    """Forms of one word share one entry; runs longer than 64 characters (encoded data) are left out."""
    vector = lexical.encode_passage("mill mills milling " + "A" * 65, "en")
    assert len(vector.indices) == len(set(vector.indices.tolist())) == 1
    assert len(lexical.encode_passage("", "en").indices) == 0
    assert len(lexical.encode_query("!?", ["en"]).indices) == 0
