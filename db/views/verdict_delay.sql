-- A row is a fleet and a day (UTC) on which vehicles of it came back: how long its returns had to wait, from the upload
-- of their newest photo to the first verdict on them. Half of them waited at most `p50_seconds`, 95 in 100 at most
-- `p95_seconds` (nearest rank).
SELECT
    fleet,
    day,
    MAX(total) AS returns,
    MIN(seconds) FILTER (WHERE place * 2 >= total) AS p50_seconds,
    MIN(seconds) FILTER (WHERE place * 20 >= total * 19) AS p95_seconds,
    MAX(seconds) AS longest_seconds
FROM (
    SELECT
        fleet,
        day,
        seconds,
        ROW_NUMBER() OVER (PARTITION BY fleet, day ORDER BY seconds) AS place,
        COUNT(*) OVER (PARTITION BY fleet, day) AS total
    FROM (
        SELECT c.fleet, {{ utc_day("s.returned_at") }} AS day, {{ seconds_between("s.uploaded_at", "v.created_at") }} AS seconds
        FROM photo_set s
        JOIN vehicle c ON c.id = s.vehicle_id
        JOIN verdict v ON v.set_id = s.id AND v.generation = s.generation
        WHERE NOT EXISTS (
            SELECT 1 FROM verdict earlier
            WHERE earlier.set_id = v.set_id AND earlier.generation = v.generation
            AND (earlier.created_at, earlier.id) < (v.created_at, v.id)
        )
    ) waited
) ranked
GROUP BY fleet, day
