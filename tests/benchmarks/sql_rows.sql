-- A million returns, made by set-based SQL for tests/benchmarks/sql.py. Each statement is run by itself; those that ask for
-- a range of sets are run for one range after another. Predictions are left out: no view reads them.

-- What random() would say, but the same in every run: an even spread over 0 to 1 for each number and purpose.
CREATE FUNCTION chance(number bigint, purpose int) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT (CAST(hashint8(number * 64 + purpose) AS bigint) + 2147483648) / 4294967296.0 $$;

INSERT INTO model_version (id, name, weights_sha256, preprocess_sha256, policy_sha256, policy, state, created_at)
OVERRIDING SYSTEM VALUE
SELECT n, 'model-' || n, lpad(CAST(n AS text), 64, '0'), repeat('b', 64), repeat('c', 64), '{}',
       (ARRAY['retired', 'active', 'candidate'])[n], timestamptz '2026-01-01Z' + n * interval '100 days'
FROM generate_series(1, 3) n;

-- 20 fleets of 2,500 vehicles.
INSERT INTO vehicle (id, fleet, vehicle_ref) OVERRIDING SYSTEM VALUE
SELECT n,
       CASE n % 20 WHEN 0 THEN 'harbour' WHEN 1 THEN 'airport' ELSE 'fleet-' || n % 20 END,
       CASE n % 20 WHEN 0 THEN 'HB-' WHEN 1 THEN 'AP-' ELSE 'V-' END || n / 20 + 1
FROM generate_series(0, 49999) n;

-- A year's returns, the newest on 23 November 2026 as in docs/reporting.md. The last 0.05 % are still open; one in
-- twenty changed after it was first complete; three in ten have a manifest of the size of a real one.
INSERT INTO photo_set (id, vehicle_id, bucket, set_key, return_ref, generation, state, closed_by, manifest, missing,
    first_seen_at, last_change_at, returned_at, uploaded_at, check_at)
OVERRIDING SYSTEM VALUE
SELECT n, v.id, 'fleet-photos', 'returns/' || v.fleet || '/' || v.vehicle_ref || '/' || ref || '/', ref,
       CASE WHEN chance(n, 2) < 0.05 THEN 2 ELSE 1 END,
       CASE WHEN is_open THEN 'open' ELSE 'complete' END,
       CASE WHEN is_open THEN NULL WHEN chance(n, 3) < 0.3 THEN 'manifest' WHEN chance(n, 3) < 0.5 THEN 'marker'
            WHEN chance(n, 3) < 0.98 THEN 'quiet' ELSE 'deadline' END,
       CASE WHEN chance(n, 3) < 0.3 THEN jsonb_build_object('manifest', repeat(md5(CAST(n AS text)), 20)) END,
       '[]', back + interval '6 min', back + interval '7 min', back, back + interval '5 min',
       CASE WHEN is_open THEN back + interval '1 day' END
FROM (
    SELECT n, n > :sets * 0.9995 AS is_open, CAST(chance(n, 1) * 50000 AS bigint) % 50000 AS vehicle_id,
           timestamptz '2026-11-23 18:00Z' - interval '365 days' * ((:sets - n + chance(n, 4)) / :sets) AS back
    FROM generate_series(1, CAST(:sets AS bigint)) n
) s
JOIN vehicle v ON v.id = s.vehicle_id,
LATERAL (SELECT to_char(back AT TIME ZONE 'UTC', 'YYYY-MM-DD-HH24MI') || '-' || n AS ref) named
ORDER BY n;

-- Two hex digits of each of two rows of a perceptual hash, as core.phash_bits.bands has them.
CREATE FUNCTION band(likeness text, first int) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CAST(CAST('x' || substr(likeness, first, 2) || substr(likeness, first + 4, 2) AS bit(16)) AS int) $$;

-- Ten photos each; four in a thousand are unusable, one in a thousand is quarantined. As even as its content's hash is
-- its perceptual one.
INSERT INTO photo (set_id, object_key, etag, size, uploaded_at, content_sha256, status, reason, taken_at, width, height,
    quality, likeness, likeness_0, likeness_1, likeness_2, likeness_3, absences, superseded)
SELECT s.id, s.set_key || lpad(CAST(p AS text), 2, '0') || '.jpg', md5(CAST(n AS text)), 3000000, s.uploaded_at,
       hash, status, CASE status WHEN 'ok' THEN NULL WHEN 'unusable' THEN 'blurred' ELSE 'corrupt' END,
       s.returned_at, 4000, 3000, '{"sharpness": 12.5, "brightness": 120.25}',
       hash, band(hash, 1), band(hash, 9), band(hash, 17), band(hash, 25), 0, FALSE
FROM photo_set s, generate_series(1, 10) p,
LATERAL (SELECT s.id * 10 + p AS n) numbered,
LATERAL (SELECT md5(CAST(n AS text)) || md5(CAST(-n AS text)) AS hash) hashed,
LATERAL (
    SELECT CASE WHEN chance(n, 5) < 0.004 THEN 'unusable' WHEN chance(n, 5) < 0.005 THEN 'quarantined' ELSE 'ok' END
        AS status
) kind
WHERE s.id BETWEEN :first AND :last;

-- The first model judged the older half, which the second rescored; the third shadows the newest tenth. The newest
-- 0.2 % have no verdict yet. `reasons` has the size of a real one, not its content.
INSERT INTO verdict (set_id, generation, model_id, label, score, closed_by, reasons, input_sha256, device_seconds,
    sampled, created_at)
SELECT s.id, g, m, label, score, s.closed_by, jsonb_build_object('rule', 'a rule', 'photos', hashes),
       md5(CAST(s.id AS text)) || md5(CAST(g AS text)), 0.05 + 0.1 * chance(s.id, 6),
       label = 'clear' AND chance(s.id * 4 + g, 7) < 0.01,
       s.last_change_at + interval '1 min' * (0.5 + 10 * chance(s.id, 8) * chance(s.id, 9))
           + CASE WHEN m > 1 AND s.id <= :sets / 2 THEN interval '180 days' ELSE interval '0' END
FROM photo_set s, generate_series(1, 3) m, generate_series(1, s.generation) g,
LATERAL (
    SELECT chance(s.id, 10) AS kind, chance(s.id, 11) AS place, (chance(s.id * 4 + m, 12) - 0.5) / 10 AS noise
) drawn,
LATERAL (
    SELECT LEAST(1, GREATEST(0, noise + CASE
        WHEN kind < 0.87 THEN place * 0.5 WHEN kind < 0.97 THEN 0.82 + place * 0.18 ELSE 0.5 + place * 0.3
    END)) AS score
) scored,
LATERAL (
    SELECT CASE WHEN score >= 0.8 THEN 'damaged' WHEN score < 0.53 THEN 'clear' ELSE 'undecided' END AS label
) labelled,
LATERAL (SELECT jsonb_agg(md5(CAST(s.id * 100 + i AS text))) AS hashes FROM generate_series(1, 25) i) explained
WHERE s.state = 'complete' AND s.id <= :sets * 0.998 AND s.id BETWEEN :first AND :last
AND ((m = 1 AND s.id <= :sets / 2) OR m = 2 OR (m = 3 AND s.id > :sets * 0.9));

-- People decided nearly all that was undecided or drawn, and half of what was damaged, until two days ago.
INSERT INTO review (idempotency_key, set_id, seen_verdict_id, seen_generation, label, reason_code, reviewer, created_at)
SELECT CAST(v.id AS text), v.set_id, v.id, v.generation,
       CASE WHEN chance(v.id, 13) < 0.01 THEN 'undecided'
            WHEN chance(v.id, 13) < CASE v.label WHEN 'damaged' THEN 0.85 ELSE 0.1 END THEN 'damaged'
            ELSE 'clear' END,
       'dent', 'reviewer-' || v.id % 9, v.created_at + interval '5 hours'
FROM verdict v JOIN photo_set s ON s.id = v.set_id
WHERE v.model_id = CASE WHEN v.set_id <= :sets / 2 THEN 1 ELSE 2 END AND s.returned_at < timestamptz '2026-11-21Z'
AND (v.label = 'undecided' OR v.sampled OR (v.label = 'damaged' AND chance(v.id, 14) < 0.5)) AND chance(v.id, 15) < 0.97
AND (v.generation = s.generation OR chance(v.id, 16) < 0.3);

INSERT INTO work (set_id, model_id, generation, queue, state, token, attempts, failures, not_before, last_published,
    suspicions, created_at)
SELECT s.id, m, s.generation, CASE WHEN m = 3 OR (m = 2 AND s.id <= :sets / 2) THEN 'rescore' ELSE 'classify' END,
       CASE WHEN s.id <= :sets * 0.998 THEN 'done' WHEN chance(s.id, 17) < 0.02 THEN 'dead' ELSE 'pending' END,
       1, 0, 0, s.last_change_at, s.last_change_at, 0, s.last_change_at
FROM photo_set s, generate_series(1, 3) m
WHERE s.state = 'complete' AND ((m = 1 AND s.id <= :sets / 2) OR m = 2 OR (m = 3 AND s.id > :sets * 0.9));
