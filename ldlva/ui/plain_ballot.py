"""The ballot of Streamlit's own widgets: for browsers in which the component cannot run. Times are the server's."""

from __future__ import annotations

import time
from collections.abc import Callable

import streamlit as st

from ldlva.emotions import NONE_OF_THESE, OTHER
from ldlva.languages import Language
from ldlva.survey.records import Ballot, Trial
from ldlva.ui import ballot as screen
from ldlva.ui import components
from ldlva.ui.session import repository

_SHOWN = "shown"
_LAST_EVENT = "last_event"
_RATED = "plain-rated"
_REMARK = "plain-remark"
_PAUSE = "plain-pause"
_PRACTISED = "plain-practised"
_MOVED = "plain-moved"

# A held key sends the same key again and again. Streamlit's shortcuts take each for a new press; this listener, first
# in line, drops the repeats. It outlives the page in a single-page app, hence the check that a ballot is on screen.
_DROP_REPEATED_KEYS = """
<script>
if (!window.ldlvaDropsRepeatedKeys) {
  window.ldlvaDropsRepeatedKeys = true;
  window.addEventListener("keydown", (event) => {
    if (event.repeat && document.querySelector(".st-key-undo")) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  }, true);
}
</script>
"""


def draw(token: str, ballot: Ballot, language: Language) -> None:
    """Draw the face to vote on and the choices."""
    trial = screen.trial_of(ballot)
    if (failure := screen.failure(language)) is not None:
        st.html(components.alert(failure))
    st.html(components.progress(ballot.done, ballot.total, screen.where(ballot, language), language))
    if st.session_state.get(_PAUSE) == ballot.done:
        _draw_pause(ballot, language)
        return
    _draw_remark(trial, language)
    is_several = ballot.protocol.response.mode == "multiple"
    question = "ballot.question_several" if is_several else "ballot.question"
    st.html(f'<h1 class="question">{language.text(question)}</h1>')
    content, media_type = repository().image_content(trial.image_id)
    presentation = ballot.protocol.presentation
    st.html(
        components.timed_face(
            components.face(content, media_type, screen.where(ballot, language)),
            f"{trial.image_id}-{trial.repeat}",
            presentation.fixation_ms,
            presentation.exposure_ms,
        )
    )
    is_rating = st.session_state.get(_RATED, (None,))[0] == trial
    if is_rating:
        _draw_rating(token, ballot, language)
    elif is_several:
        _draw_several(token, ballot, language)
    else:
        _draw_choices(token, ballot, language)
    undo_button(token, is_rating or ballot.done > 0, language)
    st.html(f'<p class="muted" style="text-align:center">{language.text("ballot.keep_link")}</p>')
    # A rerun that shows the same face again (a reconnect, an ignored click) does not restart its clock.
    if st.session_state.get(_SHOWN, (None,))[0] != trial:
        st.session_state[_SHOWN] = (trial, time.monotonic())


def undo_button(token: str, possible: bool, language: Language) -> None:
    """Take the last choice back; its face comes up again."""
    st.html(_DROP_REPEATED_KEYS, unsafe_allow_javascript=True)
    with st.container(key="undo", horizontal=True, horizontal_alignment="center"):
        st.button(
            language.text("ballot.undo"),
            key="undo-button",
            type="tertiary",
            icon=":material/undo:",
            shortcut="Backspace",
            disabled=not possible,
            on_click=_undo,
            args=(token,),
        )


def _draw_choices(token: str, ballot: Ballot, language: Language) -> None:
    with st.container(key="choices"):
        for number, choice in enumerate(screen.choices(ballot.protocol, ballot.options, language), start=1):
            # The key does not name the face: the button stays, and with it the focus of keyboard and screen reader.
            st.button(
                components.plain(choice.title),
                key=f"choose-{choice.name}",
                shortcut=str(number) if number <= 9 else None,
                width="stretch",
                on_click=_choose,
                args=(token, ballot, choice.name, language),
            )


def _draw_several(token: str, ballot: Ballot, language: Language) -> None:
    trial = screen.trial_of(ballot)
    with st.container(key="several"):
        ticked = tuple(
            choice.name
            for choice in screen.choices(ballot.protocol, ballot.options, language)
            if st.checkbox(components.plain(choice.title), key=f"tick-{choice.name}-{trial.image_id}-{trial.repeat}")
        )
    _continue(language, lambda: _settle(token, ballot, ticked, language), disabled=not ticked)


def _draw_rating(token: str, ballot: Ballot, language: Language) -> None:
    trial, chosen, elapsed_ms = st.session_state[_RATED]
    mode = ballot.protocol.response.mode
    titles = {choice.name: choice.title for choice in screen.choices(ballot.protocol, ballot.options, language)}
    st.html(f'<p class="muted">{components.text(language.text("ballot.chosen", emotion=titles[chosen]))}</p>')

    # The middle is an answer only of somebody who went there.
    moved: set[str] = st.session_state[_MOVED]
    sliders: set[str] = set()

    def slider(name: str, low: int) -> int:
        sliders.add(name)
        ends = f"{language.text(f'ballot.{name}_low')} – {language.text(f'ballot.{name}_high')}"
        label = f"{language.text(f'ballot.{name}')} ({ends})"
        key = f"{name}-{trial.image_id}-{trial.repeat}"
        return int(st.slider(label, low, 100, (low + 100) // 2, key=key, on_change=moved.add, args=(name,)))

    intensity = valence = arousal = other = None
    if chosen == OTHER:
        other = st.text_input(language.text("ballot.other_text"), key="other-text", max_chars=200) or None
    elif mode == "intensity":
        intensity = slider("intensity", 0)
    else:
        valence, arousal = slider("valence", -100) / 100, slider("arousal", -100) / 100
    answer = screen.Answer(trial.image_id, trial.repeat, chosen, elapsed_ms, intensity, valence, arousal, other)
    _continue(language, lambda: _send(token, ballot, answer, language), disabled=not sliders <= moved)


def _draw_pause(ballot: Ballot, language: Language) -> None:
    st.title(language.text("ballot.break_heading"))
    st.write(language.text("ballot.break_text", done=ballot.done, total=ballot.total))
    _continue(language, lambda: st.session_state.update({_PAUSE: None}))


def _draw_remark(trial: Trial, language: Language) -> None:
    """What was expected of the practice face just voted on, and where practice ends."""
    remark = st.session_state.pop(_REMARK, None)
    was_practice = st.session_state.get(_PRACTISED, False)
    st.session_state[_PRACTISED] = trial.kind == "practice"
    ended = language.text("ballot.practice_over") if was_practice and trial.kind != "practice" else None
    if remark or ended:
        st.html(components.notice("\n".join(filter(None, (remark, ended)))))


def _continue(language: Language, act: Callable[..., None], disabled: bool = False) -> None:
    st.button(language.text("ballot.continue"), key="continue", type="primary", on_click=act, disabled=disabled)


def _choose(token: str, ballot: Ballot, choice: str, language: Language) -> None:
    trial = screen.trial_of(ballot)
    elapsed = _looked_at(trial)
    if elapsed is None:
        return
    is_rated = ballot.protocol.response.mode in ("intensity", "valence_arousal") and choice != NONE_OF_THESE
    if is_rated or choice == OTHER:
        st.session_state[_RATED] = (trial, choice, elapsed)
        st.session_state[_MOVED] = set()
    else:
        _send(token, ballot, screen.Answer(trial.image_id, trial.repeat, choice, elapsed), language)


def _settle(token: str, ballot: Ballot, ticked: tuple[str, ...], language: Language) -> None:
    trial = screen.trial_of(ballot)
    if (elapsed := _looked_at(trial)) is not None:
        _send(token, ballot, screen.Answer(trial.image_id, trial.repeat, ticked, elapsed), language)


def _send(token: str, ballot: Ballot, answer: screen.Answer, language: Language) -> None:
    trial, presentation = screen.trial_of(ballot), ballot.protocol.presentation
    screen.vote(token, answer)
    st.session_state.pop(_RATED, None)
    if trial.expected:
        given = {answer.choice} if isinstance(answer.choice, str) else set(answer.choice)
        names = ", ".join(
            choice.title
            for choice in screen.choices(ballot.protocol, ballot.options, language)
            if choice.name in trial.expected
        )
        is_same = bool(given & set(trial.expected))
        key = "ballot.expected_same" if is_same else "ballot.expected_other"
        st.session_state[_REMARK] = language.text(key, emotion=names)
    done = ballot.done + 1
    if presentation.break_every and done % presentation.break_every == 0:
        st.session_state[_PAUSE] = done


def _undo(token: str) -> None:
    if _is_deliberate() and st.session_state.pop(_RATED, None) is None:
        st.session_state.pop(_SHOWN, None)
        screen.undo(token)


def _looked_at(trial: Trial) -> int | None:
    """Milliseconds since the face was sent; None if the click is no answer to it."""
    shown, shown_at = st.session_state.get(_SHOWN, (None, 0.0))
    elapsed = time.monotonic() - shown_at
    return round(1000 * elapsed) if _is_deliberate() and shown == trial and elapsed >= screen.QUIET_SECONDS else None


def _is_deliberate() -> bool:
    now = time.monotonic()
    before: float = st.session_state.get(_LAST_EVENT, 0.0)
    st.session_state[_LAST_EVENT] = now
    return now - before >= screen.QUIET_SECONDS
