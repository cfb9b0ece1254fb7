-- A row is a fleet and a model version whose verdicts there (damaged or clear) people have reviewed and decided: how
-- often they said the opposite. The latest review of a verdict counts. People look mostly at what is doubtful, so this
-- is no error rate of the model; for that see miss_rate.
SELECT
    c.fleet,
    v.model_id,
    m.name AS model,
    COUNT(*) AS reviewed,
    COUNT(*) FILTER (WHERE r.label <> v.label) AS overridden,
    CAST(COUNT(*) FILTER (WHERE r.label <> v.label) AS double precision) / COUNT(*) AS override_rate,
    COUNT(*) FILTER (WHERE v.label = 'damaged' AND r.label = 'clear') AS false_alarms,
    COUNT(*) FILTER (WHERE v.label = 'clear' AND r.label = 'damaged') AS misses
FROM review r
JOIN verdict v ON v.id = r.seen_verdict_id AND v.set_id = r.set_id AND v.generation = r.seen_generation
JOIN model_version m ON m.id = v.model_id
JOIN photo_set s ON s.id = v.set_id
JOIN vehicle c ON c.id = s.vehicle_id
WHERE v.label IN ('damaged', 'clear') AND r.label IN ('damaged', 'clear') AND NOT EXISTS (
    SELECT 1 FROM review later
    WHERE later.seen_verdict_id = r.seen_verdict_id AND (later.created_at, later.id) > (r.created_at, r.id)
)
GROUP BY c.fleet, v.model_id, m.name
