from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import SurveyError
from ldlva.survey import protocol as protocol_module
from ldlva.survey.protocol import Protocol, known_languages, parse_protocol
from ldlva.survey.protocol_file import check_protocol, parse_toml, read_protocol, to_toml

SHORT = """
title = "Which emotion?"
[consent]
text = "You choose emotions."
"""

LONG = """
title = { en = "Which emotion?", de = "Welches Gefühl?" }
description = { en = "Short." }
languages = ["en", "de"]
retention_days = 90
debrief = { en = "Thanks", de = "Danke" }

[labels]
set = "own"
[[labels.own]]
name = "happiness"
[[labels.own]]
name = "pride"
title = { en = "Pride", de = "Stolz" }
colour = "#112233"
valence = 0.5
arousal = 0.25
[[labels.own]]
name = "shame"

[response]
mode = "intensity"
none_option = false
other_option = true
option_order = "shuffled"

[presentation]
exposure_ms = 500
fixation_ms = 300
order = "fixed"
break_every = 10

[faces]
per_volunteer = 12
practice = ["p.png"]
practice_feedback = true
practice_answers = { "p.png" = ["pride"] }
gold = { "g.png" = ["happiness", "pride"] }
repeated = 2
claim_minutes = 20

[stopping]
rule = "precision"
half_width = 0.1
most_votes = 80

[attention]
fastest_ms = 250

[consent]
version = "2026-11"
text = { en = "First.\\n\\nSecond \\"quoted\\".", de = "Erstens." }

[[demographics]]
key = "age"
text = { en = "Your age?", de = "Dein Alter?" }
kind = "choice"
options = ["18-24", { value = "25", text = { en = "25 or more", de = "ab 25" } }]
[[demographics]]
key = "years"
text = "Years"
kind = "number"
minimum = 0
maximum = 99

[completion]
per_volunteer = true
url = "https://panel.example/done?cc={code}"

[access]
who = "link"
listed = false
participant_id = "PROLIFIC_PID"
participant_id_required = true
participant_id_storage = "plain"
"""


def test_a_short_protocol_is_complete() -> None:
    protocol = parse_toml(SHORT)
    assert protocol.label_names == EMOTION_NAMES
    assert protocol.title == {"en": "Which emotion?"}
    assert (protocol.response.mode, protocol.response.none_option, protocol.stopping.rule) == ("single", True, "none")


@pytest.mark.parametrize("text", [SHORT, LONG])
def test_written_and_stored_protocols_read_back_as_they_were(text: str) -> None:
    protocol = parse_toml(text)
    assert parse_toml(to_toml(protocol)) == protocol
    assert parse_protocol(protocol.content) == protocol
    assert parse_protocol(protocol.content).hash == protocol.hash == parse_toml(to_toml(protocol)).hash


def test_the_hash_depends_on_every_setting_and_on_nothing_else() -> None:
    protocol = parse_toml(LONG)
    assert parse_toml(LONG.replace("# none", "") + "\n# a comment\n").hash == protocol.hash
    changes = [("exposure_ms = 500", "exposure_ms = 501"), ("Danke", "Danke!"), ("break_every = 10", "break_every = 9")]
    hashes = {parse_toml(LONG.replace(old, new)).hash for old, new in changes}
    assert len(hashes | {protocol.hash}) == 4


def test_own_labels_bring_title_colour_and_coordinates() -> None:
    protocol = parse_toml(LONG)
    happiness, pride, shame = protocol.emotions
    assert (happiness.colour, happiness.valence, happiness.title) == ("#F0AE2C", 0.81, "Happiness")
    assert (pride.colour, pride.valence, pride.arousal, pride.title) == ("#112233", 0.5, 0.25, "Pride")
    assert (shame.valence, shame.title) == (None, "Shame")
    assert protocol.own_title("pride", "de") == "Stolz"
    assert protocol.own_title("happiness", "de") is None


def test_contempt_is_the_eighth_label_and_has_no_invented_coordinates() -> None:
    protocol = parse_toml(SHORT + '[labels]\nset = "basic8"\n')
    assert protocol.label_names == (*EMOTION_NAMES, "contempt")
    assert protocol.emotions[-1].valence is None


def test_texts_fall_back_on_the_first_language() -> None:
    protocol = parse_toml(LONG)
    assert protocol.say(protocol.title, "de") == "Welches Gefühl?"
    assert protocol.say(protocol.description, "de") == "Short."
    assert protocol.language("fr") == protocol.language(None) == "en"
    assert protocol.completion_url("A&B") == "https://panel.example/done?cc=A%26B"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title =", r"s\.toml is not TOML"),
        ('title = "x"', r"s\.toml: consent is missing"),
        (SHORT + "[respons]\n", r"respons is no setting; known here are title, .*response"),
        (SHORT + '[response]\nmode = "x"\n', r"response\.mode is 'x'; allowed are 'single', 'multiple', 'intensity'"),
        (SHORT + '[response]\nnone_option = "yes"\n', r"response\.none_option is 'yes'; allowed is true or false"),
        (
            SHORT + "[presentation]\nexposure_ms = 3\nfoo = 1\n",
            r"exposure_ms is 3.*16; presentation\.foo is no",
        ),
        ('languages = ["xx"]\n' + SHORT, r"no translation for 'xx'; allowed are en, "),
        ('languages = ["en", "de"]\n' + SHORT, r"title needs a text in de"),
        (LONG.replace('de = "Danke"', 'fr = "Merci"'), r"debrief has a text in 'fr'"),
        (SHORT + '[stopping]\nrule = "quota"\n', r"stopping: rule = 'quota' needs votes_per_face"),
        (SHORT + "[stopping]\nvotes_per_face = 3\n", r"votes_per_face does nothing with rule = 'none'"),
        (SHORT + '[faces.gold]\n"a.png" = ["bliss"]\n', r"'a\.png' accepts 'bliss'; labels are neutral"),
        (SHORT + '[labels]\nset = "own"\n', r"needs at least two tables \[\[labels\.own\]\]"),
        (LONG.replace('name = "shame"', 'name = "none"'), r"not none or other"),
        (LONG.replace('key = "years"', 'key = "age"'), r"two questions have the same key"),
        (LONG.replace("https://", "javascript:"), r"url must be a full web address"),
        (SHORT + '[access]\nparticipant_id = "study"\n', r"not study, v or i"),
        (SHORT + '[faces]\npractice = ["a"]\npractice_feedback = true\n', r"needs practice_answers for 'a'"),
    ],
)
def test_a_wrong_protocol_names_file_field_and_what_is_allowed(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "s.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SurveyError, match=message):
        read_protocol(tmp_path / "s.toml")


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(SurveyError, match=r"none\.toml cannot be read: No such file"):
        read_protocol(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SurveyError, match="not a text file in UTF-8"):
        read_protocol(tmp_path / "binary.toml")
    with pytest.raises(SurveyError, match="The protocol: "):
        check_protocol([1, 2])


def test_a_protocol_cannot_be_changed() -> None:
    protocol: Protocol = parse_toml(SHORT)
    with pytest.raises(ValidationError, match="frozen"):
        protocol.retention_days = 3


def test_languages_are_the_translation_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol_module, "TRANSLATIONS", tmp_path)
    for name in ("en.toml", "nl.toml", "README.md"):
        (tmp_path / name).write_text("")
    assert known_languages() == ("en", "nl")
