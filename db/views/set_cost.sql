-- A row is a fleet, a day (UTC) on which vehicles of it came back, and a model version: what its verdicts on those
-- returns cost. Device seconds are the time that the model's device (GPU or CPU) worked for them.
SELECT
    fleet,
    day,
    model_id,
    m.name AS model,
    verdicts,
    microseconds / 1000000.0 AS device_seconds,
    microseconds / 1000000.0 / verdicts AS seconds_per_set
FROM (
    SELECT
        c.fleet,
        {{ utc_day("s.returned_at") }} AS day,
        v.model_id,
        COUNT(*) AS verdicts,
        -- Whole microseconds add up to the same sum in any order.
        CAST(SUM(CAST(ROUND(v.device_seconds * 1000000) AS bigint)) AS double precision) AS microseconds
    FROM verdict v
    JOIN photo_set s ON s.id = v.set_id
    JOIN vehicle c ON c.id = s.vehicle_id
    GROUP BY c.fleet, {{ utc_day("s.returned_at") }}, v.model_id
) added
JOIN model_version m ON m.id = model_id
