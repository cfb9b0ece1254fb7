"""The Celery application: the pipeline, its tasks, the schedule, the consumers and the command line."""
