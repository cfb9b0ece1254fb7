"""What the system knows: photos, models, verdicts. No celery and no sqlalchemy in here."""
