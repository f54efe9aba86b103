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
-- several lambdas: one has to be named
SELECT mpc_internal.store_result('path', 1, '{"coefficients": [
  {"lambda": 1, "attribute": "(intercept)", "party": "", "coefficient": 1, "selected": true},
  {"lambda": 1, "attribute": "age", "party": "regress", "coefficient": 0, "selected": false},
  {"lambda": 0.5, "attribute": "(intercept)", "party": "", "coefficient": 2, "selected": true},
  {"lambda": 0.5, "attribute": "age", "party": "regress", "coefficient": 0.5, "selected": true}],
  "fits": [{"lambda": 1, "n": 150, "parameters": 2, "nonzero": 1, "iterations": 5, "converged": true, "r_squared": 0, "adjusted_r_squared": 0, "rounds": 9, "bytes_sent": 9},
           {"lambda": 0.5, "n": 150, "parameters": 2, "nonzero": 2, "iterations": 5, "converged": true, "r_squared": 0.1, "adjusted_r_squared": 0.1, "rounds": 9, "bytes_sent": 9}],
  "traffic": [{"phase": "input", "rounds": 2, "elements": 40, "bytes_sent": 640}, {"phase": "solver", "rounds": 7, "elements": 10, "bytes_sent": 4160}]}');
SELECT * FROM mpc.transcript('path');
SELECT fails($$SELECT mpc.predict('path', '{"age": 3}')$$);
SELECT mpc.predict('path', '{"age": 3}', lambda => 1), mpc.predict('path', '{"age": 3}', lambda => 0.5);
SELECT lambda, attribute, coefficient, intercept FROM mpc.models WHERE study = 'path' ORDER BY lambda;
DELETE FROM mpc_internal.fits WHERE study = 'path';
DELETE FROM mpc_internal.coefficients WHERE study = 'path';
DELETE FROM mpc_internal.traffic WHERE study = 'path';
