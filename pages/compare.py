"""Compare: how far each model is from people, overall and face by face (supplement, Eq. 1-2 and Figure 2)."""

import streamlit as st

from ldlva import figures
from ldlva.comparison import GRID, HEADLINE
from ldlva.distributions import human_distribution
from ldlva.ui import compare, components, session

with session.page("Compare", layout="wide", researchers_only=True):
    st.title("Models against people")
    study = session.choose_study()
    if study is None:
        st.info("There are no studies yet. The README says how to make one.", icon=":material/inbox:")
        st.stop()
    compared = session.comparison(study)
    report = compared.comparison
    colours = compare.model_colours(report)
    st.html(f'<p class="muted">{compare.scope(report)}</p>')
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
    st.caption("Left is closer to people. Bars are 95% intervals; diamonds are reference rows.")
    with st.expander("All numbers", expanded=True):
        st.html(components.comparison_table(report))
        st.html(f'<p class="muted">{compare.METHOD_NOTE}</p>')

    st.header("Face by face")
    order = st.segmented_control(
        "Sort by", list(compare.ORDERS), default=next(iter(compare.ORDERS)), required=True, key="order"
    )
    for position in session.paged(compare.ORDERS[order](report), size=6):
        row = int(report.rows[position])
        picture, bars = st.columns([1, 4], vertical_alignment="center")
        picture.html(compare.face(compared.votes, row))
        people = {f"People ({compared.votes.counts[row].sum()})": human_distribution(compared.votes.counts[[row]])[0]}
        models = {model.name: compared.predictions[model.name][row] for model in report.models}
        bars.plotly_chart(
            figures.distribution_panels(compared.votes.emotions, people | models),
            config={"displayModeBar": False},
            theme=None,
            key=f"face-{row}",
            alt=f"Votes and predictions for {compared.votes.image_names[row]}",
        )
        bars.caption(components.plain(compare.divergences(report, position)))
