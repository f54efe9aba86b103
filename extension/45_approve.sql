-- Binds a source to a study: mpc.check_source and mpc.approve_study.
--
-- Terms
-- The source is the table or view of one controller. The identifier is the columns whose values identify the same
-- person at the other controller. The columns of a controller are its attributes, then its outcomes, then its references.
-- An attribute with levels has a column "attribute:level" per level, made of one column of the source. The one of the
-- first level, its reference, is no column of a model (src/study/levels.h).
--
-- Invariants
-- A source is bound as an oid, together with the role that approved. It is read with the privileges of that role only.

-- private functions

CREATE FUNCTION mpc_internal.columns_of(spec jsonb, party text) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT ARRAY(SELECT CASE WHEN l.level IS NULL THEN a.value #>> '{}' ELSE format('%s:%s', a.value ->> 'name', l.level) END
                 FROM jsonb_array_elements(c -> 'attributes') WITH ORDINALITY AS a (value, place)
                 LEFT JOIN LATERAL jsonb_array_elements_text(a.value -> 'levels') WITH ORDINALITY AS l (level, place) ON true
                WHERE l.place IS DISTINCT FROM 1 ORDER BY a.place, l.place)
         || ARRAY(SELECT o #>> '{}' FROM jsonb_path_query(c, 'lax $.outcome[*]') AS o WHERE o <> 'null')
         || ARRAY(SELECT format('%s:%s', a.value ->> 'name', a.value -> 'levels' ->> 0)
                    FROM jsonb_array_elements(c -> 'attributes') WITH ORDINALITY AS a (value, place)
                   WHERE a.value ? 'levels' AND jsonb_typeof(a.value) = 'object' ORDER BY a.place)
    FROM (SELECT spec -> 'controllers' -> party AS c) AS own WHERE c IS NOT NULL
$$;
COMMENT ON FUNCTION mpc_internal.columns_of(jsonb, text) IS 'columns that a controller brings; NULL for the third party';

CREATE FUNCTION mpc_internal.source_column(name text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT split_part($1, ':', 1) $$;
COMMENT ON FUNCTION mpc_internal.source_column(text) IS 'column of the source that a column of columns_of is made of';

CREATE FUNCTION mpc_internal.source_columns(columns text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT ARRAY(SELECT mpc_internal.source_column(u.name) FROM unnest($1) WITH ORDINALITY AS u (name, place)
                GROUP BY 1 ORDER BY min(u.place))
$$;
COMMENT ON FUNCTION mpc_internal.source_columns(text[]) IS 'columns of the source that columns of columns_of are made of, each once';

CREATE FUNCTION mpc_internal.base_type(source oid, name text) RETURNS oid
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
  WITH RECURSIVE chain (type, above) AS (
    SELECT t.oid, t.typbasetype FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
     WHERE a.attrelid = $1 AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT t.oid, t.typbasetype FROM chain JOIN pg_type AS t ON t.oid = chain.above)
  SELECT type FROM chain WHERE above = 0
$$;
COMMENT ON FUNCTION mpc_internal.base_type(oid, text) IS 'type of a column below all domains; NULL when there is no such column';

CREATE FUNCTION mpc_internal.column_problem(source oid, name text, role oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  base oid := mpc_internal.base_type(source, name);
BEGIN
  IF base IS NULL THEN
    RETURN '42703';
  END IF;
  IF NOT has_column_privilege(role, source, name, 'SELECT') THEN
    RETURN '42501';
  END IF;
  IF base NOT IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'float4'::regtype, 'float8'::regtype,
                  'numeric'::regtype, 'bool'::regtype) THEN
    RETURN '42804';
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION mpc_internal.column_problem(oid, text, oid) IS
'why a column cannot be an attribute: SQLSTATE 42703 unknown, 42501 not readable by the role, 42804 neither numeric nor boolean; NULL when it can';

CREATE FUNCTION mpc_internal.attribute_problem(source oid, name text, role oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE
    WHEN mpc_internal.source_column($2) = $2 OR p.problem IS DISTINCT FROM '42804' AND p.problem IS NOT NULL THEN p.problem
    WHEN NOT EXISTS (SELECT FROM pg_type AS t WHERE t.oid = mpc_internal.base_type($1, mpc_internal.source_column($2))
                        AND (t.typcategory IN ('S', 'E') OR t.oid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)))
    THEN '42804' END
    FROM (SELECT mpc_internal.column_problem($1, mpc_internal.source_column($2), $3) AS problem) AS p
$$;
COMMENT ON FUNCTION mpc_internal.attribute_problem(oid, text, oid) IS
'column_problem of a column of columns_of: one of levels is made of text, an enumeration or whole numbers';

CREATE FUNCTION mpc_internal.wrong_type(name text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN mpc_internal.source_column($1) = $1 THEN 'neither numeric nor boolean'
         ELSE 'neither text, nor an enumeration, nor a whole number' END
$$;
COMMENT ON FUNCTION mpc_internal.wrong_type(text) IS 'what the source of a column of columns_of is, when attribute_problem says 42804';

CREATE FUNCTION mpc_internal.identifier_column(source oid, named text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  exact text := (SELECT a.attname FROM pg_attribute AS a
                  WHERE a.attrelid = source AND a.attname = btrim(named) AND a.attnum > 0 AND NOT a.attisdropped);
  parsed text[];
BEGIN
  IF exact IS NULL THEN
    BEGIN
      parsed := parse_ident(named);
    EXCEPTION WHEN invalid_parameter_value THEN
      parsed := NULL;
    END;
    IF cardinality(parsed) IS DISTINCT FROM 1 THEN
      RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('identifier %L is not the name of a column', btrim(named)),
        DETAIL = 'A name is written as the column is called, or as in SQL.',
        HINT = 'Separate the columns of several parts by commas; they are columns of the source, without its name.';
    END IF;
  END IF;
  RETURN coalesce(exact, parsed[1]);
END
$$;
COMMENT ON FUNCTION mpc_internal.identifier_column(oid, text) IS
'the column of this name: the one with exactly this name, else the name folded as an SQL identifier; error 22023 when there is none';

CREATE FUNCTION mpc_internal.identifier_columns(spec jsonb, source oid, identifier text) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  parts integer := CASE jsonb_typeof(spec -> 'identifier' -> 'parts') WHEN 'array' THEN jsonb_array_length(spec -> 'identifier' -> 'parts')
                   ELSE (spec -> 'identifier' ->> 'parts')::integer END;
  names text[] := ARRAY[btrim(identifier)];
BEGIN
  IF identifier IS NULL OR btrim(identifier) = '' THEN
    RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'a controller must name the column of its identifier',
      DETAIL = 'The identifier is missing or empty.',
      HINT = 'Pass identifier => ''column'', or one column per part of identifier.parts, separated by commas.';
  END IF;
  IF NOT EXISTS (SELECT FROM pg_attribute AS a
                  WHERE a.attrelid = source AND a.attname = names[1] AND a.attnum > 0 AND NOT a.attisdropped) THEN
    names := ARRAY(SELECT mpc_internal.identifier_column(source, part)
                     FROM unnest(string_to_array(identifier, ',')) WITH ORDINALITY AS p (part, place)
                    ORDER BY place);
  END IF;
  IF cardinality(names) <> parts THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'number of identifier columns differs from the spec',
      DETAIL = format('The spec has identifier.parts %s, the columns given are: %s.', parts, array_to_string(names, ', ')),
      HINT = 'Name one column per part, separated by commas, in the order agreed on with the other controller.';
  END IF;
  RETURN names;
END
$$;
COMMENT ON FUNCTION mpc_internal.identifier_columns(jsonb, oid, text) IS
'column names of the parts of an identifier, given as comma-separated text: exact names first, then folded as SQL identifiers';

CREATE FUNCTION mpc_internal.require_source(source oid, role oid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  relation record;
BEGIN
  IF source IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'a controller must name its source',
      DETAIL = 'The source is NULL.',
      HINT = 'Pass source => ''table or view''::regclass.';
  END IF;
  SELECT c.relkind, c.relpersistence, c.relnamespace, n.nspname INTO relation
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = source;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = '42P01', MESSAGE = 'the source does not exist',
      DETAIL = format('Its relation had the oid %s.', source),
      HINT = 'Approve the study again with an existing source.';
  END IF;
  IF relation.relkind NOT IN ('r', 'p', 'v', 'm', 'f') OR relation.relpersistence = 't' THEN
    RAISE EXCEPTION USING ERRCODE = '42809', MESSAGE = format('"%s" cannot be a source', source::regclass),
      DETAIL = CASE WHEN relation.relpersistence = 't' THEN 'It is temporary: only its own session can read it.'
               ELSE 'It is a relation without rows of its own.' END,
      HINT = 'A source is a table, partitioned table, foreign table, view or materialized view that other sessions can see.';
  END IF;
  IF NOT has_schema_privilege(role, relation.relnamespace, 'USAGE') THEN
    RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = format('permission denied for schema %s', relation.nspname),
      DETAIL = format('The source is read as role %s.', mpc_internal.role_text(role)),
      HINT = 'Grant USAGE on the schema to that role.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_source(oid, oid) IS
'error unless the relation is of a kind that an engine can read as the role: 22004, 42P01, 42809, 42501';

CREATE FUNCTION mpc_internal.require_binding(
  spec jsonb, party text, source oid, identifier text[], role oid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  name text;
  named text;
  problem text;
  columns text[] := mpc_internal.columns_of(spec, party);
BEGIN
  PERFORM mpc_internal.require_source(source, role);
  FOREACH name IN ARRAY identifier || columns LOOP
    problem := CASE WHEN name = ANY (columns) THEN mpc_internal.attribute_problem(source, name, role)
                    ELSE mpc_internal.column_problem(source, name, role) END;
    named := CASE WHEN name = ANY (columns) THEN mpc_internal.source_column(name) ELSE name END;
    IF problem = '42703' THEN
      RAISE EXCEPTION USING ERRCODE = problem,
        MESSAGE = format('column "%s" of source %s does not exist', named, source::regclass),
        DETAIL = CASE WHEN name = ANY (identifier) THEN 'It was named as identifier.'
                      ELSE 'The spec names it as a column of this controller.' END,
        HINT = CASE WHEN name = ANY (identifier) THEN 'Name the columns of the identifier as they are in the source.'
                    ELSE 'Bind a view that has all columns of this controller: '
                         || array_to_string(mpc_internal.source_columns(columns), ', ') || '.' END;
    ELSIF problem = '42501' THEN
      RAISE EXCEPTION USING ERRCODE = problem,
        MESSAGE = format('permission denied for column "%s" of source %s', named, source::regclass),
        DETAIL = format('The source is read as role %s, which approves.', mpc_internal.role_text(role)),
        HINT = 'Grant SELECT on the columns used, or bind a view.';
    ELSIF problem = '42804' AND name = ANY (columns) THEN
      RAISE EXCEPTION USING ERRCODE = problem,
        MESSAGE = format('column "%s" of source %s is %s', named, source::regclass, mpc_internal.wrong_type(name)),
        DETAIL = format('Its type is %s.', (SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a
                                             WHERE a.attrelid = source AND a.attname = named)),
        HINT = CASE WHEN named = name THEN 'Bind a view that turns it into numbers. Texts can be attributes with declared levels.'
                    ELSE 'Bind a view that turns its values into the levels of the spec.' END;
    END IF;
  END LOOP;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_binding(jsonb, text, oid, text[], oid) IS
'error unless the role can read all columns of the controller and of its identifier from the source: 42703, 42501 and 42804 name the column';

CREATE FUNCTION mpc_internal.await_proposal(study text, digest text) RETURNS mpc_internal.current_studies
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  held mpc_internal.current_studies%ROWTYPE;
  began timestamptz := clock_timestamp();
BEGIN
  -- A proposal of another node may not have arrived yet, even if another digest has.
  LOOP
    SELECT * INTO held FROM mpc_internal.current_studies AS s WHERE s.study = await_proposal.study;
    EXIT WHEN held.digest = await_proposal.digest
           OR clock_timestamp() > began + CASE WHEN held.study IS NULL THEN interval '10 s' ELSE interval '1 s' END;
    PERFORM mpc_internal.wait_briefly(50);
  END LOOP;
  IF held.study IS NULL THEN
    RETURN mpc_internal.find_study(study);
  END IF;
  IF held.digest IS DISTINCT FROM await_proposal.digest THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('digest does not match study "%s"', study),
      DETAIL = format('This node holds version %s with digest %s, proposed by %s.', held.version, held.digest, held.proposer),
      HINT = 'Read the study with mpc.explain_study before you approve the digest that this node holds.';
  END IF;
  RETURN held;
END
$$;
COMMENT ON FUNCTION mpc_internal.await_proposal(text, text) IS
'the study with this digest, waiting up to 10 s for its arrival; errors 42704 unknown study, 22023 another digest';

CREATE FUNCTION mpc_internal.require_unchanged(held mpc_internal.current_studies) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  now_held mpc_internal.current_studies%ROWTYPE;
BEGIN
  -- Takes no lock, so that no transaction of a user blocks an attempt. An attempt that starts before this commits runs
  -- on the data of the previous approval, on which all nodes agreed. The peers process the new approval at its end.
  SELECT * INTO now_held FROM mpc_internal.current_studies AS s WHERE s.study = held.study;
  IF now_held.version <> held.version OR now_held.state IN ('running', 'released') THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" changed while it was being approved', held.study),
      DETAIL = format('It is version %s, %s.', now_held.version, now_held.state),
      HINT = CASE now_held.state WHEN 'running' THEN 'Wait for its end, or cancel it with mpc.cancel_study.'
             ELSE 'Read it with mpc.explain_study.' END;
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_unchanged(mpc_internal.current_studies) IS
'error 55000 when the study started, was released or was proposed again while its source was being read';

-- public functions

CREATE FUNCTION mpc_internal.approve_study(caller oid, study text, digest text, source regclass, identifier text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  own text := mpc_internal.own_party();
  held mpc_internal.current_studies%ROWTYPE;
  names text[];
  expires timestamptz;
  counterpart text;
  pin record;
  brought text[];
BEGIN
  IF digest IS NULL OR digest !~ '\A[0-9a-f]{64}\Z' THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'invalid digest',
      DETAIL = format('The digest is %L.', left(digest, 100)),
      HINT = 'mpc.propose_study returns it, view mpc.studies shows it: 64 hexadecimal digits in lower case.';
  END IF;
  held := mpc_internal.await_proposal(study, digest);
  -- This renews an expired approval, but not an expired proposal.
  IF held.state IN ('running', 'released') OR held.expires_at <= now() THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" is %s', study, held.state),
      DETAIL = format('It is version %s, proposed by %s.', held.version, held.proposer),
      HINT = CASE held.state WHEN 'running' THEN 'Wait for its end, or cancel it with mpc.cancel_study.'
             ELSE 'Propose it again: a new version needs new approvals.' END;
  END IF;
  IF held.spec::jsonb -> 'format' IS NULL THEN
    PERFORM mpc_internal.require_startable(held);
  END IF;
  PERFORM mpc_internal.require_peers(held.parties);
  PERFORM mpc_internal.require_own_approval(held.study, held.version, caller);
  PERFORM mpc_internal.require_floor(held.study, held.spec::jsonb, '22023');
  IF own = held.parties[3] THEN
    IF source IS NOT NULL OR identifier IS NOT NULL THEN
      RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'the third party brings no source',
        DETAIL = format('In study "%s" this node, "%s", is the third party.', study, own),
        HINT = 'Approve with the digest alone.';
    END IF;
  ELSIF source IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'a controller must approve with its source',
      DETAIL = format('In study "%s" this node, "%s", brings the columns %s.', study, own,
                      array_to_string(mpc_internal.columns_of(held.spec::jsonb, own), ', ')),
      HINT = 'Pass source => ''table or view''::regclass and identifier => ''column''.';
  ELSE
    PERFORM mpc_internal.require_source(source, caller);
    names := mpc_internal.identifier_columns(held.spec::jsonb, source, identifier);
    PERFORM mpc_internal.require_binding(held.spec::jsonb, own, source, names, caller);
    counterpart := mpc_internal.counterpart_of(held.parties, own);
    brought := mpc_internal.columns_of(held.spec::jsonb, own);
    pin := mpc_internal.pin_source(held.spec, own, source, names, caller, counterpart, held.study, held.version);
    PERFORM mpc_internal.require_same_identifier(held.study, held.spec::jsonb, counterpart);
    PERFORM mpc_internal.require_versions(held.study, held.spec::jsonb, counterpart, pin.data_version);
    PERFORM mpc_internal.require_cohort(held.study, held.spec::jsonb, counterpart, pin.data_version, brought);
    PERFORM mpc_internal.require_union(held.study, held.spec::jsonb, counterpart, pin.data_version);
    PERFORM mpc_internal.notice_source(held.study, held.spec::jsonb, own, source, names, caller, pin.profile::jsonb);
  END IF;
  PERFORM mpc_internal.require_heard(held.study, held.spec::jsonb, a.party, a.columns, mpc_internal.number_at_start(a))
     FROM mpc_internal.approvals AS a
    WHERE a.study = held.study AND a.version = held.version AND a.party <> own AND a.decision = 'approved'
      AND a.commitment IS NOT NULL;
  PERFORM mpc_internal.require_unchanged(held);
  expires := now() + mpc_internal.lifetime();
  PERFORM mpc_internal.decide(held.study, held.version, own, held.digest, 'approved', NULL, expires, caller, source::text);
  PERFORM mpc_internal.note_reader(held.study, held.version, caller, 'approved');
  IF brought IS NOT NULL THEN
    UPDATE mpc_internal.approvals AS a
       SET source = approve_study.source, identifier = names, approver = caller,
           source_schema = mpc_internal.source_schema(approve_study.source, names || mpc_internal.source_columns(brought)),
           source_digest = pin.digest, source_records = pin.records, data_version = pin.data_version, columns = brought,
           commitments = pin.commitments, two_valued = pin.two_valued,
           commitment = mpc_internal.commitment(mpc_internal.commitment_text(counterpart, approve_study.source, brought,
                                                                             pin.commitments, pin.two_valued)),
           data_number = mpc_internal.data_number(counterpart, pin.data_version), key_id = mpc_internal.key_mark(),
           source_owner = (SELECT c.relowner FROM pg_class AS c WHERE c.oid = approve_study.source)
     WHERE a.study = held.study AND a.version = held.version AND a.party = own;
  ELSE
    UPDATE mpc_internal.approvals AS a SET approver = caller
     WHERE a.study = held.study AND a.version = held.version AND a.party = own;
  END IF;
  PERFORM mpc_internal.broadcast(held.parties, jsonb_strip_nulls(jsonb_build_object(
            'type', 'approve', 'study', held.study, 'version', held.version, 'digest', held.digest,
            'expires_at', floor(extract(epoch FROM expires)), 'data', mpc_internal.data_message(a))))
     FROM mpc_internal.approvals AS a WHERE a.study = held.study AND a.version = held.version AND a.party = own;
  PERFORM mpc_internal.notice_data(held.study, held.version, own);
  PERFORM mpc_internal.notice_relaxed(held.study, held.spec, own);
  PERFORM mpc_internal.announce(study);
  RETURN (SELECT s.state FROM mpc_internal.current_studies AS s WHERE s.study = held.study);
END
$$;
COMMENT ON FUNCTION mpc_internal.approve_study(oid, text, text, regclass, text) IS 'implements mpc.approve_study';

CREATE FUNCTION mpc.approve_study(
  study text, digest text, source regclass DEFAULT NULL, identifier text DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.approve_study(text, text, regclass, text) IS
'approves exactly this digest at this node. A controller binds its table or view and the column (comma-separated columns) of the identifier; the engine reads them later as the role that approves now. The source is read once now: a study whose source has changed since is refused until it is approved again. All columns that this node ever used with the other controller, and those of this study, must not single out a record (union rule, docs/disclosure.md); the other parties receive a commitment to the data and the names of the columns that have two values only. The approval is valid for pg_mpc.approval_lifetime. Waits up to 10 s for a proposal that has not arrived yet. Returns the state; a NOTICE names every problem of the source that mpc.check_source shows, every disclosure rule that the spec relaxes, and every party that brings other data than in earlier studies. Errors: MP005 union rule or disclosure.versions; 22023 another digest, a rule looser than a setting of this node, or data of another party that do not match the spec; 42704 unknown study, 42703/42501/42804 name the column, 42501 approved by another role, 55000 running, released, expired, too few changed persons, or records forgotten';

CREATE FUNCTION mpc_internal.study_for_check(study text, OUT spec jsonb, OUT party text) RETURNS record
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
BEGIN
  spec := mpc_internal.spec_to_read(study);
  party := mpc_internal.own_party();
  IF party = spec ->> 'third_party' THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'the third party brings no source',
      DETAIL = format('In study "%s" this node, "%s", is the third party.', study, party),
      HINT = 'Check the source on the node of the controller that brings it.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.study_for_check(text) IS 'the data of a study that mpc.check_source needs, which runs as its caller';
