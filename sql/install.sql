-- The extension can be installed, owns its objects, and grants nothing to PUBLIC.
CREATE EXTENSION pg_mpc;
SELECT nspname FROM pg_namespace WHERE nspname LIKE 'mpc%' ORDER BY 1;
SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname LIKE 'mpc\_%' ORDER BY 1;
-- Every object has a comment.
SELECT pg_describe_object(classid, objid, objsubid) AS uncommented
  FROM pg_depend
 WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
   AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_mpc')
   AND classid IN ('pg_proc'::regclass, 'pg_type'::regclass, 'pg_class'::regclass, 'pg_operator'::regclass, 'pg_namespace'::regclass)
   AND obj_description(objid, classid::regclass::name) IS NULL
   AND pg_describe_object(classid, objid, objsubid) !~ '\[\]$|^(index|sequence|toast)'
   -- Row types of tables and views are members of the extension from PostgreSQL 17 on.
   AND NOT (classid = 'pg_type'::regclass AND objid IN (
         SELECT t.oid FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid WHERE c.relkind <> 'c'))
 ORDER BY 1;
-- PUBLIC may not execute its functions.
SELECT p.oid::regprocedure AS public_function
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname IN ('mpc', 'mpc_internal')
   AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0)
 ORDER BY 1;
-- PUBLIC may not use its types.
SELECT t.oid::regtype AS public_type
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
 WHERE n.nspname IN ('mpc', 'mpc_internal') AND t.typtype = 'b' AND t.typcategory <> 'A'
   AND EXISTS (SELECT FROM aclexplode(coalesce(t.typacl, acldefault('T', t.typowner))) a WHERE a.grantee = 0)
 ORDER BY 1;
-- It can be dropped and created again.
DROP EXTENSION pg_mpc;
SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'mpc%';
CREATE EXTENSION pg_mpc;
