-- A row is a queue and a state of unfinished work in it: how many sets, and how long the oldest has waited. Work that a
-- candidate does beside the active model stands apart. Work for retired models is left out: it waits for them to return.
SELECT
    w.queue,
    m.state AS model_state,
    w.state,
    COUNT(*) AS sets,
    MIN(w.created_at) AS oldest_at,
    {{ seconds_since("MIN(w.created_at)") }} AS oldest_seconds,
    MAX(w.attempts) AS most_attempts
FROM work w
JOIN model_version m ON m.id = w.model_id
WHERE w.state IN ('pending', 'leased', 'dead') AND m.state <> 'retired'
GROUP BY w.queue, m.state, w.state
