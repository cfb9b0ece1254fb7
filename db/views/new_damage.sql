-- A row is a return that stands damaged while the vehicle's baseline, the last decided return before it, stands clear.
SELECT
    set_id,
    fleet,
    vehicle_ref,
    return_ref,
    set_key,
    returned_at,
    decided_by,
    decided_at,
    needs_another_look,
    score,
    baseline_set_id,
    baseline_return_ref,
    baseline_returned_at,
    returns_between
FROM damage
WHERE novelty = 'new'
