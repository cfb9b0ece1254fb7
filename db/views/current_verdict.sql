-- A row is a photo set that the active model has judged as it is now: that verdict, outranked by the latest review of
-- the same content. Where people have only reviewed older content, `needs_another_look` is true, `label`
-- is the model's, and the review columns show what was said then.
SELECT
    set_id,
    bucket,
    set_key,
    fleet,
    vehicle_ref,
    return_ref,
    generation,
    returned_at,
    first_seen_at,
    last_change_at,
    label,
    decided_by,
    needs_another_look,
    verdict_id,
    model_id,
    model,
    model_label,
    score,
    sampled,
    judged_as_closed_by AS closed_by,
    reasons,
    input_sha256,
    device_seconds,
    judged_at AS created_at,
    review_id,
    review_label,
    reason_code,
    reviewer,
    reviewed_at,
    photos,
    gone_photos
FROM standing
WHERE verdict_id IS NOT NULL
