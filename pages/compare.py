"""Compare: how far each model is from people, overall and face by face (supplement, Eq. 1-2 and Figure 2)."""

import streamlit as st

from ldlva import figures
from ldlva.measures import GRID, HEADLINE
from ldlva.ui import compare, compare_tools, components, session

with session.page("Compare", layout="wide", researchers_only=True):
    st.title("Models against people")
    study = session.choose_study()
    chosen = compare.choose_models(study, session.alignment(study))
    compared = session.comparison(study, chosen)
    report = compared.comparison
    colours = compare.model_colours(compared)
    st.html(f'<p class="muted">{components.text(compare.scope(report))}</p>')
    if study.origin.get("source") == "faces":
        st.html(f'<p class="muted">{compare.RENDERED_NOTE}</p>')
    for note in compared.notes:
        st.html(components.notice(note))
    if report.differences:
        st.html(components.verdict(report.verdict()))

    st.header("Mean Jeffreys divergence")
    constant = st.segmented_control(
        "Zero handling: clip both distributions at ε and renormalise",
        GRID,
        default=HEADLINE,
        required=True,
        format_func=lambda key: f"ε = {key}",
        key="epsilon",
    )
    st.plotly_chart(
        figures.divergence_chart(report, constant, colours),
        config={"displayModeBar": False},
        theme=None,
        key="divergence",
        alt="Mean Jeffreys divergence from people of every model and reference row",
    )
    st.caption(
        "Left is closer to people. Open circles: after temperature. Bars: 95% intervals. Diamonds: reference rows."
    )
    compare.draw_tables(report, constant)
    compare_tools.draw(study, chosen)

    st.header("Face by face")
    name = st.segmented_control(
        "Sort by", list(compare.ORDERS), default=next(iter(compare.ORDERS)), required=True, key="order"
    )
    order = compare.ORDERS[name]
    st.caption(order.explain(report))
    for position in session.paged(order.rows(report), 6, study.name, name, chosen):
        row = int(report.rows[position])
        picture, bars = st.columns([1, 5], vertical_alignment="center")
        picture.html(compare.face(compared.votes, row))
        bars.html(compare.panels(compared, row))
        bars.caption(components.plain(compare.divergences(report, position)))
