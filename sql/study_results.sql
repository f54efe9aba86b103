-- Released models: mpc.coefficients, fit, models, predict. Uses the study of study_state.
\set SHOW_CONTEXT never
\pset null '(null)'
SELECT * FROM mpc.coefficients('heart');
SELECT * FROM mpc.fit('heart');
SELECT study, version, lambda, n, attribute, party, coefficient, intercept, nonzero, r_squared, adjusted_r_squared FROM mpc.models;
\pset format unaligned
\pset tuples_only on
-- 1.5 + 0.25 * 40 + 2 * 1 + 0 * 3 - 0.5 * 10
SELECT mpc.predict('heart', '{"regress.age": 40, "smoker": true, "claims": 3, "zilveren_kruis.age": 10}');
SELECT mpc.predict('heart', '{"regress.age": 40, "regress.smoker": 1, "zilveren_kruis.claims": 3, "zilveren_kruis.age": 10}', 0.1);
SELECT mpc.predict('heart', NULL);
SELECT fails($$SELECT mpc.predict('heart', '{"age": 40, "smoker": true}')$$);
SELECT fails($$SELECT mpc.predict('heart', '{"regress.age": null, "smoker": true, "claims": 3, "zilveren_kruis.age": 10}')$$);
SELECT fails($$SELECT mpc.predict('heart', '{"regress.age": 40, "smoker": true, "claims": 3, "zilveren_kruis.age": 10, "weight": 70}')$$);
SELECT fails($$SELECT mpc.predict('heart', '{"regress.age": "40", "smoker": true, "claims": 3, "zilveren_kruis.age": 10}')$$);
SELECT fails($$SELECT mpc.predict('heart', '[1]')$$);
SELECT fails($$SELECT mpc.predict('heart', '{}', 0.7)$$);
SELECT fails($$SELECT mpc.predict('nothing', '{}')$$);
SELECT fails($$SELECT * FROM mpc.fit('lungs')$$);
SELECT fails($$SELECT * FROM mpc.transcript('lungs')$$);
-- shown with two places more than the grid needs, predicted with the number itself: 0.3330078125 = 341 / 1024
SELECT mpc_internal.store_result('rounded', 1, as_relations('{"coefficients": [
  {"lambda": 1, "attribute": "(intercept)", "party": "", "coefficient": 48, "selected": true, "grid": 16},
  {"lambda": 1, "attribute": "age", "party": "regress", "coefficient": 0.3330078125, "selected": true, "grid": 0.0009765625},
  {"lambda": 1, "attribute": "bmi", "party": "regress", "coefficient": 0.12345679104328156, "selected": true, "grid": 3.725290298461914e-09},
  {"lambda": 1, "attribute": "ldl", "party": "regress", "coefficient": 0.123456789123456, "selected": true},
  {"lambda": 1, "attribute": "sex", "party": "regress", "coefficient": 0, "selected": false, "grid": 0.25}],
  "fits": [{"lambda": 1, "n": 150, "parameters": 5, "nonzero": 3, "iterations": 5, "converged": true, "r_squared": 0.7109375, "adjusted_r_squared": 0.70286458333, "rounds": 9, "bytes_sent": 9, "r_squared_grid": 0.0078125}]}'));
INSERT INTO mpc_internal.studies SELECT (s).* FROM (SELECT jsonb_populate_record(NULL::mpc_internal.studies, to_jsonb(o) || '{"study": "rounded", "version": 1}') AS s
  FROM mpc_internal.studies AS o WHERE o.study = 'heart' ORDER BY o.version DESC LIMIT 1) AS r;
SELECT attribute, coefficient, version FROM mpc.coefficients('rounded');
SELECT r_squared, adjusted_r_squared, version FROM mpc.fit('rounded');
SELECT coefficient, intercept, r_squared FROM mpc.models WHERE study = 'rounded';
SELECT mpc.predict('rounded', '{"age": 1, "bmi": 0, "ldl": 0, "sex": 0}');
SELECT mpc_internal.released_digits(v, 0.5) FROM (VALUES ('NaN'::float8), ('-Infinity'), (NULL)) AS n (v);
DELETE FROM mpc_internal.results WHERE study = 'rounded';
DELETE FROM mpc_internal.relations WHERE study = 'rounded';
DELETE FROM mpc_internal.studies WHERE study = 'rounded';
-- several lambdas: one must be given
SELECT mpc_internal.store_result('path', 1, as_relations('{"coefficients": [
  {"lambda": 1, "attribute": "(intercept)", "party": "", "coefficient": 1, "selected": true},
  {"lambda": 1, "attribute": "age", "party": "regress", "coefficient": 0, "selected": false},
  {"lambda": 0.5, "attribute": "(intercept)", "party": "", "coefficient": 2, "selected": true},
  {"lambda": 0.5, "attribute": "age", "party": "regress", "coefficient": 0.5, "selected": true}],
  "fits": [{"lambda": 1, "n": 150, "parameters": 2, "nonzero": 1, "iterations": 5, "converged": true, "r_squared": 0, "adjusted_r_squared": 0, "rounds": 9, "bytes_sent": 9},
           {"lambda": 0.5, "n": 150, "parameters": 2, "nonzero": 2, "iterations": 5, "converged": true, "r_squared": 0.1, "adjusted_r_squared": 0.1, "rounds": 9, "bytes_sent": 9}],
  "traffic": [{"phase": "input", "rounds": 2, "elements": 40, "bytes_sent": 640}, {"phase": "solver", "rounds": 7, "elements": 10, "bytes_sent": 4160}]}'));
SELECT * FROM mpc.transcript('path');
SELECT fails($$SELECT mpc.predict('path', '{"age": 3}')$$);
SELECT mpc.predict('path', '{"age": 3}', lambda => 1), mpc.predict('path', '{"age": 3}', lambda => 0.5);
SELECT lambda, attribute, coefficient, intercept FROM mpc.models WHERE study = 'path' ORDER BY lambda;
DELETE FROM mpc_internal.results WHERE study = 'path';
DELETE FROM mpc_internal.relations WHERE study = 'path';
DELETE FROM mpc_internal.traffic WHERE study = 'path';
