-- A row is one content (generation) of a return that two model versions have judged: what each said. Each pair comes
-- twice, once from either side.
SELECT
    a.set_id,
    c.fleet,
    c.vehicle_ref,
    s.return_ref,
    a.generation,
    s.returned_at,
    a.model_id,
    m.name AS model,
    a.label,
    a.score,
    b.model_id AS other_model_id,
    n.name AS other_model,
    b.label AS other_label,
    b.score AS other_score,
    a.label = b.label AS agree
FROM verdict a
JOIN verdict b ON b.set_id = a.set_id AND b.generation = a.generation AND b.model_id <> a.model_id
JOIN photo_set s ON s.id = a.set_id
JOIN vehicle c ON c.id = s.vehicle_id
JOIN model_version m ON m.id = a.model_id
JOIN model_version n ON n.id = b.model_id
