-- The names of views say what they answer.
CREATE VIEW object_overview AS
SELECT o.id, o.object_number, o.label, o.title_zh, o.display_date_en, o.date_begin, o.date_end,
  o.medium_en,
  (SELECT group_concat(name, ' | ') FROM (SELECT name FROM object_makers l
    WHERE l.object_id = o.id ORDER BY position)) AS makers,
  (SELECT group_concat(name, ' | ') FROM (SELECT name FROM object_categories l
    WHERE l.object_id = o.id ORDER BY position)) AS categories,
  o.image_count, o.attribution
FROM objects o WHERE o.listed;

CREATE VIEW object_decades AS
SELECT id AS object_id, date_begin - (date_begin % 10 + 10) % 10 AS decade
FROM objects WHERE listed AND date_begin IS NOT NULL;

-- Makers count, not those who are portrayed.
CREATE VIEW objects_by_women_by_decade AS
SELECT d.decade, count(DISTINCT d.object_id) AS objects
FROM object_decades d JOIN object_makers l ON l.object_id = d.object_id
JOIN constituents c ON c.id = l.agent_id AND c.gender_en = 'Female'
GROUP BY d.decade ORDER BY d.decade;

CREATE VIEW largest_objects AS
SELECT id, object_number, title_en, measured, longest_cm FROM (
  SELECT *, max(coalesce(height_cm, 0), coalesce(width_cm, 0), coalesce(depth_cm, 0),
    coalesce(diameter_cm, 0)) AS longest_cm FROM objects WHERE listed
) WHERE longest_cm > 0 ORDER BY longest_cm DESC, object_number;

CREATE VIEW uncertain_dates AS
SELECT id, object_number, display_date_en, date_edtf, date_certainty
FROM objects WHERE listed AND date_certainty <> 'exact'
ORDER BY date_certainty, object_number;

CREATE VIEW described_images_by_color AS
SELECT c.value AS color, count(DISTINCT o.id) AS objects
FROM objects o JOIN object_color_names c ON c.object_id = o.id
WHERE o.listed AND o.image_count > 0
  AND EXISTS (SELECT 1 FROM object_alt_texts t WHERE t.object_id = o.id AND t.text IS NOT NULL)
GROUP BY color ORDER BY objects DESC, color;
