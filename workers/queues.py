"""The names of the queues: fresh returns never wait behind a scan of everything, nor behind a rescore of everything."""

from db.models import Queue

INTAKE = "intake"
CLASSIFY = Queue.CLASSIFY.value
RESCORE = Queue.RESCORE.value
QUEUES = (INTAKE, CLASSIFY, RESCORE)
