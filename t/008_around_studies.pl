# The environment of studies: a server that did not preload pg_mpc, an approval that waits for its proposal, a certificate
# that cannot be read, dump and restore.
use strict;
use warnings;
use Cwd qw(abs_path);
use FindBin;
use lib "$FindBin::Bin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ThreeParties;

my $mpc = ThreeParties->new;
my ($hospital, $insurer, $third) = $mpc->nodes;
$mpc->load_small(150);

# --- a server without preloading: cryptography works, all other functions name the missing setting ---
my $plain = PostgreSQL::Test::Cluster->new('plain');
$plain->init;
$plain->start;
$plain->safe_psql('postgres', 'CREATE EXTENSION pg_mpc; CREATE ROLE analyst LOGIN IN ROLE mpc_admin, mpc_study, mpc_reader');
is($mpc->ask($plain, q{SELECT mpc.shamir_combine(party, share) FROM mpc.shamir_split(42, 2, 3)}), '42',
	'cryptography works without preloading');
is($mpc->ask($plain, q{SELECT "check", status, hint ~ 'shared_preload_libraries' FROM mpc.node_status()}),
	'preload|problem|t', 'node_status says what is missing');
for my $call (
	"SELECT mpc.propose_study('s', '{}')",
	"SELECT mpc.approve_study('s', repeat('0', 64))",
	"SELECT mpc.add_peer('zorgttp', 'https://localhost:1', 'x')",
	"SELECT mpc.start_study('s')",
	"SELECT * FROM mpc.run_study('s')",
	"CALL mpc.run('s')",
	"SELECT mpc.wait_for_study('s')",
	"SELECT mpc.cancel_study('s')",
	"SELECT * FROM mpc.prepare('s')",
	"SELECT * FROM mpc.agree_key('s')",
	"SELECT * FROM mpc.ping_peer('zorgttp')") {
	my ($function) = $call =~ /mpc\.(\w+)/;
	$mpc->refuses($plain, $call, '55000', qr/not preloaded.*shared_preload_libraries = 'pg_mpc'/s,
		"$function without preloading");
}
is($mpc->ask($plain, 'SELECT count(*) FROM mpc.studies'), '0', 'the views can be read');

# --- an approval waits for a proposal that has not arrived yet ---
my $spec = $mpc->small_spec;
my $digest = $hospital->safe_psql('postgres',
	"SELECT mpc_internal.study_digest('awaited', mpc_internal.parse_spec('$spec'))");
my @jobs = ($mpc->start_sql($insurer, $mpc->approval('awaited', $digest, 'insurer', 'small_b')),
	$mpc->start_sql($third, $mpc->approval('awaited', $digest, 'third')));
for my $node ($insurer, $third) {
	$mpc->become($node, "SELECT count(*) = 1 FROM pg_stat_activity WHERE state = 'active'
		AND query LIKE 'SELECT mpc.approve_study(''awaited''%'");
}
is($mpc->propose('awaited', $spec), $digest, 'the digest is a function of name and spec');
for my $job (@jobs) {
	my ($code, $out, $err) = $mpc->finish($job);
	is($code, 0, $mpc->party($job->{node}) . ' approved a proposal that came after the call') or diag($err);
}
$mpc->ask($hospital, $mpc->approval('awaited', $digest, 'hospital', 'small_a'));
$mpc->ask($hospital, "SELECT * FROM mpc.run_study('awaited')");
is($mpc->state($hospital, 'awaited'), 'released', 'and the study runs');

# The same name with another spec is a new version: the approvals are void, and the digest of the old one is refused.
my $second = $mpc->propose('awaited', $mpc->small_spec(analysis => {kind => 'lasso', lambda => 0.02}));
$mpc->become($insurer, "SELECT digest = '$second' FROM mpc.studies WHERE study = 'awaited'");
$mpc->refuses($insurer, $mpc->approval('awaited', $digest, 'insurer', 'small_b'), '22023', qr/version 2.*$second/s,
	'the digest of an earlier version');
is($mpc->ask($insurer, "SELECT count(*) FROM mpc.approvals WHERE study = 'awaited' AND version = 2"), '0',
	'a new version has no approvals');

# A party rejects: the others see it with its reason, and no party can run the study.
$mpc->ask($insurer, "SELECT mpc.reject_study('awaited', 'one model is enough')");
for my $node ($hospital, $third) {
	$mpc->become($node, "SELECT state = 'rejected' AND last_error = 'zilveren_kruis: \"one model is enough\"'
		FROM mpc.studies WHERE study = 'awaited'");
}
$mpc->refuses($hospital, "SELECT * FROM mpc.run_study('awaited')", '55000', qr/rejected.*one model is enough/s,
	'run of a rejected study');

# --- a certificate that cannot be read ---
# settings(NODE, NAME => VALUE or undef): changes settings while the server runs.
sub settings {
	my ($node, $name, $value) = @_;
	$node->safe_psql('postgres',
		defined $value ? "ALTER SYSTEM SET pg_mpc.$name = '$value'" : "ALTER SYSTEM RESET pg_mpc.$name");
	$node->reload;
}
for my $file ('certificate_file', 'private_key_file') {
	settings($hospital, $file, '/nowhere/to.be.found');
	$mpc->become($hospital, "SELECT status = 'problem' FROM mpc.node_status() WHERE \"check\" = 'certificate'");
	is($mpc->ask($hospital, "SELECT detail ~ '/nowhere/to.be.found', hint <> '' FROM mpc.node_status()
		WHERE \"check\" = 'certificate'"), 't|t', "$file: node_status names the path");
	settings($hospital, $file, undef);
}
# The key of another certificate.
my $other = $hospital->basedir . '/other';
mkdir $other;
ThreeParties::make_certificate('erasmus_mc', $other);
settings($hospital, 'private_key_file', abs_path($other) . '/erasmus_mc.key');
$mpc->become($hospital, "SELECT status = 'problem' AND detail ~* 'key' AND hint <> '' FROM mpc.node_status()
	WHERE \"check\" = 'certificate'");
pass('a key that does not fit the certificate');
settings($hospital, 'private_key_file', undef);
$mpc->become($hospital, "SELECT bool_and(status = 'ok') FROM mpc.node_status()");
pass('all is well again');

# --- dump and restore: a dump has specs, decisions, history and results, but no keys, shares or messages ---
my $dump = $hospital->basedir . '/dump';
$mpc->ask($hospital, "SELECT mpc.draft_study('drafted', '$spec')");
my $chain = $mpc->ask($hospital, 'SELECT head FROM mpc.verify_ledger()');
$hospital->command_ok(['pg_dump', '-Fc', '-f', $dump, $hospital->connstr('postgres')], 'pg_dump');
$hospital->safe_psql('postgres', 'CREATE DATABASE restored TEMPLATE template0');
$hospital->command_ok(['pg_restore', '--exit-on-error', '-d', $hospital->connstr('restored'), $dump], 'pg_restore');
for my $query ('SELECT party, url, fingerprint FROM mpc.parties ORDER BY party',
	'SELECT study, version, digest, state, spec FROM mpc.studies ORDER BY study, version',
	'SELECT study, version, party, decision, decided_at, source, expires_at FROM mpc.approvals ORDER BY study, version, party',
	'SELECT * FROM mpc.steps', 'SELECT * FROM mpc.ledger ORDER BY id', 'SELECT * FROM mpc.study_history ORDER BY id',
	"SELECT study, lambda, attribute, coefficient, intercept, r_squared FROM mpc.models",
	"SELECT * FROM mpc.coefficients('awaited')",
	"SELECT mpc.predict('awaited', '{\"x1\": 0.1, \"x2\": 0.2, \"x3\": 0.3}')") {
	my $before = $hospital->safe_psql('postgres', $query);
	isnt($before, '', "something to keep: $query");
	is($hospital->safe_psql('restored', $query), $before, "kept: $query");
}
is($hospital->safe_psql('restored', 'SELECT intact, head, entries = sealed FROM mpc.verify_ledger()'), "t|$chain|t",
	'the restored ledger is the same chain');
$hospital->safe_psql('restored', "SELECT mpc_internal.record_event(NULL, NULL, 'peer_added', 'x', '{}')");
is($hospital->safe_psql('restored', "SELECT intact, head <> '$chain', entries = sealed FROM mpc.verify_ledger()"), 't|t|t',
	'and continues');
my $key = unpack('H*', slurp_file($hospital->data_dir . '/pg_mpc/pgsql_tmp.source_key'));
my ($listing) = run_command(['pg_restore', '-f', '-', $dump]);
unlike($listing, qr/$key/i, 'the key of the source digests is not in the dump');
unlike($listing, qr/COPY mpc_internal\.outbox/, 'nor are messages on their way');
my $text = '';
$hospital->psql('restored', "SELECT mpc.propose_study('elsewhere', '$spec')", stderr => \$text,
	extra_params => ['-v', 'VERBOSITY=verbose']);
like($text, qr/55000:.*are in database "postgres".*DETAIL:.*restored.*HINT:/s,
	'studies live in one database of a server');

$mpc->stop;
$plain->stop('fast');
done_testing();
