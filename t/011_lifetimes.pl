# Running studies when the server changes: no free worker slot, DROP DATABASE, DROP EXTENSION, and several studies at once
# with every node in every role.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ThreeParties;

my $mpc = ThreeParties->new('pg_mpc.step_timeout' => '30s');
my ($hospital, $insurer, $third) = $mpc->nodes;
$mpc->load_small(150);

# --- several studies at once: every node is the third party of one of them ---
$mpc->ask($third, "CREATE TABLE small_c AS SELECT i::bigint AS id, (i % 17)::float8 AS x4 FROM generate_series(1, 150) AS i");
my %node = map { $mpc->party($_) => $_ } $mpc->nodes;
my %part = (
	erasmus_mc => ['small_a', ['x1', 'x2']],
	zilveren_kruis => ['small_b', ['x3'], 'y'],
	zorgttp => ['small_c', ['x4']]);
my %study = (as_usual => 'zorgttp', hospital_helps => 'erasmus_mc', insurer_helps => 'zilveren_kruis');
for my $study (sort keys %study) {
	my @controllers = grep { $_ ne $study{$study} } sort keys %part;
	# Without the insurer another controller holds the outcome.
	my %controllers = map { my ($relation, $columns, $outcome) = @{$part{$_}};
		$_ => {attributes => $columns, $outcome ? (outcome => $outcome) : ()} } @controllers;
	$controllers{zorgttp} = {attributes => [], outcome => 'x4'} if $study{$study} eq 'zilveren_kruis';
	my $spec = JSON::PP->new->canonical->encode({controllers => \%controllers, third_party => $study{$study},
		key_bits => 2048, analysis => {kind => 'lasso', lambda => 0.01}});
	my $digest = $mpc->ask($hospital, "SELECT mpc.propose_study('$study', '$spec')");
	$mpc->ask($node{$_}, $mpc->approval($study, $digest, '', $_ eq $study{$study} ? undef : $part{$_}[0])) for sort keys %part;
}
my @jobs = map { $mpc->start_sql($node{$study{$_}}, "SELECT count(*) FROM mpc.run_study('$_')") } sort keys %study;
for my $job (@jobs) {
	my ($code, $out, $err) = $mpc->finish($job);
	is($code, 0, 'a study beside two others ran at ' . $mpc->party($job->{node})) or diag($err);
}
for my $study (sort keys %study) {
	for my $node ($mpc->nodes) {
		$mpc->become($node, "SELECT state = 'released' FROM mpc.studies WHERE study = '$study'");
	}
	pass("$study is released on all nodes");
}

# --- no free worker slot: the error names the setting, and no node waits ---
$mpc->prepare_study('slots', $mpc->small_spec, 'small_a', 'small_b');
$insurer->append_conf('postgresql.conf', 'max_worker_processes = 3');
$insurer->restart;
$mpc->become($insurer, "SELECT count(*) = 1 FROM mpc.node_status() WHERE \"check\" = 'workers' AND status = 'ok'");
is($mpc->ask($insurer, "SELECT status, hint ~ 'max_worker_processes' FROM mpc.node_status() WHERE \"check\" = 'worker slots'"),
	'problem|t', 'node_status sees that no slot is free');
my $said = $mpc->refuses($insurer, "SELECT * FROM mpc.run_study('slots')", '54000',
	qr/no background worker slot is free for the engine at this node, party zilveren_kruis/, 'run without a free worker slot');
like($said, qr/HINT:  Raise max_worker_processes/, 'the hint names the setting');
$said = $mpc->refuses($hospital, "SELECT * FROM mpc.run_study('slots')", '54000',
	qr/party zilveren_kruis has reached a limit and cannot start study 'slots' now/, 'a peer learns whose server it is');
unlike($said, qr/max_worker_processes/, 'and no hint about its own');
for my $node ($hospital, $third) {
	$mpc->become($node, "SELECT count(*) = 0 FROM mpc.stat_study_progress");
}
$insurer->append_conf('postgresql.conf', 'max_worker_processes = 8');
$insurer->restart;
$mpc->become($insurer, "SELECT bool_and(status = 'ok') FROM mpc.node_status()");
$mpc->ask($insurer, "SELECT * FROM mpc.run_study('slots')");
is($mpc->state($hospital, 'slots'), 'released', 'with a slot the same study runs');

# --- DROP EXTENSION while a study runs: the study ends, and the node can be set up again ---
# running(STUDY): starts a study and waits until the engine of the insurer waits for its source.
sub running {
	my ($study) = @_;
	$mpc->prepare_study($study, $mpc->small_spec, 'small_a', 'small_b');
	my $held = $mpc->hold($insurer, 'small_b');
	my $job = $mpc->start_sql($hospital, "SELECT * FROM mpc.run_study('$study')");
	$mpc->become($_, "SELECT count(*) = 1 FROM mpc.stat_study_progress WHERE study = '$study'") for $mpc->nodes;
	return ($held, $job);
}

# set_up_again(NODE): creates the extension and adds the peers.
sub set_up_again {
	my ($node) = @_;
	$node->safe_psql('postgres', 'CREATE EXTENSION pg_mpc');
	$mpc->introduce($node);
	$mpc->become($_, 'SELECT bool_and(status = \'ok\') FROM mpc.node_status()') for $mpc->nodes;
}

my ($held, $job) = running('dropped');
$third->safe_psql('postgres', 'DROP EXTENSION pg_mpc');
$mpc->release($held);
my ($code, $out, $err) = $mpc->finish($job);
$mpc->become($third, "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'pg_mpc engine'");
pass('no engine outlives the study');
set_up_again($third);
is($mpc->ask($third, 'SELECT count(*) FROM mpc.studies'), '0', 'a new extension knows no study');
$mpc->prepare_study('after_drop', $mpc->small_spec, 'small_a', 'small_b');
$mpc->ask($third, "SELECT * FROM mpc.run_study('after_drop')");
is($mpc->ended($insurer, 'after_drop'), 'released', 'and runs new ones');

# --- DROP DATABASE while a study runs: refused, the coordinator is connected; WITH (FORCE) ends the study ---
($held, $job) = running('database');
my $database = 'DROP DATABASE postgres';
is(($third->psql('template1', $database, stderr => \$said, extra_params => ['-v', 'VERBOSITY=verbose']))[0], 3,
	'the database of the studies is not dropped under their feet');
like($said, qr/55006.*being accessed by other users/s, 'because this node is connected to it');
$third->safe_psql('template1', "$database WITH (FORCE)");
($code, $out, $err) = $mpc->finish($job);
like($err, qr/MP00[123].*zorgttp/s, 'forced: the peers learn who has left') or diag($err);
$mpc->release($held);
for my $node ($hospital, $insurer) {
	$mpc->become($node, "SELECT state ~ 'failed|cancelled' FROM mpc.studies WHERE study = 'database'");
	$mpc->become($node, 'SELECT count(*) = 0 FROM mpc.stat_study_progress');
}
pass('no study is left running at the peers');
$third->safe_psql('template1', 'CREATE DATABASE postgres');
$third->safe_psql('postgres', 'GRANT CREATE ON SCHEMA public TO analyst');
set_up_again($third);
$mpc->prepare_study('after_all', $mpc->small_spec, 'small_a', 'small_b');
$mpc->ask($hospital, "SELECT * FROM mpc.run_study('after_all')");
is($mpc->state($third, 'after_all'), 'released', 'the node works in its new database');

$mpc->stop;
done_testing();
