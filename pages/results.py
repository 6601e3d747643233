"""Results: what people saw, per face and over all faces."""

import streamlit as st

from ldlva import figures
from ldlva.ui import components, results, session

with session.page("Results", layout="wide", researchers_only=True):
    st.title("Results")
    study = session.choose_study()
    votes = session.votes(study)
    st.html(components.stats(results.key_figures(study, votes)))
    if study.votes == 0:
        st.info(
            f"No votes yet. Share the study's link: it ends in {results.link(study)}", icon=":material/how_to_vote:"
        )
        st.stop()
    if study.imported_raters:
        st.html(f'<p class="muted">{results.import_note(study)}</p>')

    st.header("All faces together")
    if votes.counts.any():
        st.plotly_chart(
            figures.overall_distribution(votes.emotions, votes.counts.sum(axis=0).tolist()),
            config={"displayModeBar": False},
            theme=None,
            key="overall",
            alt="Votes per emotion over all faces",
        )
    if votes.none_counts.any():
        st.caption(results.outside(study, votes))
    results.draw_agreement(study)
    st.header("Face by face")
    order = st.segmented_control(
        "Sort by", list(results.ORDERS), default=next(iter(results.ORDERS)), required=True, key="order"
    )
    rows = results.ORDERS[order](votes)
    outside = results.outside_title(study) if votes.none_counts.any() else None
    st.html(components.legend(votes.emotions, outside))
    shown = session.paged(rows, 24, study.name, order)
    st.html(components.gallery(results.card(study, votes, row) for row in shown))
