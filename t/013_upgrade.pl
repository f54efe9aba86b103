# Upgrade from a released version (the last one, or PG_MPC_FROM). Its SQL works with the new library, and errors say what
# to do. ALTER EXTENSION UPDATE gives exactly the catalog of a fresh install and keeps all data. Studies can be run after it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ThreeParties;

# The released version is the one whose install script is present and from which one upgrade script leads to the current one.
my $plain = PostgreSQL::Test::Cluster->new('versions');
$plain->init;
$plain->start;
my $new = $plain->safe_psql('postgres', "SELECT default_version FROM pg_available_extensions WHERE name = 'pg_mpc'");
my $old = $ENV{PG_MPC_FROM} // $plain->safe_psql('postgres', "SELECT v.version FROM pg_available_extension_versions AS v
	JOIN pg_extension_update_paths('pg_mpc') AS p ON p.source = v.version AND p.path = v.version || '--' || p.target
	WHERE v.name = 'pg_mpc' AND p.target = '$new'");
like($old, qr/^\d+\.\d+\.\d+$/, "one released version leads to $new: $old");
is($plain->safe_psql('postgres', "SELECT count(*) FROM pg_available_extension_versions AS v
	JOIN pg_extension_update_paths('pg_mpc') AS p ON p.source = v.version AND p.target = '$new'
	WHERE v.name = 'pg_mpc' AND v.version <> '$new' AND p.path IS NULL"), '0', 'and so do all earlier ones');
$plain->stop;

my $mpc = ThreeParties->new(extension_version => $old);
my ($hospital, $insurer, $third) = $mpc->nodes;
$mpc->load_small(150);

# --- catalogs as text ---
# catalog(NODE, DATABASE): all objects of the extension, one per line.
sub catalog {
	my ($node, $database) = @_;
	return $node->safe_psql($database, <<'SQL');
WITH extension AS (SELECT * FROM pg_extension WHERE extname = 'pg_mpc'),
members AS (
  SELECT d.classid, d.objid, pg_describe_object(d.classid, d.objid, 0) AS name FROM pg_depend AS d, extension AS e
   WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e')
SELECT line FROM (
  SELECT format('%s: %s', name, obj_description(objid, classid::regclass::text)) AS line FROM members
  UNION ALL
  SELECT format('%s: %s, %s', m.name, pg_get_functiondef(p.oid), p.proacl) FROM members AS m
    JOIN pg_proc AS p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid WHERE p.prokind <> 'a'
  UNION ALL
  SELECT format('%s: %s %s %s %s %s %s', m.name, a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggtranstype::regtype, p.proparallel, p.proacl)
    FROM members AS m JOIN pg_proc AS p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid JOIN pg_aggregate AS a ON a.aggfnoid = p.oid
  UNION ALL
  SELECT format('%s: %s %s %s %s', m.name, c.relkind, c.relacl, c.reloptions, pg_get_viewdef(c.oid)) FROM members AS m
    JOIN pg_class AS c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
  UNION ALL
  SELECT format('%s column %s: %s %s %s %s %s %s %s', m.name, a.attnum - (SELECT count(*) FROM pg_attribute AS gone
                  WHERE gone.attrelid = a.attrelid AND gone.attnum BETWEEN 1 AND a.attnum AND gone.attisdropped), a.attname,
                format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attacl, a.attstorage,
                pg_get_expr(f.adbin, f.adrelid)) FROM members AS m
    JOIN pg_attribute AS a ON m.classid = 'pg_class'::regclass AND a.attrelid = m.objid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef AS f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
  UNION ALL
  SELECT format('%s constraint %s: %s', m.name, c.conname, pg_get_constraintdef(c.oid)) FROM members AS m
    JOIN pg_constraint AS c ON m.classid = 'pg_class'::regclass AND c.conrelid = m.objid
  UNION ALL
  SELECT format('%s index: %s', m.name, pg_get_indexdef(i.indexrelid)) FROM members AS m
    JOIN pg_index AS i ON m.classid = 'pg_class'::regclass AND i.indrelid = m.objid
  UNION ALL
  SELECT format('%s trigger: %s %s', m.name, pg_get_triggerdef(t.oid), t.tgenabled) FROM members AS m
    JOIN pg_trigger AS t ON m.classid = 'pg_class'::regclass AND t.tgrelid = m.objid
  UNION ALL
  SELECT format('%s: %s %s %s %s %s %s %s %s', m.name, t.typlen, t.typinput, t.typoutput, t.typreceive, t.typsend, t.typstorage, t.typcategory, t.typacl)
    FROM members AS m JOIN pg_type AS t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid
  UNION ALL
  SELECT format('%s: %s %s %s %s', m.name, o.oprcode, o.oprcom::regoperator, o.oprleft::regtype, o.oprright::regtype) FROM members AS m
    JOIN pg_operator AS o ON m.classid = 'pg_operator'::regclass AND o.oid = m.objid
  UNION ALL
  SELECT format('%s: %s', m.name, n.nspacl) FROM members AS m JOIN pg_namespace AS n ON m.classid = 'pg_namespace'::regclass AND n.oid = m.objid
  UNION ALL
  SELECT format('%s initial rights: %s', m.name, i.initprivs) FROM members AS m
    JOIN pg_init_privs AS i ON i.classoid = m.classid AND i.objoid = m.objid
  UNION ALL
  SELECT format('dumped: %s where %s', c.relation, c.condition) FROM extension AS e,
         LATERAL unnest(e.extconfig::regclass[], e.extcondition) AS c (relation, condition)
  UNION ALL
  SELECT format('extension: %s %s %s', extversion, extnamespace::regnamespace, extrelocatable) FROM extension) AS l
 ORDER BY line COLLATE "C"
SQL
}

# tables(NODE): all rows of all tables, with the columns of the released version.
my $columns;
sub tables {
	my ($node) = @_;
	$columns //= $node->safe_psql('postgres', "SELECT string_agg(format('SELECT %L AS t, to_jsonb(r) FROM (SELECT %s FROM %s) AS r',
		c.oid::regclass, (SELECT string_agg(quote_ident(a.attname), ',' ORDER BY a.attnum) FROM pg_attribute AS a
		WHERE a.attrelid = c.oid AND a.attnum > 0), c.oid::regclass), ' UNION ALL ') FROM pg_class AS c
		WHERE c.relnamespace = 'mpc_internal'::regnamespace AND c.relkind = 'r' AND c.relname NOT IN ('outbox', 'ledger_seals')");
	# A message of a peer may arrive at any time.
	return $node->safe_psql('postgres', "SELECT t, to_jsonb - 'last_seen' FROM ($columns) AS r ORDER BY 1, 2::text");
}

# --- from every released version, step by step ---
my $first = $mpc->{third};
for my $version (split /\n/, $first->safe_psql('postgres', "SELECT version FROM pg_available_extension_versions WHERE name = 'pg_mpc' AND version <> '$new' ORDER BY 1")) {
	$first->safe_psql('postgres', "CREATE DATABASE $_ TEMPLATE template0") for 'stepwise', 'fresh';
	$first->safe_psql('stepwise', "CREATE EXTENSION pg_mpc VERSION '$version'");
	$first->safe_psql('stepwise', 'ALTER EXTENSION pg_mpc UPDATE');
	$first->safe_psql('fresh', 'CREATE EXTENSION pg_mpc');
	is(catalog($first, 'stepwise'), catalog($first, 'fresh'), "from $version: the catalog of a fresh install");
	$first->safe_psql('postgres', "DROP DATABASE $_") for 'stepwise', 'fresh';
}

# --- the released SQL under the new library ---
for my $node ($mpc->nodes) {
	like(slurp_file($node->logfile), qr/WARNING: .*extension pg_mpc has version \Q$old\E .*library.* version \Q$new\E.*ALTER EXTENSION pg_mpc UPDATE/,
		'the log of ' . $mpc->party($node) . ' says what to do');
	my ($code, $out) = $node->psql('postgres', '\dx');
	is($code, 0, '\dx works with both versions');
	like($out, qr/^pg_mpc\|\Q$old\E\|/m, 'and shows the installed one');
	is($node->safe_psql('postgres', "SELECT count(fmgr_c_validator(p.oid)) > 20 FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
		WHERE l.lanname = 'c' AND p.pronamespace IN ('mpc'::regnamespace, 'mpc_internal'::regnamespace)"), 't',
		'the library has every function that the released SQL calls');
}
my $digest = $mpc->prepare_study('before', $mpc->small_spec(analysis => {kind => 'lasso', lambda => [0.01, 0.02]},
	recipients => ['erasmus_mc', 'zilveren_kruis']), 'small_a', 'small_b');
$mpc->ask($hospital, "SELECT * FROM mpc.run_study('before')");
my $approved = $mpc->prepare_study('approved', $mpc->small_spec, 'small_a', 'small_b');
$mpc->ask($hospital, "SELECT mpc.draft_study('drafted', '" . $mpc->small_spec . "')");
$mpc->propose('rejected', $mpc->small_spec);
$mpc->ask($hospital, "SELECT mpc.reject_study('rejected', 'not this one')");
for my $node ($mpc->nodes) {
	$mpc->become($node, "SELECT count(*) = 3 FROM mpc.studies WHERE (study, state) IN (('before', 'released'), ('approved', 'approved'), ('rejected', 'rejected'))");
}
is($mpc->ask($hospital, "SELECT count(*) FROM mpc.models"), '2', 'a study runs on the released SQL');

# --- not under a running study ---
$mpc->prepare_study('running', $mpc->small_spec(analysis => {kind => 'lasso', lambda => 0.03}), 'small_a', 'small_b');
my $held = $mpc->hold($insurer, 'small_b');
my $job = $mpc->start_sql($hospital, "SELECT * FROM mpc.run_study('running')");
$mpc->become($_, "SELECT count(*) = 1 FROM mpc.stat_study_progress") for $mpc->nodes;
my $said = '';
$third->psql('postgres', 'ALTER EXTENSION pg_mpc UPDATE', stderr => \$said, extra_params => ['-v', 'VERBOSITY=verbose']);
like($said, qr/55000: .*study "running" is running.*DETAIL: .*HINT: .*cancel_study/s, 'no update under a running study');
$mpc->ask($third, "SELECT mpc.cancel_study('running')");
$mpc->release($held);
$mpc->finish($job);
for my $node ($mpc->nodes) {
	$mpc->become($node, "SELECT state <> 'running' FROM mpc.studies WHERE study = 'running'");
	$mpc->become($node, 'SELECT count(*) = 0 FROM mpc_internal.outbox');
}

# --- the update ---
for my $node ($mpc->nodes) {
	my $party = $mpc->party($node);
	my $before = tables($node);
	my $head = $mpc->ask($node, 'SELECT head FROM mpc.verify_ledger()');
	$node->safe_psql('postgres', 'ALTER EXTENSION pg_mpc UPDATE');
	is(tables($node), $before, "$party: every row is as it was");
	is($mpc->ask($node, 'SELECT intact, head, entries = sealed FROM mpc.verify_ledger()'), "t|$head|t", "$party: the ledger verifies");
	$node->safe_psql('postgres', 'CREATE DATABASE fresh TEMPLATE template0');
	$node->safe_psql('fresh', 'CREATE EXTENSION pg_mpc');
	my @upgraded = split /\n/, catalog($node, 'postgres');
	my @fresh = split /\n/, catalog($node, 'fresh');
	cmp_ok(scalar(@fresh), '>', 1000, "$party: a catalog was read");
	my %upgraded = map { $_ => 1 } @upgraded;
	my %fresh = map { $_ => 1 } @fresh;
	is(join("\n", grep { !$fresh{$_} } @upgraded), '', "$party: nothing that a fresh install lacks");
	is(join("\n", grep { !$upgraded{$_} } @fresh), '', "$party: all that a fresh install has");
	$node->safe_psql('postgres', 'DROP DATABASE fresh');
	is($node->safe_psql('postgres', "SELECT count(CASE l.lanname WHEN 'c' THEN fmgr_c_validator(p.oid)
		WHEN 'sql' THEN fmgr_sql_validator(p.oid) ELSE plpgsql_validator(p.oid) END) > 100 FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
		WHERE p.pronamespace IN ('mpc'::regnamespace, 'mpc_internal'::regnamespace) AND l.lanname IN ('c', 'sql', 'plpgsql')"), 't',
		"$party: every function is valid");
	is($mpc->ask($node, "SELECT status FROM mpc.node_status() WHERE \"check\" = 'version'"), 'ok', "$party: node_status finds the versions equal");
}

# --- a study approved before the update runs after it, without a restart; models are kept ---
is($mpc->ask($hospital, 'SELECT count(*) FROM mpc.models'), '2', 'models are kept');
my $before_commitments = $old eq '0.1.0';
if ($before_commitments) {
	is($hospital->safe_psql('postgres', "SELECT string_agg(DISTINCT coalesce(version::text, 'all'), ',') FROM mpc_internal.readers
		WHERE study = 'before' AND role = 'mpc_reader'::regrole"), '0,1', 'members of mpc_reader go on reading the versions that there were');
	$mpc->refuses($insurer, "SELECT * FROM mpc.run_study('approved')", '55000', qr/approved under an older version/,
		'an approval that commits to no data is given again');
	$mpc->approve('approved', $approved, 'small_a', 'small_b');
}
$mpc->ask($insurer, "SELECT * FROM mpc.run_study('approved')");
is($mpc->ended($_, 'approved'), 'released', 'approved before, released after, at ' . $mpc->party($_)) for $mpc->nodes;
$mpc->prepare_study('after', $mpc->small_spec(analysis => {kind => 'lasso', lambda => 0.04}), 'small_a', 'small_b');
$mpc->ask($third, "SELECT * FROM mpc.run_study('after')");
# The SQL of 0.1.0 does not read the analyses of a spec that the newer library has filled. It counted one model.
my $models = $before_commitments ? 1 : 2;
is($mpc->ask($hospital, "SELECT string_agg(study || ' ' || outcome || ' ' || models, ', ' ORDER BY used_at) FROM mpc.source_uses"),
	"before released $models, approved released 1, after released 1", 'the budget knows studies of both versions');

# --- an extension newer than the library: the package was installed, the server not restarted ---
$third->safe_psql('postgres', "UPDATE pg_extension SET extversion = '99.0.0' WHERE extname = 'pg_mpc'");
is($mpc->ask($third, "SELECT status, hint ~ 'restart the server' FROM mpc.node_status() WHERE \"check\" = 'version'"), 'problem|t',
	'node_status names the versions and the restart');
$third->safe_psql('postgres', 'ALTER FUNCTION mpc_internal.record_request(text, text, oid) RENAME TO gone');
$mpc->refuses($third, "SELECT mpc.start_study('after')", '42883', qr/record_request.*version 99\.0\.0.*library.*\Q$new\E.*HINT: .*restart/s,
	'an error about a missing function names the versions');

$mpc->stop;
done_testing();
