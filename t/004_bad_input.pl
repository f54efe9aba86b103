# Wrong input of users: each is refused with its SQLSTATE and a text that names the cause.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use JSON::PP;
use Test::More;
use ThreeParties;

my $mpc = ThreeParties->new;
my ($hospital, $insurer, $third) = $mpc->nodes;
$mpc->load_small(300);
my $number = 0;

# run_fails(SPEC, HOSPITAL RELATION, INSURER RELATION, SQLSTATE, PATTERN, NAME, STARTER): a study that all approve, that is
# refused when it runs, and that ends at every node. Returns its name and the error of its starter.
sub run_fails {
	my ($spec, $a, $b, $sqlstate, $pattern, $name, $starter) = @_;
	my $study = 'bad_' . ++$number;
	$mpc->prepare_study($study, $spec, $a, $b);
	my $said = $mpc->refuses($starter // $hospital, "SELECT * FROM mpc.run_study('$study')", $sqlstate, $pattern, $name);
	nothing_half_done($study, $name);
	return ($study, $said);
}

# Every node shows that the study failed and why. No engine, no result and no match count remains.
sub nothing_half_done {
	my ($study, $name) = @_;
	for my $node ($mpc->nodes) {
		$mpc->become($node, "SELECT state = 'failed' FROM mpc.studies WHERE study = '$study'");
		is($mpc->ask($node, "SELECT sqlstate ~ '^[0-9A-Z]{5}\$', last_error <> '', n_matched IS NULL,
				(SELECT count(*) FROM mpc.stat_study_progress) + (SELECT count(*) FROM mpc.models WHERE study = '$study'),
				(SELECT count(*) FROM mpc.approvals WHERE study = '$study' AND decision = 'approved')
			FROM mpc.studies WHERE study = '$study'"),
			't|t|t|0|3', "$name: nothing half done at " . $mpc->party($node));
	}
}

# --- the spec ---
sub bad_spec {
	my ($spec, $sqlstate, $pattern, $name) = @_;
	$mpc->refuses($hospital, "SELECT mpc.propose_study('bad_spec', '$spec')", $sqlstate, $pattern, $name);
}
bad_spec($mpc->small_spec(colour => 'blue'), '22023', qr/colour/, 'unknown key');
bad_spec($mpc->small_spec(analysis => {kind => 'lasso', lambda => -1}), '22023', qr/lambda/, 'lambda below 0');
bad_spec($mpc->small_spec(analysis => {kind => 'lasso'}), '22023', qr/lambda/, 'no lambda');
bad_spec($mpc->small_spec(analysis => {kind => 'lasso', lambda => 'much'}), '22023', qr/lambda/, 'lambda is text');
bad_spec($mpc->small_spec(key_bits => 1024), '22023', qr/key_bits/, 'small key');
bad_spec($mpc->small_spec(third_party => 'nobody'), '42704', qr/nobody/, 'unknown peer');
bad_spec($mpc->small_spec(third_party => 'erasmus_mc'), '22023', qr/third_party|erasmus_mc/, 'one party in two roles');
bad_spec(ThreeParties::spec(['X 1'], ['x3'], 'y', 1), '22023', qr/X 1|name/, 'a name that is none');
bad_spec(ThreeParties::spec([qw(x1 x1)], ['x3'], 'y', 1), '22023', qr/x1/, 'an attribute twice');
bad_spec('{"controllers": 1}', '22023', qr/controllers/, 'a spec of another shape');

# --- approvals ---
my $digest = $mpc->propose('approvals', $mpc->small_spec);
my $wrong = $digest =~ s/^./$digest =~ m{^0} ? '1' : '0'/er;
$mpc->refuses($hospital, $mpc->approval('approvals', $wrong, 'hospital', 'small_a'), '22023', qr/$digest/,
	'another digest: the detail says what this node holds');
$mpc->refuses($hospital, $mpc->approval('nothing_here', $digest, 'hospital', 'small_a'), '42704', qr/nothing_here/,
	'an unknown study');
$mpc->refuses($hospital, $mpc->approval('approvals', $digest, 'hospital'), '22004', qr/source/,
	'a controller without a source');
$mpc->refuses($third, $mpc->approval('approvals', $digest, 'third', 'pg_class'), '22023', qr/source|third party/,
	'the third party with a source');
$mpc->ask($hospital, 'CREATE TABLE no_x2 (id bigint, x1 float8);
	CREATE TABLE text_x2 (id bigint, x1 float8, x2 text);
	CREATE VIEW over_a AS SELECT * FROM small_a');
$mpc->refuses($hospital, $mpc->approval('approvals', $digest, 'hospital', 'no_x2'), '42703', qr/x2/, 'a missing column');
$mpc->refuses($hospital, $mpc->approval('approvals', $digest, 'hospital', 'text_x2'), '42804', qr/x2/,
	'a column that is no number');
$mpc->refuses($hospital, "SELECT mpc.approve_study('approvals', digest => '$digest', source => 'small_a'::regclass,
	identifier => 'bsn')", '42703', qr/bsn/, 'a missing identifier');
$hospital->safe_psql('postgres', 'CREATE TABLE hidden AS SELECT * FROM small_a; CREATE VIEW hidden_view AS
	SELECT * FROM hidden; CREATE ROLE clerk LOGIN IN ROLE mpc_reader');
$mpc->refuses($hospital, $mpc->approval('approvals', $digest, 'hospital', 'hidden_view'), '42501', qr/hidden_view/,
	'a view without privilege');
my ($text, $state) = $mpc->refused($hospital, $mpc->approval('approvals', $digest, 'hospital', 'small_a'),
	user => 'clerk');
is($state, '42501', 'a reader may not approve');
$mpc->refuses($hospital, "BEGIN; " . $mpc->approval('approvals', $digest, 'hospital', 'small_a')
	  . "; SELECT * FROM mpc.run_study('approvals')", '25001', qr/commit first/i, 'run in the transaction of the approval');
$mpc->refuses($hospital, "SELECT * FROM mpc.run_study('approvals')", '55000', qr/approve/, 'run before the own approval');
$mpc->ask($hospital, $mpc->approval('approvals', $digest, 'hospital', 'over_a'));
$mpc->ask($third, $mpc->approval('approvals', $digest, 'third'));
$mpc->refuses($hospital, "SELECT * FROM mpc.run_study('approvals')", '55000', qr/zilveren_kruis/,
	'run before a peer approved: the peer is named');
$mpc->refuses($hospital, "SELECT * FROM mpc.run_study('nothing_here')", '42704', qr/nothing_here/,
	'run of an unknown study');
$mpc->ask($insurer, $mpc->approval('approvals', $digest, 'insurer', 'small_b'));
$mpc->ask($hospital, "SELECT * FROM mpc.run_study('approvals')");
is($mpc->state($hospital, 'approvals'), 'released', 'the same study runs when all have approved, on a view');
# The privilege is checked when the data are read, not only at the approval.
$hospital->safe_psql('postgres', 'CREATE TABLE lent AS SELECT * FROM small_a; GRANT SELECT ON lent TO analyst');
$mpc->prepare_study('revoked', $mpc->small_spec, 'lent', 'small_b');
$hospital->safe_psql('postgres', 'REVOKE SELECT ON lent FROM analyst');
$mpc->refuses($hospital, "SELECT * FROM mpc.run_study('revoked')", '42501', qr/lent/, 'a privilege that was revoked');

# --- values ---
# table(SIDE, NAME, UPDATE...): makes a changed copy of the small data.
sub table {
	my ($node, $name, @changes) = @_;
	my $from = $node == $hospital ? 'small_a' : 'small_b';
	$mpc->ask($node, join ';', "CREATE TABLE $name AS SELECT * FROM $from", @changes);
	return $name;
}
table($hospital, 'with_null', 'UPDATE with_null SET x1 = NULL WHERE id <= 7');
$mpc->prepare_study('nulls', $mpc->small_spec, 'with_null', 'small_b');
$mpc->ask($hospital, "SELECT * FROM mpc.run_study('nulls')");
is($mpc->ask($hospital, "SELECT n FROM mpc.fit('nulls')"), '293', 'rows with a NULL are dropped');
is($mpc->ask($hospital, "SELECT records FROM mpc.steps WHERE study = 'nulls' AND name = 'prepare'"), '293',
	'and not counted as records');
is($mpc->ask($hospital, "SELECT nulls FROM mpc.check_source('nulls', 'with_null', identifier => 'id')
	WHERE column_name = 'x1'"), '7', 'check_source counts them');

my $spec = $mpc->small_spec;
run_fails($spec, table($hospital, 'with_nan', "UPDATE with_nan SET x2 = 'NaN' WHERE id = 5"), 'small_b', '22000',
	qr/x2/, 'NaN: the column is named');
run_fails($spec, table($hospital, 'with_infinity', "UPDATE with_infinity SET x1 = 'infinity' WHERE id = 5"), 'small_b',
	'22000', qr/x1/, 'infinity: the column is named');
run_fails($spec, table($hospital, 'far_away', 'UPDATE far_away SET x1 = 1e9 + x1'), 'small_b', '22003', qr/x1/,
	'a mean far out of range: the column is named');
run_fails($spec, table($hospital, 'enormous', 'ALTER TABLE enormous ALTER x2 TYPE numeric USING 10::numeric ^ 400'),
	'small_b', '22000', qr/x2/, 'numeric that no float8 holds: the column is named');
like($mpc->ask($hospital, "SELECT problem FROM mpc.check_source('nulls', 'enormous', identifier => 'id')
	WHERE column_name = 'x2'"), qr/infinite/, 'check_source finds it');
my ($empty) = run_fails($spec, table($hospital, 'all_null', 'UPDATE all_null SET x1 = NULL'), 'small_b', '22000',
	qr/no complete record.*300 records/s, 'no record without a missing value');
$digest = $mpc->propose('twice', $spec);
table($hospital, 'twice', 'INSERT INTO twice SELECT * FROM small_a WHERE id <= 4', 'INSERT INTO twice VALUES (5)');
$mpc->refuses($hospital, $mpc->approval('twice', $digest, 'hospital', 'twice'), '22000',
	qr/the source has duplicate identifiers.*\b5 records/s, 'duplicate identifiers, also of incomplete records: how many');
like($mpc->ask($hospital, "SELECT string_agg(problem, ' ') FROM mpc.check_source('nulls', 'twice', identifier => 'id')"),
	qr/duplicate/, 'check_source finds the duplicates');
# The source is corrected and approved again. The other parties, which approved other data, approve again too. Then the
# same study runs.
$mpc->ask($hospital, 'UPDATE all_null SET x1 = s.x1 FROM small_a AS s WHERE s.id = all_null.id');
$digest = $mpc->ask($hospital, "SELECT digest FROM mpc.studies WHERE study = '$empty'");
$mpc->ask($hospital, $mpc->approval($empty, $digest, 'hospital', 'all_null'));
$mpc->approve_again($empty, $digest, 'all_null', 'small_b');
$mpc->ask($insurer, "SELECT * FROM mpc.run_study('$empty')");
is($mpc->ask($hospital, "SELECT state, sqlstate, last_error FROM mpc.studies WHERE study = '$empty'"), 'released||',
	'the corrected study runs, its earlier failure is gone');
run_fails($spec, 'small_a', table($insurer, 'bad_outcome', "UPDATE bad_outcome SET y = 'NaN' WHERE id = 9"), '22000|MP002',
	qr/zilveren_kruis|y/, 'an error at the other controller');

# A peer learns that a party stopped, but not why: only the node of that party names the column.
is($mpc->ask($hospital, "SELECT count(*) FROM mpc.studies WHERE last_error ~ '\\my\\M' AND study = 'bad_$number'"), '0',
	'the hospital does not learn the column of the insurer');

# A column that is constant after the join: coefficient 0.
table($hospital, 'constant', 'UPDATE constant SET x2 = 4');
$mpc->prepare_study('constant', $mpc->small_spec, 'constant', 'small_b');
$mpc->ask($hospital, "SELECT * FROM mpc.run_study('constant')");
is($mpc->coefficients($hospital, 'constant')->{x2} + 0, 0, 'a constant column has coefficient 0');
table($hospital, 'nearly', 'UPDATE nearly SET x2 = 4; INSERT INTO nearly VALUES (1001, 0.1, 5), (1002, 0.2, 3)');
$mpc->prepare_study('nearly', $mpc->small_spec, 'nearly', 'small_b');
$mpc->ask($hospital, "SELECT * FROM mpc.run_study('nearly')");
is($mpc->coefficients($hospital, 'nearly')->{x2} + 0, 0, 'a column that is constant only after the join, too');

# In ridge its coefficient would be the only zero and so reveal the column: nothing is opened.
$mpc->prepare_study('ridge', $mpc->small_spec(analysis => {kind => 'ridge', lambda => 0.01}), 'nearly', 'small_b');
$mpc->refuses($insurer, "SELECT * FROM mpc.run_study('ridge')", 'MP005', qr/the result failed its validity check and was not opened/,
	'ridge with a column that is constant after the join');
for my $node ($mpc->nodes) {
	$mpc->become($node, "SELECT state = 'failed' FROM mpc.studies WHERE study = 'ridge'");
	is($mpc->ask($node, "SELECT count(*) FROM mpc.models WHERE study = 'ridge'"), '0', 'no model of it at ' . $mpc->party($node));
}

# One iteration is not enough: no party receives a result that has not converged.
$mpc->prepare_study('short', $mpc->small_spec(analysis => {kind => 'lasso', lambda => 0.01, max_iterations => 1}),
	'small_a', 'small_b');
$mpc->refuses($hospital, "SELECT * FROM mpc.run_study('short')", 'MP006', qr/did not converge.*max_iterations/s,
	'the iteration cap: nothing is opened');
for my $node ($mpc->nodes) {
	$mpc->become($node, "SELECT state = 'failed' FROM mpc.studies WHERE study = 'short'");
	is($mpc->ask($node, "SELECT s.sqlstate, (SELECT count(*) FROM mpc.models AS m WHERE m.study = s.study)
		FROM mpc.studies AS s WHERE s.study = 'short'"), 'MP006|0', 'the same at ' . $mpc->party($node));
}

# --- too few matches: one bit is opened, and no table has the count ---
table($hospital, 'few', 'UPDATE few SET id = id + 5000 WHERE id > 37');
table($hospital, 'none', 'UPDATE none SET id = id + 5000');

# rows_with_37(NODE, STUDY): the rows about the study, of all tables and views of the extension, that hold the number 37.
sub rows_with_37 {
	my ($node, $study) = @_;
	my $relations = $node->safe_psql('postgres', q{SELECT oid::regclass FROM pg_class
		WHERE relnamespace::regnamespace::text IN ('mpc', 'mpc_internal') AND relkind IN ('r', 'v')});
	# Row numbers, places in ledgers and times are not counts of records.
	my $query = join ' UNION ALL ', map { "SELECT '$_', regexp_replace(
		(to_jsonb(r) - 'id' - 'place' - 'pid')::text, '\\d{4}-\\d\\d-\\d\\dT[^\"]*|\"place\": \\d+', '', 'g') FROM $_ AS r" }
		split /\n/, $relations;
	cmp_ok(scalar(split /\n/, $relations), '>', 10, 'relations searched');
	return $node->safe_psql('postgres', "SELECT * FROM ($query) AS f (relation, row)
		WHERE row ~ '\\m$study\\M' AND row ~ '(?<![\\d.])\\m37\\M(?!\\.)'");
}

my @answers;
for my $relation ('few', 'none') {
	# Only the third party knows the count, so its session is checked too.
	my ($study, $said) = run_fails($mpc->small_spec, $relation, 'small_b', 'MP005', qr/fewer|matched|refused/,
		"matches: $relation", $third);
	unlike($said, qr/(?<![\d.])\b37\b(?!\.)/, "$relation: the session does not show the count");
	my @said;
	for my $node ($mpc->nodes) {
		push @said, $mpc->ask($node, "SELECT sqlstate, last_error FROM mpc.studies WHERE study = '$study'");
		is(rows_with_37($node, $study), '', "$relation: 37 is nowhere at " . $mpc->party($node));
	}
	push @answers, [@said];
}
is_deeply($answers[0], $answers[1], 'few and none look the same');

# The nodes still work afterwards.
$mpc->prepare_study('afterwards', $mpc->small_spec, 'small_a', 'small_b');
$mpc->ask($insurer, "SELECT * FROM mpc.run_study('afterwards')");
is($mpc->state($insurer, 'afterwards'), 'released', 'a good study afterwards');

# The logs have no count below the minimum and no long hexadecimal text except public values.
for my $node ($mpc->nodes) {
	my $party = $mpc->party($node);
	my @lines = $mpc->log_lines($node);
	cmp_ok(scalar(@lines), '>', 10, "$party: the log was read");
	# Line numbers of PL/pgSQL are not counts either.
	is_deeply([grep { /(?<![\d.:])\b37\b(?![.:])/ && !/PL\/pgSQL function/ } @lines], [], "$party: 37 is not in the log");
	my %known = map { $_ => 1 } split /\n/, $node->safe_psql('postgres', 'SELECT digest FROM mpc_internal.studies UNION
		SELECT attempt FROM mpc_internal.ledger WHERE attempt IS NOT NULL UNION SELECT fingerprint FROM mpc.parties UNION
		SELECT fingerprint FROM mpc_internal.own_certificate()');
	my @unknown = grep { !$known{$_} && $_ ne $wrong } map { /\b([0-9a-f]{32,})\b/g } @lines;
	is_deeply(\@unknown, [], "$party: no key, hash or share is in the log");
}

$mpc->stop;
done_testing();
