-- A row is a return that a person should look at. `why` is `another look` (its photos changed after it was reviewed),
-- `undecided` (the model could not say), `second opinion` (a person could not say) or `audit sample` (drawn at random
-- from the clear ones, to find out how many of them are not). To be worked by `uncertainty` (1: the model cannot tell,
-- 0: it is sure), highest first, then by `returned_at`, oldest first.
SELECT
    d.set_id,
    d.fleet,
    d.vehicle_ref,
    d.return_ref,
    d.set_key,
    d.generation,
    CASE
        WHEN d.needs_another_look THEN 'another look'
        WHEN d.label = 'undecided' AND d.decided_by = 'person' THEN 'second opinion'
        WHEN d.label = 'undecided' THEN 'undecided'
        ELSE 'audit sample'
    END AS why,
    COALESCE(1 - ABS(2 * d.score - 1), 1) AS uncertainty,
    d.score,
    d.label,
    d.verdict_id,
    d.review_id,
    d.review_label,
    d.reviewer,
    d.returned_at,
    {{ seconds_since("d.returned_at") }} AS age_seconds
FROM (
    -- Every set that may qualify, found by small indexes; the condition below says which do.
    SELECT v.set_id FROM verdict v
    WHERE v.model_id = (SELECT id FROM model_version WHERE state = 'active')
    AND (v.label = 'undecided' OR v.sampled) AND NOT EXISTS (
        SELECT 1 FROM review r WHERE r.set_id = v.set_id AND r.seen_generation = v.generation
    )
    UNION
    SELECT s.id FROM photo_set s JOIN review r ON r.set_id = s.id AND r.seen_generation < s.content_generation
    WHERE s.generation > 1
    UNION
    SELECT r.set_id FROM review r WHERE r.label = 'undecided'
) candidate
JOIN standing d ON d.set_id = candidate.set_id
WHERE d.label IS NOT NULL
AND (d.needs_another_look OR d.label = 'undecided' OR (d.sampled AND d.decided_by = 'model'))
