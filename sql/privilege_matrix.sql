-- Privileges: a row for every function, procedure, view and type of schema mpc; x = granted. The expected output of this
-- test is the source of docs/privileges.md (tools/lib/sql_reference.py): an object without a row fails.
\pset format unaligned
\pset tuples_only on
CREATE ROLE regress_nobody;
WITH roles (place, name) AS (VALUES (1, 'mpc_admin'), (2, 'mpc_study'), (3, 'mpc_reader'), (4, 'regress_nobody')),
     objects (kind, name, allowed) AS (
  SELECT CASE p.prokind WHEN 'a' THEN 'aggregate' WHEN 'p' THEN 'procedure' ELSE 'function' END,
         format('%s(%s)', p.proname, (SELECT string_agg(format_type(t, NULL), ', ' ORDER BY o) FROM unnest(p.proargtypes) WITH ORDINALITY AS u (t, o))),
         (SELECT string_agg(CASE WHEN has_function_privilege(r.name, p.oid, 'EXECUTE') THEN 'x' ELSE '-' END, ' | ' ORDER BY place) FROM roles AS r)
    FROM pg_proc AS p WHERE p.pronamespace = 'mpc'::regnamespace
  UNION ALL
  SELECT 'view', c.relname,
         (SELECT string_agg(CASE WHEN has_table_privilege(r.name, c.oid, 'SELECT') THEN 'x' ELSE '-' END, ' | ' ORDER BY place) FROM roles AS r)
    FROM pg_class AS c WHERE c.relnamespace = 'mpc'::regnamespace AND c.relkind <> 'c'
  UNION ALL
  SELECT 'type', t.typname,
         (SELECT string_agg(CASE WHEN has_type_privilege(r.name, t.oid, 'USAGE') THEN 'x' ELSE '-' END, ' | ' ORDER BY place) FROM roles AS r)
    FROM pg_type AS t WHERE t.typnamespace = 'mpc'::regnamespace AND t.typtype = 'b' AND t.typcategory <> 'A')
SELECT format('%s | %s | %s', kind, name, allowed) FROM objects ORDER BY kind COLLATE "C", name COLLATE "C";

-- These roles cannot write in schema mpc or read tables of mpc_internal.
SELECT c.oid::regclass, r.rolname, p.privilege
  FROM pg_class AS c, pg_roles AS r, unnest('{INSERT,UPDATE,DELETE,TRUNCATE,TRIGGER,REFERENCES,SELECT}'::text[]) AS p (privilege)
 WHERE c.relnamespace IN ('mpc'::regnamespace, 'mpc_internal'::regnamespace) AND c.relkind IN ('r', 'v', 'p')
   AND r.rolname IN ('mpc_admin', 'mpc_study', 'mpc_reader', 'regress_nobody') AND has_table_privilege(r.rolname, c.oid, p.privilege)
   AND NOT (c.relnamespace = 'mpc'::regnamespace AND p.privilege = 'SELECT');
-- Functions of mpc_internal that run with the privileges of the caller and read catalogs and its source.
SELECT r.rolname, p.proname FROM pg_proc AS p, pg_roles AS r
 WHERE p.pronamespace = 'mpc_internal'::regnamespace AND r.rolname IN ('mpc_admin', 'mpc_study', 'mpc_reader', 'regress_nobody')
   AND has_function_privilege(r.rolname, p.oid, 'EXECUTE') AND has_schema_privilege(r.rolname, 'mpc_internal', 'USAGE')
 ORDER BY 1, 2;
-- Schemas
SELECT r.rolname, has_schema_privilege(r.rolname, 'mpc', 'USAGE') AS mpc, has_schema_privilege(r.rolname, 'mpc_internal', 'USAGE') AS internal,
       has_schema_privilege(r.rolname, 'mpc', 'CREATE') OR has_schema_privilege(r.rolname, 'mpc_internal', 'CREATE') AS may_create
  FROM pg_roles AS r WHERE r.rolname IN ('mpc_admin', 'mpc_study', 'mpc_reader', 'regress_nobody') ORDER BY 1;

-- Functions that run with the privileges of their owner set a search path without schemas that others can write to. So do
-- all functions in SQL or PL/pgSQL that they call.
SELECT p.oid::regprocedure FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
 WHERE p.pronamespace IN ('mpc'::regnamespace, 'mpc_internal'::regnamespace) AND p.prokind IN ('f', 'p')
   AND (p.prosecdef OR l.lanname IN ('sql', 'plpgsql'))
   AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false);
SELECT count(*) > 20 AS many FROM pg_proc AS p WHERE p.pronamespace = 'mpc_internal'::regnamespace AND p.prosecdef;
-- Row ownership: all tables belong to the owner of the extension, not to one of the roles.
SELECT DISTINCT pg_get_userbyid(c.relowner) = pg_get_userbyid(e.extowner) AS owner_only FROM pg_class AS c, pg_extension AS e
 WHERE c.relnamespace = 'mpc_internal'::regnamespace AND c.relkind = 'r' AND e.extname = 'pg_mpc';
DROP ROLE regress_nobody;
