"""Everything that can be asked of the survey database. Takes and returns the plain values of `records`.

Only the modules whose stores are put together here hold queries.
"""

from __future__ import annotations

from ldlva.survey.deletion import DeletionStore
from ldlva.survey.invitations import InvitationStore
from ldlva.survey.new_studies import NewStudyStore
from ldlva.survey.pack_store import PackStore
from ldlva.survey.participation import ParticipationStore
from ldlva.survey.predictions import PredictionStore
from ldlva.survey.privacy import PrivacyStore
from ldlva.survey.protocol_versions import ProtocolStore
from ldlva.survey.studies import StudyStore
from ldlva.survey.tallies import TallyStore
from ldlva.survey.volunteers import VolunteerStore


class Repository(
    NewStudyStore,
    StudyStore,
    ProtocolStore,
    ParticipationStore,
    PrivacyStore,
    DeletionStore,
    InvitationStore,
    TallyStore,
    VolunteerStore,
    PredictionStore,
    PackStore,
):
    """Studies, volunteers, votes and predictions in one database."""
