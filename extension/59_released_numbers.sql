-- Formats released numbers, and computes tail probabilities of statistics that follow from them.
--
-- Terms
-- The grid of a number is what it was rounded to under MPC before its release, a power of two. With statistical or
-- coarse precision it is about an eighth or a half of the standard error, with exact precision 28 fractional bits.
--
-- Invariants
-- A number is shown with two decimal places more than its grid needs, so the shown number differs from the released one
-- by at most 1/200 of the grid. At most nine significant digits are shown, which is more than the accuracy of an exact
-- model. Tables and mpc.predict keep the released number itself.

CREATE FUNCTION mpc_internal.released_digits(value float8, grid float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN $1 = 0 OR $1 IN ('NaN', 'Infinity', '-Infinity') THEN $1
         ELSE round($1::numeric, least(8 - floor(log(abs($1))),
                                       CASE WHEN $2 > 0 THEN greatest(ceil(-log($2)) + 2, 0) END)::integer)::float8 END
$$;
COMMENT ON FUNCTION mpc_internal.released_digits(float8, float8) IS
'a released number with two decimal places more than its grid needs, and at most nine significant digits; without a grid, for models of 0.1, these nine';

CREATE FUNCTION mpc_internal.chi_square_tail(x float8, degrees float8) RETURNS float8
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pg_mpc_chi_square_tail';
COMMENT ON FUNCTION mpc_internal.chi_square_tail(float8, float8) IS 'upper tail of the chi-square distribution';

CREATE FUNCTION mpc_internal.student_two_sided(t float8, degrees float8) RETURNS float8
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pg_mpc_student_two_sided';
COMMENT ON FUNCTION mpc_internal.student_two_sided(float8, float8) IS 'both tails of Student''s t distribution';
