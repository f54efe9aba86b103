# Disclosure rules between three nodes: refusals, their text at each node, budgets, and rules that one node checks alone.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ThreeParties;

my $mpc = ThreeParties->new;
my ($hospital, $insurer, $third) = $mpc->nodes;
$mpc->load_small(300);

# run(STUDY, HOSPITAL RELATION, INSURER RELATION, rules...): proposes, approves and runs; returns the error of the starter.
sub run_study {
	my ($study, $a, $b, %rules) = @_;
	$mpc->prepare_study($study, $mpc->small_spec(disclosure => {min_cohort_change => 10, %rules}), $a, $b);
	return $mpc->refused($hospital, "SELECT * FROM mpc.run_study('$study')");
}

# uses(NODE): what its sources have been used for.
sub uses {
	my ($node) = @_;
	return $mpc->ask($node, "SELECT string_agg(study || ' ' || outcome || ' ' || models, ', ' ORDER BY used_at) FROM mpc.source_uses");
}

# ended(STUDY): the state at the three nodes, after it has ended at all of them.
sub ended {
	my ($study) = @_;
	return map {
		$mpc->become($_, "SELECT state <> 'running' FROM mpc.studies WHERE study = '$study'");
		$mpc->ask($_, "SELECT state, sqlstate, last_error FROM mpc.studies WHERE study = '$study'")
	} $mpc->nodes;
}

# --- one outcome dominates, one value of the hospital dominates, or too few records match: one text at all three ---
$mpc->ask($insurer, 'CREATE TABLE outlier AS SELECT id, x3, CASE id WHEN 77 THEN 1e6 ELSE y END AS y FROM small_b');
$mpc->ask($insurer, 'CREATE TABLE constant AS SELECT id, x3, 4 AS y FROM small_b');
$mpc->ask($hospital, 'CREATE TABLE far AS SELECT id, CASE id WHEN 5 THEN -9000 ELSE x1 END AS x1, x2 FROM small_a');
$mpc->ask($hospital, 'CREATE TABLE flag AS SELECT id, id = 8 AS x1, x2 FROM small_a');
$mpc->ask($hospital, 'CREATE TABLE few AS SELECT id + 250 AS id, x1, x2 FROM small_a');
my @causes = (
	['outcome', 'small_a', 'outlier'], ['value', 'far', 'small_b'], ['constant', 'small_a', 'constant'],
	['person', 'flag', 'small_b'], ['match', 'few', 'small_b']);
my %said;
for (@causes) {
	my ($study, $a, $b) = @$_;
	my ($text, $state) = run_study($study, $a, $b);
	is($state, 'MP005', "$study: refused");
	like($text, qr/ERROR: .*a disclosure rule of the agreed spec refused the study$/m, "$study: message");
	like($text, qr/^DETAIL: .*min_matched 100, max_parameter_ratio 0.1, min_level_count 10, max_dominance 0.5, model_budget 100, min_cohort_change 10, min_lambda off/m,
		"$study: all rules and thresholds");
	like($text, qr/^HINT: .*all three parties approve.*administrator of a node/m, "$study: who can change them");
	$said{$_}++ for ended($study);
	is($mpc->ask($_, "SELECT count(*) FROM mpc.models WHERE study = '$study'"), '0', "$study: nothing released") for $mpc->nodes;
	is($mpc->ask($_, "SELECT string_agg(event || ' ' || detail::text, ', ') FROM mpc.ledger WHERE study = '$study' AND event = 'failed'"),
		'failed {"version": 1, "sqlstate": "MP005"}', "$study: the ledger tells no cause") for $mpc->nodes;
}
is(scalar(keys %said), 1, 'every cause, every node: the same text') or diag(explain(\%said));

# Refusals and released models count at both controllers.
is(uses($hospital), 'outcome refused 1, value refused 1, constant refused 1, person refused 1, match refused 1', 'refusals count at the hospital');
is(uses($insurer), uses($hospital), 'and at the insurer');
is(uses($third), '', 'the third party has no source');
is((run_study('ordinary', 'small_a', 'small_b'))[0], '', 'ordinary data pass');
is((run_study('relaxed', 'small_a', 'outlier', max_dominance => 1))[0], '',
	'without the rule the outlier would have been released');
like((run_study('budget', 'small_a', 'small_b', model_budget => 4))[0], qr/MP005: model budget .*2 released models and 2 attempts that were refused/s,
	'released models and refusals of a source use up its budget');

# --- a source that changes by a few records ---
$mpc->ask($hospital, 'INSERT INTO small_a SELECT 1000 + i, 0.1 * i, 0.2 FROM generate_series(1, 3) AS i');
my %cohorts = (disclosure => {min_cohort_change => 10});
my $changed = $mpc->propose('changed', $mpc->small_spec(%cohorts, analysis => {kind => 'lasso', lambda => 0.02}));
$mpc->refuses($hospital, $mpc->approval('changed', $changed, 'hospital', 'small_a'), '55000',
	qr/changed by too few persons.*303 complete records.*differ in 3 persons; at least 10/s,
	'three persons more than in an earlier study');
for my $node ($insurer, $third) {
	$mpc->become($node, "SELECT count(*) = 1 FROM mpc.studies WHERE study = 'changed'");
	is($mpc->ask($node, "SELECT count(*) FROM mpc.approvals WHERE study = 'changed'"), '0', $mpc->party($node) . ' learns nothing of it');
}
# Three persons replaced by others are detected although the number of records is the same.
$mpc->ask($hospital, 'DELETE FROM small_a WHERE id IN (21, 22, 23)');
$mpc->refuses($hospital, $mpc->approval('changed', $changed, 'hospital', 'small_a'), '55000', qr/too few persons.*differ in 6 persons/s,
	'three persons exchanged for others');
$mpc->ask($hospital, 'INSERT INTO small_a SELECT id, x1, x2 FROM far WHERE id IN (21, 22, 23)');
# A study that ran after the approval of this one counts too.
$mpc->ask($hospital, 'CREATE TABLE kept AS SELECT * FROM small_a WHERE id <= 1000; CREATE TABLE more AS SELECT * FROM kept
	UNION ALL SELECT 2000 + i, 0.1 * i, 0.2 FROM generate_series(1, 20) AS i');
$mpc->prepare_study('longer', $mpc->small_spec(%cohorts, analysis => {kind => 'lasso', lambda => 0.05}), 'more', 'small_b');
$mpc->ask($hospital, "CREATE TABLE between AS SELECT * FROM more WHERE id <= 2015");
$mpc->prepare_study('meanwhile', $mpc->small_spec(%cohorts, analysis => {kind => 'lasso', lambda => 0.06}), 'between', 'small_b');
$mpc->ask($hospital, "SELECT * FROM mpc.run_study('longer')");
$mpc->refuses($hospital, "SELECT * FROM mpc.run_study('meanwhile')", '55000', qr/too few persons.*differ in 5 persons/s,
	'five persons fewer than in a study that ran meanwhile');
for my $node ($insurer, $third) {
	is($mpc->ask($node, "SELECT count(*) FROM mpc.steps WHERE study = 'meanwhile'"), '0', $mpc->party($node) . ': nothing was sent');
	unlike($mpc->ask($node, "SELECT coalesce(string_agg(last_error, ' '), '') FROM mpc.studies WHERE study = 'meanwhile'"),
		qr/few|persons|cohort/, $mpc->party($node) . ' does not learn why');
}
# A new view over the same table has the budget of the table.
$mpc->ask($hospital, 'CREATE VIEW fresh AS SELECT * FROM small_a');
my $through_view = $mpc->propose('through_view', $mpc->small_spec(%cohorts, analysis => {kind => 'lasso', lambda => 0.03}));
$mpc->refuses($hospital, $mpc->approval('through_view', $through_view, 'hospital', 'fresh'), '55000', qr/too few persons/, 'the same through a view');
$mpc->ask($hospital, 'DELETE FROM small_a WHERE id > 1000');
$mpc->approve('changed', $changed, 'small_a', 'small_b');
$mpc->ask($hospital, "SELECT * FROM mpc.run_study('changed')");
is($mpc->state($hospital, 'changed'), 'released', 'the unchanged source runs');
$mpc->ask($hospital, 'INSERT INTO small_a SELECT 1000 + i, 0.1 * i, 0.2 FROM generate_series(1, 10) AS i');
$mpc->approve('through_view', $through_view, 'fresh', 'small_b');
$mpc->ask($hospital, "SELECT * FROM mpc.run_study('through_view')");
is($mpc->state($hospital, 'through_view'), 'released', 'ten persons more are enough');

# --- the floor of a node ---
sub set_floor {
	my ($node, $floor) = @_;
	$node->safe_psql('postgres', "ALTER SYSTEM SET pg_mpc.min_matched = $floor");
	$node->reload;
	$mpc->become($node, "SELECT current_setting('pg_mpc.min_matched') = '$floor'");
}
my $spec = $mpc->small_spec(disclosure => {min_matched => 80});
my $digest = $mpc->propose('floor', $spec);
$mpc->refuses($third, $mpc->approval('floor', $digest, 'third'), '22023', qr/below the floor of this node.*80.*zorgttp.*100/s,
	'the third party has a floor, too');
set_floor($_, 50) for $mpc->nodes;
$mpc->approve('floor', $digest, 'small_a', 'small_b');
set_floor($insurer, 90);
$mpc->refuses($insurer, "SELECT * FROM mpc.run_study('floor')", '55000', qr/below the floor of this node.*80.*90/s,
	'a floor that was raised after the approval');
set_floor($insurer, 80);
my ($out, $notice) = ('', '');
$mpc->propose('told', $mpc->small_spec(disclosure => {min_matched => 80, min_level_count => 2}));
$mpc->become($insurer, "SELECT count(*) = 1 FROM mpc.studies WHERE study = 'told'");
$insurer->psql('postgres', "SELECT mpc.approve_study('told', digest, 'small_b', 'id') FROM mpc.studies WHERE study = 'told'",
	stdout => \$out, stderr => \$notice, extra_params => ['-U', 'analyst']);
like($notice, qr/NOTICE:  study "told" relaxes disclosure.min_matched.*NOTICE:  study "told" relaxes disclosure.min_level_count/s,
	'an approval tells the relaxed rules');
$mpc->ask($hospital, "SELECT * FROM mpc.run_study('floor')");
is($mpc->ended($_, 'floor'), 'released', 'at the floor it runs') for $mpc->nodes;

# --- the joint design, two-valued columns of another type, and what is rounded, at the defaults of a spec ---
# run_default(STUDY, HOSPITAL RELATION, INSURER RELATION, rules...): returns where it was refused, and the SQLSTATE.
sub run_default {
	my ($study, $a, $b, %rules) = @_;
	my %defaults = (versions => 3, released_numbers => 1000000, min_cohort_change => 10, max_leverage => 0.4, max_vif => 200);
	my $given = $mpc->propose($study, $mpc->small_spec(disclosure => {%defaults, %rules}, release => {precision => 'statistical'}));
	for (['hospital', $a, $hospital], ['insurer', $b, $insurer], ['third', undef, $third]) {
		my ($role, $source, $node) = @$_;
		my ($text, $state) = $mpc->refused($node, $mpc->approval($study, $given, $role, $source));
		return "approval $state" if $state;
	}
	$mpc->approve_again($study, $given, $a, $b);
	my $state = ($mpc->refused($hospital, "SELECT * FROM mpc.run_study('$study')"))[1];
	return $state ? "run $state" : 'released';
}
# The studies below do not depend on the data of those above.
$_->safe_psql('postgres', 'UPDATE mpc_internal.source_uses SET counterpart = NULL, data_version = NULL; DELETE FROM mpc_internal.heard_data')
	for $mpc->nodes;
$mpc->load_small(300, '_d');
$mpc->ask($hospital, 'CREATE TABLE moved AS SELECT id, x1, x1 + CASE id WHEN 9 THEN 1 ELSE 0 END AS x2 FROM small_a_d');
$mpc->ask($hospital, 'CREATE TABLE number_flag AS SELECT id, CASE id WHEN 8 THEN 3 ELSE 1 END::smallint AS x1, x2 FROM small_a_d');
is(run_default('rounded', 'small_a_d', 'small_b_d'), 'released', 'ordinary data pass');
is(run_default('moved', 'moved', 'small_b_d'), 'approval MP005', 'a column that differs from another one in one person: refused by its own node');
is(run_default('number_flag', 'number_flag', 'small_b_d'), 'approval MP005', 'a flag of one person as a number, too');
# No node detects this alone: the column of the insurer equals that of the hospital except for one person.
$mpc->ask($insurer, 'CREATE TABLE copied (id bigint, x3 float8, y float8)');
my %values = map { split /\|/, $_, 2 } split /\n/, $mpc->ask($hospital, 'SELECT id, x1 FROM small_a_d');
$mpc->ask($insurer, 'INSERT INTO copied SELECT v.id, v.x3, b.y FROM (VALUES '
	  . join(',', map { "($_, $values{$_} + " . ($_ == 9 ? 1 : 0) . ')' } sort keys %values) . ') AS v (id, x3) JOIN small_b_d AS b USING (id)');
is(run_default('copied', 'small_a_d', 'copied'), 'run MP005', 'columns of two parties that differ in one person: refused on shares');
is(run_default('copied_relaxed', 'small_a_d', 'copied', max_leverage => 1, max_vif => undef), 'released', 'and not without the rules');
is(run_default('flag_relaxed', 'number_flag', 'small_b_d', max_leverage => 1, max_vif => undef, max_dominance => 1), 'run MP005',
	'where its node lets the flag pass, the counts over the joined rows do not');
is(run_default('numbers', 'small_a_d', 'small_b_d', released_numbers => undef, max_leverage => 1, max_vif => undef), 'run MP005',
	'more released numbers than a tenth of the matched records');
$mpc->prepare_study('unrounded', $mpc->small_spec(), 'small_a_d', 'small_b_d');
$mpc->ask($hospital, "SELECT * FROM mpc.run_study('unrounded')");
$mpc->ended($_, 'unrounded') for $mpc->nodes;
for my $node ($mpc->nodes) {
	# A uniform column of width 1 and an outcome with deviation 1: grids of 2^-10 or coarser.
	is($node->safe_psql('postgres', "SELECT bool_and(coefficient * 1024 = trunc(coefficient * 1024) AND coefficient / grid = trunc(coefficient / grid))
		FROM mpc_internal.coefficient_rows WHERE study = 'rounded'"), 't', 'released numbers lie on their grids');
	is($node->safe_psql('postgres', "SELECT bool_and(abs(s.coefficient - r.coefficient) <= r.grid / 200) FROM mpc.coefficients('rounded') AS s
		JOIN mpc_internal.coefficient_rows AS r USING (attribute) WHERE r.study = 'rounded'"), 't', 'and are shown next to them');
	is($mpc->ask($node, "SELECT bool_and(abs(a.coefficient - b.coefficient) < 0.05) AND bool_or(a.coefficient <> b.coefficient)
		FROM mpc.coefficients('rounded') AS a JOIN mpc.coefficients('unrounded') AS b USING (attribute)"), 't', 'near the exact ones');
}

$mpc->stop;
done_testing();
