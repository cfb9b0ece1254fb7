-- A row is a model version with an audit sample: how many of its clear verdicts were drawn at random, how many of those
-- people have decided, and in how many they found damage. `miss_rate` estimates the share of all clear verdicts that
-- miss damage; `low` and `high` bound it with 95 in 100 confidence (Wilson 1927, score interval). Null until one is decided.
SELECT
    model_id,
    model,
    sampled,
    reviewed,
    missed,
    k / n AS miss_rate,
    -- 3.8414588206941254 is the square of 1.959963984540054, the normal distribution's 97.5th percentile.
    CASE
        WHEN missed > 0
        THEN (k + 1.9207294103470627 - 1.959963984540054 * SQRT(k * (n - k) / n + 0.9603647051735313))
            / (n + 3.8414588206941254)
        WHEN reviewed > 0 THEN 0.0
    END AS low,
    CASE
        WHEN missed < reviewed
        THEN (k + 1.9207294103470627 + 1.959963984540054 * SQRT(k * (n - k) / n + 0.9603647051735313))
            / (n + 3.8414588206941254)
        WHEN reviewed > 0 THEN 1.0
    END AS high
FROM (
    SELECT
        v.model_id,
        m.name AS model,
        COUNT(*) AS sampled,
        COUNT(r.id) AS reviewed,
        COUNT(*) FILTER (WHERE r.label = 'damaged') AS missed,
        CAST(COUNT(*) FILTER (WHERE r.label = 'damaged') AS double precision) AS k,
        CAST(NULLIF(COUNT(r.id), 0) AS double precision) AS n
    FROM verdict v
    JOIN model_version m ON m.id = v.model_id
    LEFT JOIN review r ON r.set_id = v.set_id AND r.seen_generation = v.generation
        AND r.label IN ('damaged', 'clear') AND NOT EXISTS (
            SELECT 1 FROM review later
            WHERE later.set_id = r.set_id AND later.seen_generation = r.seen_generation
            AND (later.created_at, later.id) > (r.created_at, r.id)
        )
    WHERE v.sampled AND v.label = 'clear'
    GROUP BY v.model_id, m.name
) counted
