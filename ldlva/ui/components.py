"""Pieces of pages as HTML strings. Everything that came from outside is escaped here."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from ldlva.emotions import NONE_COLOUR, Emotion, emotion
from ldlva.jobs import Progress
from ldlva.languages import Language


def plain(text: str) -> str:
    """A researcher's text as Streamlit's Markdown shows it unchanged: no formula, colour or emphasis by accident.

    Bare web addresses still become links, so text that a visitor can choose goes through `alert` instead.
    """
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def alert(message: str) -> str:
    """An error for the visitor. HTML, not Markdown: the message may quote a crafted link."""
    return f'<div class="alert" role="alert">{escape(message)}</div>'


def text(words: str) -> str:
    """Text from outside as HTML."""
    return escape(words)


def notice(message: str) -> str:
    """What is to be done first, where nothing is wrong."""
    return f'<div class="verdict" role="status">{escape(message)}</div>'


def data_url(content: bytes, media_type: str) -> str:
    """An image inline: it arrives with the page's own message, and on every replica."""
    return f"data:{escape(media_type)};base64,{base64.b64encode(content).decode()}"


def face(content: bytes, media_type: str, alternative: str) -> str:
    """The large face of the ballot."""
    return f'<img class="face" src="{data_url(content, media_type)}" alt="{escape(alternative)}">'


def timed_face(face: str, showing: str, fixation_ms: int, exposure_ms: int | None) -> str:
    """A face after a cross and for a limited time, by style sheet alone; as exact as the browser's animations are.

    Args:
        face: its HTML.
        showing: letters, digits and dashes, another for every showing, so that the animation starts anew.
        fixation_ms: how long the cross is shown before; 0 for none.
        exposure_ms: how long the face is shown; None for as long as it takes.
    """
    if not fixation_ms and exposure_ms is None:
        return face
    frames = f"@keyframes cross-{showing}{{to{{visibility:hidden}}}}"
    cross = (
        f'<div class="cross" aria-hidden="true" style="animation:cross-{showing} 0s {fixation_ms}ms forwards">+</div>'
    )
    style = f"#face-{showing}{{animation:before-{showing} {fixation_ms}ms backwards"
    frames += f"@keyframes before-{showing}{{from,to{{visibility:hidden}}}}"
    if exposure_ms is not None:
        style += f",cross-{showing} 0s {fixation_ms + exposure_ms}ms forwards"
    return (
        f"<style>{frames}{style}}}</style>"
        f'<div class="stage">{cross if fixation_ms else ""}<div id="face-{showing}">{face}</div></div>'
    )


def progress(done: int, total: int, words: str, language: Language) -> str:
    """How far a volunteer is, as a bar and in words."""
    share = 100 * done / total if total else 100
    return (
        f'<div class="progress-text" role="status"><span>{escape(words)}</span></div>'
        f'<div class="progress" role="progressbar" aria-label="{escape(language.text("ballot.progress"))}" '
        f'aria-valuemin="0" aria-valuemax="{total}" aria-valuenow="{done}"><div style="width:{share:.1f}%"></div></div>'
    )


def progress_bar(share: float, text: str, remark: str) -> str:
    """How far something is, as a bar with words above it."""
    return (
        f'<div class="progress-text" role="status"><span>{escape(text)}</span><span>{escape(remark)}</span></div>'
        f'<div class="progress" role="progressbar" aria-label="Progress" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{100 * share:.0f}"><div style="width:{100 * share:.1f}%"></div></div>'
    )


def line_legend(colours: Mapping[str, str]) -> str:
    """Names of lines with their colours."""
    entries = "".join(
        f'<span><i class="line" style="background:{colour}"></i>{escape(name)}</span>'
        for name, colour in colours.items()
    )
    return f'<div class="legend">{entries}</div>'


def plain_table(rows: Iterable[tuple[str, Any]]) -> str:
    """Names and values."""
    body = "".join(f"<tr><td>{escape(name)}</td><td>{_value(value)}</td></tr>" for name, value in rows)
    return f'<div class="table-wrap" tabindex="0"><table class="figures settings"><tbody>{body}</tbody></table></div>'


def settings_table(columns: Sequence[str], rows: Mapping[str, Sequence[Any]]) -> str:
    """Settings by row, runs by column."""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(
        f"<tr><td>{escape(name)}</td>{''.join(f'<td>{_value(value)}</td>' for value in values)}</tr>"
        for name, values in rows.items()
    )
    return (
        '<div class="table-wrap" tabindex="0"><table class="figures settings"><thead><tr><th>Setting</th>'
        f"{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _value(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return escape(str(value))


def job_progress(progress: Progress) -> str:
    """How far a job is: its stage and count in words, and a bar. Where the total is unknown, the bar moves."""
    known = progress.total > 0
    words = " · ".join(filter(None, (progress.message, f"{progress.done} of {progress.total}" if known else "")))
    bar = f'<div style="width:{100 * progress.share:.1f}%"></div>' if known else '<div class="unknown"></div>'
    value = f'aria-valuemin="0" aria-valuemax="{progress.total}" aria-valuenow="{progress.done}"' if known else ""
    return (
        f'<div class="progress-text" role="status"><span>{escape(progress.stage or "Starting")}</span>'
        f"<span>{escape(words)}</span></div>"
        f'<div class="progress" role="progressbar" aria-label="Progress" {value}>{bar}</div>'
    )


def remarks(title: str, items: Sequence[Sequence[str]]) -> str:
    """Files with something to know about each: (name, what)."""
    rows = "".join(f"<li><b>{escape(name)}</b> {escape(what)}</li>" for name, what in items)
    return f'<div class="remarks"><h4>{escape(title)}</h4><ul>{rows}</ul></div>'


def thumbnails(images: Iterable[tuple[str, str]]) -> str:
    """Small faces side by side: (name, data URL)."""
    shown = "".join(
        f'<figure><img src="{url}" alt="{escape(name)}"><figcaption title="{escape(name)}">{escape(name)}</figcaption>'
        "</figure>"
        for name, url in images
    )
    return f'<div class="thumbnails">{shown}</div>'


def study_head(title: str, status: str, facts: str, name: str, level: int = 3) -> str:
    """A study's title as a heading, its status as a coloured word, and facts about it."""
    return (
        f'<div class="study-head"><h{level}>{escape(title)}</h{level}>'
        f'<span class="status {escape(status)}">{escape(status)}</span></div>'
        f'<div class="muted">{escape(facts)} · <code>{escape(name)}</code></div>'
    )


def paragraphs(text: str) -> str:
    """Plain text with blank lines between paragraphs."""
    return "".join(f"<p>{escape(part)}</p>" for part in text.split("\n\n") if part.strip())


def stats(values: Iterable[tuple[str, str]]) -> str:
    """Key figures in a row of tiles: (value, caption)."""
    tiles = "".join(f"<div><b>{escape(value)}</b><span>{escape(caption)}</span></div>" for value, caption in values)
    return f'<div class="stats">{tiles}</div>'


def face_table(rows: Iterable[tuple[str, int, int | None, str]]) -> str:
    """Faces with their votes against what they need (None: no limit) as a bar, and a remark."""
    body = ""
    for name, votes, needed, remark in rows:
        share = min(1.0, votes / needed) if needed else 0.0
        bar = f'<div class="progress"><div style="width:{100 * share:.0f}%"></div></div>' if needed else ""
        count = f"{votes} of {needed}" if needed else f"{votes}"
        body += (
            f'<div class="face-row"><span class="name" title="{escape(name)}">{escape(name)}</span>'
            f"<span>{bar}</span><b>{count}</b><span>{escape(remark)}</span></div>"
        )
    return f'<div class="face-rows">{body}</div>'


def legend(labels: Sequence[str | Emotion], outside: str | None = None) -> str:
    """The colours of the labels, and of votes for none of them, which are called `outside`, where there are any."""
    entries = [(emotion(label).title, emotion(label).colour) for label in labels]
    if outside is not None:
        entries.append((outside, NONE_COLOUR))
    return (
        '<div class="legend">'
        + "".join(f'<span><i style="background:{colour}"></i>{escape(title)}</span>' for title, colour in entries)
        + "</div>"
    )


def vote_card(
    name: str, image: str, labels: Sequence[str | Emotion], counts: Sequence[int], none_count: int, outside: str
) -> str:
    """One face with its vote distribution; `image` is a data URL, `outside` what votes for no label are called."""
    total = sum(counts) + none_count
    if total == 0:
        body = '<div class="winner">No votes yet</div>'
    else:
        shares = [
            (escape(emotion(label).title), emotion(label).colour, count)
            for label, count in zip(labels, counts, strict=True)
        ]
        shares.append((escape(outside), NONE_COLOUR, none_count))
        top = max(count for _, _, count in shares)
        winners = " / ".join(title for title, _, count in shares if count == top)
        stack = "".join(
            f'<span style="width:{100 * count / total:.2f}%;background:{colour}" title="{title}: {count}"></span>'
            for title, colour, count in shares
            if count
        )
        words = ", ".join(f"{title} {count}" for title, _, count in shares if count)
        body = (
            f'<div class="winner">{winners}</div>'
            f'<div class="stack" role="img" aria-label="{words}">{stack}</div>'
            f'<div class="muted">{words}</div>'
        )
    return (
        f'<div class="card"><img src="{image}" alt="{escape(name)}">'
        f'<div style="min-width:0"><div class="name" title="{escape(name)}">{escape(name)}</div>{body}</div></div>'
    )


def gallery(cards: Iterable[str]) -> str:
    return f'<div class="gallery">{"".join(cards)}</div>'


def verdict(sentences: Sequence[str]) -> str:
    """The ranking in words."""
    return '<div class="verdict">' + "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences) + "</div>"


def distribution_bars(labels: Sequence[str | Emotion], panels: Mapping[str, Sequence[float]]) -> str:
    """One face: bars per label in a panel per source, which wrap on a phone. Source to shares in the labels' order."""
    shown = ""
    for source, shares in panels.items():
        bars = "".join(
            f'<span>{escape(emotion(label).title)}</span><span class="bar"><i style="width:{100 * share:.1f}%;'
            f'background:{escape(emotion(label).colour)}"></i></span>'
            f"<span>{f'{share:.0%}' if share >= 0.005 else ''}</span>"
            for label, share in zip(labels, shares, strict=True)
        )
        shown += f'<div class="panel"><b title="{escape(source)}">{escape(source)}</b><div>{bars}</div></div>'
    return f'<div class="panels">{shown}</div>'


def names(words: Sequence[str]) -> str:
    """Column names in a sentence."""
    shown = [f"<code>{escape(word)}</code>" for word in words]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
