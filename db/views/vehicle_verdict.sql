-- A row is a vehicle, and where it stands by the latest of its returns that is decided. `later_returns` counts those
-- that came after it and are not decided yet.
SELECT
    c.id AS vehicle_id,
    c.fleet,
    c.vehicle_ref,
    d.label,
    d.decided_by,
    d.decided_at,
    d.needs_another_look,
    d.score,
    d.set_id,
    d.return_ref,
    d.returned_at,
    (
        SELECT COUNT(*) FROM photo_set later
        WHERE later.vehicle_id = c.id AND (later.returned_at, later.id) > (d.returned_at, d.set_id)
    ) AS later_returns
FROM vehicle c
JOIN standing d ON d.set_id = (
    SELECT latest.set_id FROM standing latest
    WHERE latest.vehicle_id = c.id AND latest.label IS NOT NULL
    ORDER BY latest.returned_at DESC, latest.set_id DESC
    LIMIT 1
)
