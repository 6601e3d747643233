"""The web layer; with the page scripts, the only place that imports Streamlit."""
