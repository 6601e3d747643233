"""Run by Alembic inside the transaction that `ldlva.survey.database` opened."""

from alembic import context

from ldlva.survey.schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
    transactional_ddl=False,
)
context.run_migrations()
