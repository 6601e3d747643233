"""Pieces of pages as HTML strings. Everything that came from outside is escaped here."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from ldlva.comparison import COMPANIONS, GRID, HEADLINE, Comparison
from ldlva.emotions import NONE_COLOUR, NONE_OF_THESE, Emotion, emotion
from ldlva.inference import Estimate
from ldlva.jobs import Progress


def plain(text: str) -> str:
    """A researcher's text as Streamlit's Markdown shows it unchanged: no formula, colour or emphasis by accident.

    Bare web addresses still become links, so text that a visitor can choose goes through `alert` instead.
    """
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def alert(message: str) -> str:
    """An error for the visitor. HTML, not Markdown: the message may quote a crafted link."""
    return f'<div class="alert" role="alert">{escape(message)}</div>'


def notice(message: str) -> str:
    """What is to be done first, where nothing is wrong."""
    return f'<div class="verdict" role="status">{escape(message)}</div>'


def data_url(content: bytes, media_type: str) -> str:
    """An image inline: it arrives with the page's own message, and on every replica."""
    return f"data:{escape(media_type)};base64,{base64.b64encode(content).decode()}"


def face(content: bytes, media_type: str, alternative: str) -> str:
    """The large face of the ballot."""
    return f'<img class="face" src="{data_url(content, media_type)}" alt="{escape(alternative)}">'


def progress(done: int, total: int) -> str:
    """How far a volunteer is, as a bar and in words."""
    share = 100 * done / total if total else 100
    return (
        f'<div class="progress-text" role="status"><span>Face {min(done + 1, total)} of {total}</span>'
        f"<span>{done} done</span></div>"
        f'<div class="progress" role="progressbar" aria-label="Progress" aria-valuemin="0" aria-valuemax="{total}" '
        f'aria-valuenow="{done}"><div style="width:{share:.1f}%"></div></div>'
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


def legend(labels: Sequence[str | Emotion], none: bool = False) -> str:
    """The colours of the labels, and of "none of these" where it was chosen."""
    entries = [(emotion(label).title, emotion(label).colour) for label in labels]
    if none:
        entries.append(("None of these", NONE_COLOUR))
    return (
        '<div class="legend">'
        + "".join(f'<span><i style="background:{colour}"></i>{escape(title)}</span>' for title, colour in entries)
        + "</div>"
    )


def vote_card(name: str, image: str, labels: Sequence[str | Emotion], counts: Sequence[int], none_count: int) -> str:
    """One face with its vote distribution; `image` is a data URL."""
    total = sum(counts) + none_count
    if total == 0:
        body = '<div class="winner">No votes yet</div>'
    else:
        shares = [
            (escape(emotion(label).title), emotion(label).colour, count)
            for label, count in zip(labels, counts, strict=True)
        ]
        shares.append(("None of these", NONE_COLOUR, none_count))
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


def comparison_table(comparison: Comparison) -> str:
    """Models and reference rows: the Jeffreys divergence at every clipping constant, and its companions."""
    head = "".join(f"<th{_headline(key)}>ε = {key}</th>" for key in GRID)
    body = ""
    for model in comparison.models:
        cells = "".join(f"<td{_headline(key)}>{_interval(model.estimates[key])}</td>" for key in GRID)
        companions = "".join(f"<td>{_interval(model.estimates[key])}</td>" for key in COMPANIONS)
        body += f"<tr><td><b>{escape(model.name)}</b></td>{cells}{companions}<td>{model.accuracy:.0%}</td></tr>"
    for floor in comparison.floors:
        cells = "".join(f"<td{_headline(key)}>{floor.values[key]:.2f}</td>" for key in GRID)
        companions = "".join(f"<td>{floor.values[key]:.3f}</td>" for key in COMPANIONS)
        body += f'<tr class="floor"><td>{escape(floor.name)}</td>{cells}{companions}<td></td></tr>'
    meanings = "; ".join(f"<b>{escape(floor.name)}</b> {escape(floor.meaning)}" for floor in comparison.floors)
    return (
        '<div class="table-wrap" tabindex="0"><table class="figures"><thead><tr><th></th>'
        f"{head}<th>Soft cross-entropy</th><th>Jensen-Shannon</th><th>Accuracy</th></tr></thead>"
        f'<tbody>{body}</tbody></table></div><p class="muted">Reference rows: {meanings}.</p>'
    )


def _headline(key: str) -> str:
    return ' class="headline"' if key == HEADLINE else ""


def _interval(value: Estimate) -> str:
    digits = 2 if value.mean >= 0.5 else 3
    return f"{value.mean:.{digits}f}<span class='interval'>{value.low:.{digits}f} to {value.high:.{digits}f}</span>"


def choice_title(choice: str) -> str:
    """A choice as volunteers read it."""
    return "None of these" if choice == NONE_OF_THESE else emotion(choice).title
