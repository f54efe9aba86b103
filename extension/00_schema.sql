\echo Use "CREATE EXTENSION pg_mpc" to load this file. \quit

-- Creates schemas and roles.
--
-- Roles belong to the whole cluster: they are created if absent and stay when the extension is dropped. The search path
-- of this script is pg_catalog, pg_temp, so all other names are qualified.

CREATE SCHEMA mpc;
COMMENT ON SCHEMA mpc IS 'pg_mpc: secure multi-party regression and its building blocks';

CREATE SCHEMA mpc_internal;
COMMENT ON SCHEMA mpc_internal IS 'pg_mpc: objects that only the extension itself uses';

DO $$
DECLARE
  role_name pg_catalog.text;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['mpc_admin', 'mpc_study', 'mpc_reader'] LOOP
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) role_name) THEN
      EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', role_name);
    END IF;
  END LOOP;
END
$$;

GRANT USAGE ON SCHEMA mpc TO mpc_admin, mpc_study, mpc_reader;
