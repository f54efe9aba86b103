-- Makes synthetic heart-failure data of one controller, for tools/pilot and the tests (psql script).
-- Variables: side = hospital or insurer; records = rows; attributes = columns on this side (1..100).
-- Makes: hospital: table patients(bsn, ...), insurer: table insured(bsn, ..., hospital_days).
-- Both sides draw the same persons from the same fixed seed, each on its own server:
--   hospital = persons 1..records, insurer = persons records/10+1 .. records/10+records: 90 % are in both.
--   Each side has them in its own random order; 3 % of the records of a side have one missing value.
-- No real person is described; the numbers follow the shape of published heart-failure cohorts (elderly, skewed
-- laboratory values, many admissions in a few persons), in their usual units.
\set ON_ERROR_STOP on
\set QUIET on

-- Uniform in (0, 1) and standard normal numbers, each a fixed function of person and purpose.
CREATE FUNCTION pg_temp.u(person bigint, purpose bigint) RETURNS float8 LANGUAGE sql IMMUTABLE AS
  $$ SELECT ((hashint8extended(person, 20121 + purpose) & 4503599627370495) + 0.5) / 4503599627370496 $$;
CREATE FUNCTION pg_temp.z(person bigint, purpose bigint) RETURNS float8 LANGUAGE sql IMMUTABLE AS
  $$ SELECT sqrt(-2 * ln(pg_temp.u(person, 1000 + purpose))) * cos(2 * pi() * pg_temp.u(person, 2000 + purpose)) $$;
-- A number of events with the given mean and a heavy tail, as in claims.
CREATE FUNCTION pg_temp.events(person bigint, purpose bigint, mean float8) RETURNS int LANGUAGE sql IMMUTABLE AS
  $$ SELECT floor(mean * exp(0.6 * pg_temp.z(person, purpose) - 0.18) + pg_temp.u(person, 3000 + purpose))::int $$;

-- All data of a person at either side. Many columns depend on severity and burden, so columns of both sides are
-- correlated, as in real records.
CREATE TEMP VIEW drawn AS
SELECT p, 100000000 + (p * 75643211) % 899999963 AS bsn,
       pg_temp.z(p, 1) AS severity, pg_temp.z(p, 2) AS burden,
       least(99, greatest(32, round(74 + 11 * pg_temp.z(p, 3))))::int AS age,
       pg_temp.u(p, 4) < 0.45 AS female,
       pg_temp.u(p, 5) < 0.22 AS smoker
FROM generate_series(CASE WHEN :'side' = 'hospital' THEN 1 ELSE :records::bigint / 10 + 1 END,
                     CASE WHEN :'side' = 'hospital' THEN :records ELSE :records::bigint / 10 + :records END) AS p;

CREATE TEMP VIEW measured AS
SELECT d.*,
  -- the hospital's columns
  round(133 - 6 * severity + 18 * pg_temp.z(p, 11))::int AS systolic,
  round(76 - 2 * severity + 10 * pg_temp.z(p, 12))::int AS diastolic,
  round((2.8 + 0.9 * pg_temp.z(p, 13))::numeric, 2) AS ldl,
  round((27.5 + 4.8 * pg_temp.z(p, 14))::numeric, 1) AS bmi,
  round(least(75, greatest(10, 41 - 8 * severity + 7 * pg_temp.z(p, 15))))::int AS ejection_fraction,
  round(exp(7.3 + 0.55 * severity + 0.7 * pg_temp.z(p, 16)))::int AS nt_probnp,
  round(exp(4.6 + 0.15 * burden + 0.25 * pg_temp.z(p, 17)))::int AS creatinine,
  round((138.5 - 0.9 * severity + 2.9 * pg_temp.z(p, 18))::numeric, 1) AS sodium,
  round((8.1 - 0.35 * burden + 0.9 * pg_temp.z(p, 19))::numeric, 2) AS haemoglobin,
  round(78 + 5 * severity + 13 * pg_temp.z(p, 20))::int AS heart_rate,
  pg_temp.u(p, 21) < 0.30 + 0.05 * burden AS diabetes,
  pg_temp.u(p, 22) < 0.21 + 0.04 * burden AS copd,
  -- the insurer's columns
  pg_temp.events(p, 31, 14 * exp(0.3 * burden)) AS claims,
  pg_temp.events(p, 32, 7 * exp(0.2 * burden)) AS gp_visits,
  pg_temp.events(p, 33, 3.5 * exp(0.2 * severity)) AS outpatient_visits,
  pg_temp.events(p, 34, 6.5 * exp(0.15 * burden)) AS drugs,
  pg_temp.events(p, 35, 0.9 * exp(0.4 * severity)) AS emergency_visits,
  pg_temp.events(p, 36, 0.8 * exp(0.5 * severity)) AS admissions_before,
  round((pg_temp.events(p, 37, 5200 * exp(0.4 * burden)))::numeric, 2) AS cost_last_year,
  round(exp(3.4 + 0.5 * pg_temp.z(p, 38)))::int AS km_to_hospital,
  pg_temp.u(p, 39) < 0.34 AS lives_alone,
  pg_temp.u(p, 40) < 0.18 + 0.03 * burden AS home_care,
  pg_temp.u(p, 41) < 0.27 AS supplementary_cover,
  round((60 * pg_temp.u(p, 42))::numeric, 1) AS diuretic_dose,
  pg_temp.u(p, 43) < 0.71 AS beta_blocker,
  round((-0.1 + 1.0 * pg_temp.z(p, 44))::numeric, 2) AS area_income_score,
  pg_temp.events(p, 45, 2.2) AS laboratory_orders
FROM drawn d;

CREATE TEMP VIEW known AS
SELECT m.*,
  round(greatest(0, 6.5 + 0.07 * (age - 74) - 0.10 * (ejection_fraction - 41) + 1.9 * (ln(nt_probnp) - 7.3)
    + 0.012 * (creatinine - 103) - 0.25 * (sodium - 138.5) - 0.8 * (haemoglobin - 8.1)::float8 + 1.4 * copd::int
    + 0.9 * diabetes::int + 1.6 * admissions_before + 0.7 * emergency_visits + 0.05 * claims + 0.9 * lives_alone::int
    + 0.0002 * cost_last_year::float8 - 0.7 * beta_blocker::int + 3.2 * pg_temp.z(p, 50)))::int AS hospital_days
FROM measured m;

-- The columns of this side, in order; more than 15 are filled up with laboratory values or further claim counts.
CREATE TEMP VIEW chosen AS
SELECT position, name, coalesce(expression, name) AS expression
FROM (
  SELECT ordinality AS position, name, NULL AS expression
  FROM unnest(CASE WHEN :'side' = 'hospital'
    THEN '{age,systolic,diastolic,ldl,bmi,ejection_fraction,nt_probnp,creatinine,sodium,haemoglobin,heart_rate,female,diabetes,copd,smoker}'
    ELSE '{claims,gp_visits,outpatient_visits,drugs,emergency_visits,admissions_before,cost_last_year,km_to_hospital,lives_alone,home_care,supplementary_cover,diuretic_dose,beta_blocker,area_income_score,laboratory_orders}'
    END::text[]) WITH ORDINALITY AS named(name, ordinality)
  UNION ALL
  SELECT n, CASE WHEN :'side' = 'hospital' THEN 'lab_' ELSE 'claim_group_' END || n,
         CASE WHEN :'side' = 'hospital'
           THEN format('round((%s + %s * (pg_temp.z(p, %s) + 0.3 * severity))::numeric, 3)', n, 1 + n / 10.0, 100 + n)
           ELSE format('pg_temp.events(p, %s, %s * exp(0.2 * burden))', 300 + n, 1 + n / 7) END
  FROM generate_series(16, 100) AS n) AS every
WHERE position <= :attributes;

-- hole = the column that is missing in this record (0: none).
SELECT format(
  'CREATE TABLE %I AS SELECT bsn, %s%s FROM (SELECT *, CASE WHEN pg_temp.u(p, %s) < 0.03 '
  'THEN 1 + floor(pg_temp.u(p, %s) * %s)::int ELSE 0 END AS hole FROM known) AS k ORDER BY pg_temp.u(p, %s)',
  CASE WHEN :'side' = 'hospital' THEN 'patients' ELSE 'insured' END,
  string_agg(format('CASE WHEN hole = %s THEN NULL ELSE %s END AS %I', position, expression, name), ', '
             ORDER BY position),
  CASE WHEN :'side' = 'hospital' THEN '' ELSE ', hospital_days' END,
  CASE WHEN :'side' = 'hospital' THEN 60 ELSE 61 END, CASE WHEN :'side' = 'hospital' THEN 62 ELSE 63 END,
  :attributes, CASE WHEN :'side' = 'hospital' THEN 64 ELSE 65 END)
FROM chosen \gexec

DROP VIEW known, measured, drawn, chosen;
