-- The names of views say what they answer. Years before the common era are negative.
CREATE VIEW object_overview AS
SELECT o.id, o.object_number, o.label, o.date_label, o.date_begin, o.date_end, o.on_display,
  (SELECT group_concat(name, ' | ') FROM (SELECT name FROM object_types l
    WHERE l.object_id = o.id ORDER BY position)) AS types,
  (SELECT group_concat(name, ' | ') FROM (SELECT name FROM object_materials l
    WHERE l.object_id = o.id ORDER BY position)) AS materials,
  (SELECT group_concat(name || ' (' || role || ')', ' | ') FROM (SELECT name, role
    FROM object_agents l WHERE l.object_id = o.id ORDER BY role, position)) AS agents,
  o.image, o.image_licence, o.attribution
FROM objects o WHERE o.listed;

CREATE VIEW object_decades AS
SELECT id AS object_id, date_begin - (date_begin % 10 + 10) % 10 AS decade,
  date_begin - (date_begin % 50 + 50) % 50 AS half_century
FROM objects WHERE listed AND date_begin IS NOT NULL;

-- A concept, and each concept below it, itself included.
CREATE VIEW narrower_concepts AS
WITH RECURSIVE below (concept_id, narrower_id) AS (
  SELECT id, id FROM concepts
  UNION SELECT below.concept_id, c.concept_id FROM below
    JOIN concept_broader c ON c.broader_id = below.narrower_id
)
SELECT concept_id, narrower_id FROM below;

CREATE VIEW objects_by_women_by_decade AS
SELECT d.decade, count(DISTINCT d.object_id) AS objects
FROM object_decades d
JOIN object_agents l ON l.object_id = d.object_id AND l.role = 'designer'
JOIN agents a ON a.id = l.agent_id AND a.gender = 'female'
GROUP BY d.decade ORDER BY d.decade;

CREATE VIEW birthplaces AS
SELECT p.id AS place_id, p.label AS place, count(DISTINCT a.id) AS agents,
  count(DISTINCT l.object_id) AS objects
FROM places p JOIN agents a ON a.birth_place_id = p.id JOIN object_agents l ON l.agent_id = a.id
GROUP BY p.id ORDER BY objects DESC, p.id;

CREATE VIEW largest_objects AS
SELECT id, object_number, label, longest_cm FROM (
  SELECT *, max(coalesce(height_cm, 0), coalesce(width_cm, 0), coalesce(depth_cm, 0),
    coalesce(diameter_cm, 0)) AS longest_cm FROM objects WHERE listed
) WHERE longest_cm > 0 ORDER BY longest_cm DESC, object_number;

CREATE VIEW uncertain_dates AS
SELECT id, object_number, date_label, date_edtf, date_certainty
FROM objects WHERE listed AND date_certainty <> 'exact'
ORDER BY date_certainty, object_number;

CREATE VIEW materials_by_half_century AS
SELECT d.half_century, c.id AS material_id, c.label_nl, c.label_en,
  (SELECT group_concat(s.value, ' | ') FROM (SELECT value FROM concept_same_as
    WHERE concept_id = c.id AND value LIKE 'http://vocab.getty.edu/aat/%'
    ORDER BY position) s) AS aat,
  count(DISTINCT d.object_id) AS objects
FROM object_decades d JOIN object_materials l ON l.object_id = d.object_id
JOIN concepts c ON c.id = l.material_id AND c.listed
GROUP BY d.half_century, c.id ORDER BY d.half_century, objects DESC, c.label_nl;

CREATE VIEW exhibition_sizes AS
SELECT e.id, e.label, e.date_begin, count(DISTINCT l.object_id) AS objects
FROM exhibitions e JOIN object_exhibitions l ON l.exhibition_id = e.id
WHERE e.listed
GROUP BY e.id ORDER BY objects DESC, e.id;

CREATE VIEW acquisitions_by_year AS
SELECT CAST(substr(acquired, 1, 4) AS INTEGER) AS year, acquisition, count(*) AS objects
FROM objects WHERE listed AND acquired GLOB '[0-9][0-9][0-9][0-9]*'
GROUP BY year, acquisition ORDER BY year, acquisition;

-- Links to other vocabularies, of objects' own types, materials and techniques too.
CREATE VIEW authority_links AS
SELECT kind, id, uri, CASE
    WHEN uri LIKE '%wikidata.org%' THEN 'Wikidata'
    WHEN uri LIKE '%/ulan/%' THEN 'ULAN'
    WHEN uri LIKE '%/aat/%' THEN 'AAT'
    WHEN uri LIKE '%/tgn/%' THEN 'TGN'
  END AS vocabulary
FROM (
  SELECT 'object' AS kind, object_id AS id, value AS uri FROM object_same_as
  UNION ALL SELECT 'object', object_id, same_as FROM object_types
  UNION ALL SELECT 'object', object_id, same_as FROM object_materials
  UNION ALL SELECT 'object', object_id, same_as FROM object_techniques
  UNION ALL SELECT 'agent', agent_id, value FROM agent_same_as
  UNION ALL SELECT 'concept', concept_id, value FROM concept_same_as
)
WHERE vocabulary IS NOT NULL;
