-- A row is a return that stands damaged, set against the vehicle's baseline: the return before it, by when the vehicle
-- came back, that stands decided as damaged or clear, or stood so before photos of it vanished. `novelty` is `new` (the baseline is clear), `known` (it is
-- damaged) or `no baseline`. `returns_between` counts the returns between the two, which stand neither.
SELECT
    d.set_id,
    d.fleet,
    d.vehicle_ref,
    d.return_ref,
    d.set_key,
    d.returned_at,
    d.decided_by,
    d.decided_at,
    d.needs_another_look,
    d.score,
    CASE (SELECT e.baseline_label FROM standing e WHERE e.set_id = b.id)
        WHEN 'clear' THEN 'new'
        WHEN 'damaged' THEN 'known'
        ELSE 'no baseline'
    END AS novelty,
    b.id AS baseline_set_id,
    b.return_ref AS baseline_return_ref,
    b.returned_at AS baseline_returned_at,
    (
        SELECT COUNT(*) FROM photo_set n
        WHERE n.vehicle_id = d.vehicle_id
        AND (n.returned_at, n.id) > (b.returned_at, b.id) AND (n.returned_at, n.id) < (d.returned_at, d.set_id)
    ) AS returns_between
FROM standing d
LEFT JOIN photo_set b ON b.id = (
    SELECT e.set_id FROM standing e
    WHERE e.vehicle_id = d.vehicle_id AND e.baseline_label IN ('clear', 'damaged')
    AND (e.returned_at, e.set_id) < (d.returned_at, d.set_id)
    ORDER BY e.returned_at DESC, e.set_id DESC
    LIMIT 1
)
WHERE d.label = 'damaged'
