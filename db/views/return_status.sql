-- A row is a return (photo set), whatever its state. `status` is `damaged`, `clear` or `undecided` where it stands
-- decided, else `empty` (it never had a photo), `open` (more photos are awaited), `failed` (given up; see `last_error`) or
-- `pending`. `closed_by` is the rule that said that all photos are there. `age_seconds` counts from the last change of
-- its photos. `gone_photos` are no longer in the store and count on.
SELECT
    set_id,
    bucket,
    set_key,
    fleet,
    vehicle_ref,
    return_ref,
    generation,
    returned_at,
    status,
    decided_by,
    decided_at,
    needs_another_look,
    score,
    closed_by,
    note,
    first_seen_at,
    last_change_at,
    {{ seconds_since("last_change_at") }} AS age_seconds,
    check_at,
    attempts,
    failures,
    last_error,
    photos,
    gone_photos,
    refused_photos
FROM standing
