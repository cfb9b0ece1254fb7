-- A row is a current photo that was not scored: `quarantined` (the file cannot be read) or `unusable` (the picture is
-- too poor), with the reason. Companions, which belong to photos and are none, are left out.
SELECT
    p.id AS photo_id,
    s.id AS set_id,
    s.bucket,
    s.set_key,
    c.fleet,
    c.vehicle_ref,
    s.return_ref,
    p.object_key,
    p.etag,
    p.status,
    p.reason,
    p.content_sha256,
    p.size,
    p.uploaded_at,
    {{ seconds_since("p.uploaded_at") }} AS age_seconds
FROM photo p
JOIN photo_set s ON s.id = p.set_id
JOIN vehicle c ON c.id = s.vehicle_id
WHERE NOT p.superseded AND p.status IN ('quarantined', 'unusable') AND p.reason <> 'companion' AND p.gone_reason IS NULL
