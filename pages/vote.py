"""Vote: consent, then one face after the other, then thanks. `?study=` is the invitation, `?v=` the resume link."""

from ldlva.ui import session, volunteer

with session.page("Vote", menu=False):
    volunteer.draw()
