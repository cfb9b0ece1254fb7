-- A row is a fleet and a day (UTC) on which vehicles of it came back: how many returns, and where they stand now.
-- `waiting` ones are open, pending, failed or empty; `reviewed` ones were decided by a person.
SELECT
    fleet,
    {{ utc_day("returned_at") }} AS day,
    COUNT(*) AS returns,
    COUNT(*) FILTER (WHERE label = 'damaged') AS damaged,
    COUNT(*) FILTER (WHERE label = 'clear') AS clear,
    COUNT(*) FILTER (WHERE label = 'undecided') AS undecided,
    COUNT(*) FILTER (WHERE label IS NULL) AS waiting,
    COUNT(*) FILTER (WHERE decided_by = 'person') AS reviewed,
    COUNT(*) FILTER (WHERE needs_another_look) AS need_another_look
FROM standing
GROUP BY fleet, {{ utc_day("returned_at") }}
