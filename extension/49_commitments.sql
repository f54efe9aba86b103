-- Makes the commitment of a controller's approval, and processes the commitments of others.
--
-- Terms
-- A commitment is a keyed hash of the columns, their types and contents (48_data_versions.sql), the two-valued columns,
-- and the definitions of the views read, without oids. The data number says which version of its data a party brings to
-- this node, which counts them. A void approval was given before the data of another party changed.
--
-- Invariants
-- The first commitment received for a version of a study is in force. Another one voids the approvals of the other
-- parties. Data that a party has not brought before have a new data number. From the second number on they void
-- approvals too. So the other parties decide on every change of data.

CREATE FUNCTION mpc_internal.commitment_text(
  counterpart text, source oid, columns text[], commitments bytea[], two_valued text[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_build_object('counterpart', $1, 'columns', to_jsonb($3), 'two_valued', to_jsonb($5),
           'types', (mpc_internal.source_schema($2, mpc_internal.source_columns($3)) -> 'columns'),
           'commitments', (SELECT jsonb_agg(encode(k, 'hex') ORDER BY place) FROM unnest($4) WITH ORDINALITY AS c (k, place)),
           'views', (SELECT coalesce(jsonb_agg(v.definition ORDER BY v.definition COLLATE "C"), '[]')
                       FROM (SELECT pg_get_viewdef(r) AS definition FROM unnest(mpc_internal.relations_of($2)) AS r
                               JOIN pg_class AS c ON c.oid = r AND c.relkind IN ('v', 'm')) AS v))::text
$$;
COMMENT ON FUNCTION mpc_internal.commitment_text(text, oid, text[], bytea[], text[]) IS 'the data that the approval of a controller commits to, as text';

CREATE FUNCTION mpc_internal.data_message(approval mpc_internal.approvals) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_build_object('columns', to_jsonb(approval.columns), 'two_valued', to_jsonb(approval.two_valued),
           'commitment', encode(approval.commitment, 'hex'),
           'commitments', (SELECT jsonb_agg(encode(k, 'hex') ORDER BY place) FROM unnest(approval.commitments) WITH ORDINALITY AS c (k, place)))
   WHERE approval.commitment IS NOT NULL
$$;
COMMENT ON FUNCTION mpc_internal.data_message(mpc_internal.approvals) IS 'part of the message approve that says what data a controller brings; NULL for the third party';

CREATE FUNCTION mpc_internal.read_data(
  party text, data jsonb, OUT columns text[], OUT commitments bytea[], OUT two_valued text[], OUT commitment bytea) RETURNS record
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  lists boolean := coalesce(jsonb_typeof(data -> 'columns') = 'array' AND jsonb_typeof(data -> 'commitments') = 'array'
                            AND jsonb_typeof(data -> 'two_valued') = 'array', false);
BEGIN
  IF data IS NULL THEN
    RETURN;
  END IF;
  IF lists AND jsonb_array_length(data -> 'columns') <= 1000 AND jsonb_array_length(data -> 'two_valued') <= 1000
     AND jsonb_array_length(data -> 'commitments') = jsonb_array_length(data -> 'columns')
     AND NOT EXISTS (SELECT FROM jsonb_array_elements((data -> 'columns') || (data -> 'two_valued')) AS e (name)
                      WHERE jsonb_typeof(e.name) <> 'string' OR NOT mpc_internal.valid_column(e.name #>> '{}'))
     AND NOT EXISTS (SELECT FROM jsonb_array_elements((data -> 'commitments') || jsonb_build_array(data -> 'commitment')) AS e (hash)
                      WHERE coalesce(e.hash #>> '{}', '') !~ '\A[0-9a-f]{64}\Z') THEN
    columns := ARRAY(SELECT jsonb_array_elements_text(data -> 'columns'));
    two_valued := ARRAY(SELECT jsonb_array_elements_text(data -> 'two_valued'));
    commitments := ARRAY(SELECT decode(h, 'hex') FROM jsonb_array_elements_text(data -> 'commitments') AS h);
    commitment := decode(data ->> 'commitment', 'hex');
    RETURN;
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'MP004', MESSAGE = 'control message is malformed',
    DETAIL = format('Party %s sent an approval whose data are not columns, commitments and two-valued columns.', party),
    HINT = 'The nodes may run different versions of pg_mpc.';
END
$$;
COMMENT ON FUNCTION mpc_internal.read_data(text, jsonb) IS 'the data part of a peer''s message approve; error MP004 for another shape';

CREATE FUNCTION mpc_internal.heard_number(party text, counterpart text, columns text[], commitments bytea[]) RETURNS integer
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  -- Commitments to two counterparts cannot be compared, so the third party counts them separately.
  SELECT coalesce((SELECT min(h.number) FROM mpc_internal.heard_data AS h
                    WHERE h.party = $1 AND h.counterpart = $2 AND mpc_internal.covers(h.columns, h.commitments, $3, $4)
                      AND (h.passed OR NOT EXISTS (
                             SELECT FROM mpc_internal.heard_data AS o
                              WHERE o.party = h.party AND o.counterpart = h.counterpart AND o.number = h.number
                                AND (o.passed OR NOT mpc_internal.covers(o.columns, o.commitments, $3, $4))))),
                  (SELECT coalesce(max(h.number), 0) + 1 FROM mpc_internal.heard_data AS h WHERE h.party = $1 AND h.counterpart = $2))
$$;
COMMENT ON FUNCTION mpc_internal.heard_number(text, text, text[], bytea[]) IS
'data number of what a peer brings to a counterpart: that of data that it brought before, or the next one. Columns of a released study count as known, together and in part. Of a refused or ended study only one part counts, because the rules have not passed all of its columns together';

CREATE FUNCTION mpc_internal.require_heard(study text, spec jsonb, party text, columns text[], number integer) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  most integer := coalesce((spec -> 'disclosure' ->> 'versions')::integer, 3);
BEGIN
  IF mpc_internal.columns_of(spec, party) IS NOT NULL AND columns IS DISTINCT FROM mpc_internal.columns_of(spec, party) THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('party %s does not bring the columns of study "%s"', party, study),
      DETAIL = format('The spec has %s.', array_to_string(mpc_internal.columns_of(spec, party), ', ')),
      HINT = 'The nodes may run different versions of pg_mpc.';
  ELSIF number > most THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('party %s would bring version %s of its data to study "%s"', party, number, study),
      DETAIL = format('The data differ from all data in earlier studies of node "%s" with it, in a column, a value or a person; disclosure.versions is %s.',
                      mpc_internal.own_party(), most),
      HINT = 'Bind data that were used before, or columns of them.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_heard(text, jsonb, text, text[], integer) IS
'error 22023 when the data of a party are not the columns of the spec, or one version more than disclosure.versions';

CREATE FUNCTION mpc_internal.number_at_start(given mpc_internal.approvals) RETURNS integer
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  -- Other running studies may announce their match first, so their data count as brought before.
  SELECT n.number + CASE WHEN n.number <= n.highest THEN 0 ELSE (
           SELECT count(DISTINCT (a.columns, a.commitments))::integer FROM mpc_internal.approvals AS a
             JOIN mpc_internal.studies AS s ON s.study = a.study AND s.version = a.version AND s.run_state = 'running'
            WHERE a.party = given.party AND a.study <> given.study AND mpc_internal.counterpart_of(s.parties, given.party) = o.other
              AND mpc_internal.heard_number(given.party, o.other, a.columns, a.commitments) = n.number
              AND NOT mpc_internal.covers(a.columns, a.commitments, given.columns, given.commitments)) END
    FROM (SELECT mpc_internal.counterpart_of(s.parties, given.party) AS other FROM mpc_internal.studies AS s
           WHERE s.study = given.study AND s.version = given.version) AS o,
         LATERAL (SELECT mpc_internal.heard_number(given.party, o.other, given.columns, given.commitments) AS number,
                         coalesce((SELECT max(h.number) FROM mpc_internal.heard_data AS h
                                    WHERE h.party = given.party AND h.counterpart = o.other), 0) AS highest) AS n
$$;
COMMENT ON FUNCTION mpc_internal.number_at_start(mpc_internal.approvals) IS
'data number of what a peer''s approval brings if the study starts now, after all studies that run';

CREATE FUNCTION mpc_internal.require_commitments(held mpc_internal.current_studies) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  given mpc_internal.approvals%ROWTYPE;
  number integer;
BEGIN
  FOR given IN SELECT a.* FROM mpc_internal.approvals AS a
                WHERE a.study = held.study AND a.version = held.version AND a.digest = held.digest AND a.decision = 'approved'
                  AND a.party = ANY (held.parties[1:2]) AND a.party <> mpc_internal.own_party() LOOP
    IF given.commitment IS NULL THEN
      RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('party %s has approved study "%s" without a commitment', given.party, held.study),
        DETAIL = 'Its approval does not say what data it brings.',
        HINT = 'Ask it to approve again; its node may run another version of pg_mpc.';
    END IF;
    -- The approval may have arrived before its spec, and studies may have run since.
    number := mpc_internal.number_at_start(given);
    PERFORM mpc_internal.require_heard(held.study, held.spec::jsonb, given.party, given.columns, number);
    IF number > greatest(given.data_number, 1) THEN
      RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('party %s now brings version %s of its data to study "%s"', given.party, number, held.study),
        DETAIL = format('It was version %s when its approval arrived; other studies with it have run since, or are running.', given.data_number),
        HINT = 'Approve the study again, or reject it.';
    END IF;
  END LOOP;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_commitments(mpc_internal.current_studies) IS
'at the start: error 55000 when the approval of another controller has no commitment, or its data are a later version than its approval had; 22023 when they do not match the spec';

CREATE FUNCTION mpc_internal.dropped_columns(party text, counterpart text, before timestamptz, columns text[], commitments bytea[]) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(array_agg(DISTINCT e.name ORDER BY e.name), '{}')
    FROM mpc_internal.heard_data AS h, LATERAL unnest(h.columns, h.commitments) AS e (name, commitment)
   WHERE h.party = $1 AND h.counterpart = $2 AND h.heard_at <= $3
     AND NOT EXISTS (SELECT FROM unnest($4, $5) AS n (name, commitment) WHERE n.name = e.name AND n.commitment = e.commitment)
$$;
COMMENT ON FUNCTION mpc_internal.dropped_columns(text, text, timestamptz, text[], bytea[]) IS
'columns of earlier studies of a peer with a counterpart that are not, or not with the same contents, among those that it brings now';

CREATE FUNCTION mpc_internal.void_own_approval(study text, version integer, reason text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  own text := mpc_internal.own_party();
  held mpc_internal.studies%ROWTYPE;
BEGIN
  SELECT s.* INTO held FROM mpc_internal.studies AS s JOIN mpc_internal.approvals AS a
      ON a.study = s.study AND a.version = s.version AND a.digest = s.digest AND a.party = own AND a.decision = 'approved'
   WHERE s.study = void_own_approval.study AND s.version = void_own_approval.version AND s.run_state IS DISTINCT FROM 'released';
  IF NOT FOUND THEN
    RETURN;
  END IF;
  PERFORM mpc_internal.decide(study, version, own, held.digest, 'void', reason, NULL);
  PERFORM mpc_internal.broadcast(held.parties, jsonb_build_object(
    'type', 'void', 'study', study, 'version', version, 'digest', held.digest, 'reason', reason));
END
$$;
COMMENT ON FUNCTION mpc_internal.void_own_approval(text, integer, text) IS
'voids the approval of this node, until it approves again, and informs the other parties';

CREATE FUNCTION mpc_internal.hear_data(party text, study text, version integer, data jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  heard record := mpc_internal.read_data(party, data);
  before record;
  agreed jsonb;
  other text;
  number integer;
BEGIN
  SELECT a.commitment, a.data_number INTO before FROM mpc_internal.approvals AS a
   WHERE a.study = hear_data.study AND a.version = hear_data.version AND a.party = hear_data.party;
  SELECT s.spec, mpc_internal.counterpart_of(s.parties, party) INTO agreed, other
    FROM mpc_internal.studies AS s WHERE s.study = hear_data.study AND s.version = hear_data.version;
  number := CASE WHEN heard.commitment IS NOT NULL AND other IS NOT NULL
                 THEN mpc_internal.heard_number(party, other, heard.columns, heard.commitments) END;
  IF agreed IS NOT NULL THEN
    PERFORM mpc_internal.require_heard(study, agreed, party, heard.columns, number);
  END IF;
  UPDATE mpc_internal.approvals AS a
     SET columns = heard.columns, commitments = heard.commitments, two_valued = heard.two_valued,
         commitment = heard.commitment, data_number = number
   WHERE a.study = hear_data.study AND a.version = hear_data.version AND a.party = hear_data.party;
  IF before.commitment <> heard.commitment THEN
    PERFORM mpc_internal.void_own_approval(study, version, format('the data of %s changed after this approval', party));
  ELSIF number > coalesce(before.data_number, 1) THEN
    PERFORM mpc_internal.void_own_approval(study, version, format('%s brings version %s of its data', party, number));
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.hear_data(text, text, integer, jsonb) IS
'stores the commitment of a peer; voids the approval of this node when the data differ from those before, or are a new version; errors MP004, 22023';

CREATE FUNCTION mpc_internal.committed_data(study text, version integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(string_agg(a.party || ' ' || encode(a.commitment, 'hex'), ', ' ORDER BY a.party COLLATE "C"), 'none')
    FROM mpc_internal.approvals AS a WHERE a.study = $1 AND a.version = $2 AND a.commitment IS NOT NULL
$$;
COMMENT ON FUNCTION mpc_internal.committed_data(text, integer) IS
'the commitments of the controllers as this node knows them: a study starts only when all nodes know the same ones';

CREATE FUNCTION mpc_internal.data_hash(study text, version integer) RETURNS bytea
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT sha256(convert_to(mpc_internal.committed_data($1, $2), 'UTF8')) $$;
COMMENT ON FUNCTION mpc_internal.data_hash(text, integer) IS 'SHA-256 of committed_data';

CREATE FUNCTION mpc_internal.keep_heard_data(study text, version integer) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO mpc_internal.heard_data (party, counterpart, number, columns, commitments, study)
  SELECT a.party, a.other, a.number, a.columns, a.commitments, $1
    FROM (SELECT g.party, o.other, mpc_internal.heard_number(g.party, o.other, g.columns, g.commitments) AS number, g.columns, g.commitments
            FROM mpc_internal.approvals AS g JOIN mpc_internal.studies AS s USING (study, version),
                 LATERAL (SELECT mpc_internal.counterpart_of(s.parties, g.party)) AS o (other)
           WHERE g.study = $1 AND g.version = $2 AND g.commitment IS NOT NULL AND g.party <> mpc_internal.own_party()
             AND o.other IS NOT NULL) AS a
   WHERE NOT EXISTS (SELECT FROM mpc_internal.heard_data AS h
                      WHERE h.party = a.party AND h.counterpart = a.other AND h.number = a.number
                        AND mpc_internal.covers(h.columns, h.commitments, a.columns, a.commitments)
                        AND (h.passed OR mpc_internal.covers(a.columns, a.commitments, h.columns, h.commitments)))
$$;
COMMENT ON FUNCTION mpc_internal.keep_heard_data(text, integer) IS 'called when the number of matches was announced: the data of the peers count as known from now on';

CREATE FUNCTION mpc_internal.pass_heard_data(study text, version integer) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
  UPDATE mpc_internal.heard_data AS h SET passed = true FROM mpc_internal.approvals AS a JOIN mpc_internal.studies AS s USING (study, version)
   WHERE a.study = $1 AND a.version = $2 AND h.party = a.party AND h.counterpart = mpc_internal.counterpart_of(s.parties, a.party)
     AND a.commitment IS NOT NULL
     AND mpc_internal.covers(h.columns, h.commitments, a.columns, a.commitments)
     AND mpc_internal.covers(a.columns, a.commitments, h.columns, h.commitments)
$$;
COMMENT ON FUNCTION mpc_internal.pass_heard_data(text, integer) IS 'called when a study was released: the rules have passed all columns of its peers together';

CREATE FUNCTION mpc_internal.notice_data(study text, version integer, party text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  other record;
BEGIN
  UPDATE mpc_internal.approvals AS a
     SET data_number = mpc_internal.number_at_start(a)
   WHERE a.study = notice_data.study AND a.version = notice_data.version AND a.party <> notice_data.party
     AND a.commitment IS NOT NULL AND a.decision = 'approved';
  FOR other IN SELECT a.party, a.data_number,
                      array_to_string(mpc_internal.dropped_columns(a.party, mpc_internal.counterpart_of(s.parties, a.party), a.decided_at,
                                                                   a.columns, a.commitments), ', ') AS dropped
                 FROM mpc_internal.approvals AS a JOIN mpc_internal.studies AS s USING (study, version)
                WHERE a.study = notice_data.study AND a.version = notice_data.version AND a.party <> notice_data.party
                  AND a.data_number > 1 AND a.decision = 'approved' ORDER BY a.party LOOP
    RAISE NOTICE USING MESSAGE = format('%s brings version %s of its data to study "%s"', other.party, other.data_number, study),
      DETAIL = CASE other.dropped WHEN '' THEN 'It keeps all columns of its earlier studies with this node, so the rules check them together with the new ones.'
               ELSE format('Of its earlier studies with this node it leaves out, or brings with another value or person: %s. No rule checks those together with the new ones: two results may reveal what changed.',
                           other.dropped) END,
      HINT = 'mpc.reject_study refuses the study.';
  END LOOP;
END
$$;
COMMENT ON FUNCTION mpc_internal.notice_data(text, integer, text) IS 'updates the data numbers of the other parties; a NOTICE for every party that brings other data than before names the columns that it leaves out';
