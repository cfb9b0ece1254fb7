-- A row is a photo set, whatever its state, with all that the other views tell of it. `label` is its effective
-- decision: the latest review where that saw the current content (since when photos may have gone, but none was added
-- or replaced), else the active model's verdict on that content, else null. A latest review of older content means
-- `needs_another_look`; the review columns show it. `photos` are in the store, `gone_photos` no longer: they count on.
-- `baseline_label` is the label that later returns are compared with: where photos vanished, what it was with them.
-- `status` is the label where there is one, else `empty` (it never had a photo), `open` (more photos are awaited), `failed`
-- (given up; see `last_error`) or `pending`.
SELECT
    s.id AS set_id,
    s.bucket,
    s.set_key,
    c.fleet,
    c.vehicle_ref,
    s.return_ref,
    s.vehicle_id,
    s.generation,
    s.returned_at,
    s.uploaded_at,
    s.first_seen_at,
    s.last_change_at,
    s.check_at,
    s.closed_by,
    s.note,
    CASE WHEN r.seen_generation >= s.content_generation THEN r.label ELSE v.label END AS label,
    CASE
        WHEN r.seen_generation >= s.content_generation THEN r.label
        WHEN v.id IS NOT NULL THEN v.label
        WHEN NOT EXISTS (SELECT 1 FROM photo p WHERE p.set_id = s.id AND NOT p.superseded) THEN 'empty'
        WHEN s.state = 'open' THEN 'open'
        WHEN w.state = 'dead' THEN 'failed'
        ELSE 'pending'
    END AS status,
    CASE
        WHEN r.seen_generation >= s.content_generation THEN 'person'
        WHEN v.id IS NOT NULL THEN 'model'
    END AS decided_by,
    CASE WHEN r.seen_generation >= s.content_generation THEN r.created_at ELSE v.created_at END AS decided_at,
    COALESCE(r.seen_generation < s.content_generation, FALSE) AS needs_another_look,
    v.id AS verdict_id,
    v.model_id,
    m.name AS model,
    v.label AS model_label,
    v.score,
    CASE
        WHEN r.seen_generation >= s.content_generation THEN r.label
        WHEN v.label = 'undecided' AND v.reasons ->> 'rule' = '{{ clear_but_for_loss }}' THEN 'clear'
        ELSE v.label
    END AS baseline_label,
    v.sampled,
    v.closed_by AS judged_as_closed_by,
    v.reasons,
    v.input_sha256,
    v.device_seconds,
    v.created_at AS judged_at,
    r.id AS review_id,
    r.label AS review_label,
    r.reason_code,
    r.reviewer,
    r.created_at AS reviewed_at,
    w.attempts,
    w.failures,
    w.last_error,
    (
        SELECT COUNT(*) FROM photo p
        WHERE p.set_id = s.id AND NOT p.superseded AND p.gone_reason IS NULL AND COALESCE(p.reason, '') <> 'companion'
    ) AS photos,
    (
        SELECT COUNT(*) FROM photo p
        WHERE p.set_id = s.id AND NOT p.superseded AND p.gone_reason IS NOT NULL
        AND COALESCE(p.reason, '') <> 'companion'
    ) AS gone_photos,
    (
        SELECT COUNT(*) FROM photo p
        WHERE p.set_id = s.id AND NOT p.superseded AND p.status IN ('quarantined', 'unusable')
        AND p.reason <> 'companion' AND p.gone_reason IS NULL
    ) AS refused_photos
FROM photo_set s
JOIN vehicle c ON c.id = s.vehicle_id
LEFT JOIN model_version m ON m.state = 'active'
LEFT JOIN verdict v ON v.set_id = s.id AND v.generation = s.generation AND v.model_id = m.id
LEFT JOIN work w ON w.set_id = s.id AND w.generation = s.generation AND w.model_id = m.id
    AND w.state IN ('pending', 'leased', 'dead')
LEFT JOIN review r ON r.set_id = s.id AND NOT EXISTS (
    SELECT 1 FROM review later
    WHERE later.set_id = r.set_id
    AND (later.seen_generation, later.created_at, later.id) > (r.seen_generation, r.created_at, r.id)
)
