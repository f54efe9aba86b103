# pg_upgrade of a node: specs, decisions, history and results are kept under the same oids, and the ledger is the same
# chain. The source key is not copied, so approvals are given again. Then studies run.
# Both data directories belong to the same version of PostgreSQL. Differences between major versions are not tested here.
use strict;
use warnings;
use Cwd qw(abs_path getcwd);
use File::Find qw(find);
use FindBin;
use lib "$FindBin::Bin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ThreeParties;

my $mpc = ThreeParties->new;
my ($hospital, $insurer, $third) = $mpc->nodes;
$mpc->load_small(150);

# --- a node with a history ---
$mpc->prepare_study('released', $mpc->small_spec(analysis => {kind => 'lasso', lambda => [0.01, 0.02]}), 'small_a', 'small_b');
$mpc->ask($insurer, "SELECT * FROM mpc.run_study('released')");
$mpc->ended($_, 'released') for $mpc->nodes;
my $digest = $mpc->prepare_study('approved', $mpc->small_spec, 'small_a', 'small_b');
$mpc->ask($hospital, "SELECT mpc.draft_study('drafted', '" . $mpc->small_spec . "')");
$mpc->become($_, "SELECT state = 'approved' FROM mpc.studies WHERE study = 'approved'") for $mpc->nodes;
# A message that waits for its peer.
$third->stop('fast');
$mpc->propose('waiting', $mpc->small_spec(analysis => {kind => 'lasso', lambda => 0.05}));
$mpc->become($hospital, "SELECT count(*) = 1 FROM mpc_internal.outbox WHERE party = 'zorgttp' AND message ->> 'study' = 'waiting'");

my @kept = ('SELECT party, url, fingerprint FROM mpc.parties ORDER BY party',
	'SELECT study, version, digest, state, spec FROM mpc.studies ORDER BY study, version',
	'SELECT * FROM mpc.approvals ORDER BY study, version, party',
	'SELECT a.study, a.source, a.source::regclass, a.approver::regrole, a.source_digest FROM mpc_internal.approvals AS a ORDER BY 1, 2',
	'SELECT * FROM mpc.steps', 'SELECT * FROM mpc.ledger ORDER BY id', 'SELECT * FROM mpc.study_history ORDER BY id',
	'SELECT * FROM mpc.models ORDER BY study, lambda', 'SELECT * FROM mpc.source_uses',
	"SELECT * FROM mpc.coefficients('released')",
	"SELECT mpc.predict('released', '{\"x1\": 0.1, \"x2\": 0.2, \"x3\": 0.3}', 0.01)",
	'SELECT id, party, message FROM mpc_internal.outbox',
	"SELECT extversion, extconfig::regclass[] FROM pg_extension WHERE extname = 'pg_mpc'");
my $chain = $mpc->ask($hospital, 'SELECT head FROM mpc.verify_ledger()');
my @before = map { $hospital->safe_psql('postgres', $_) } @kept;
my $key = slurp_file($hospital->data_dir . '/pg_mpc/pgsql_tmp.source_key');
$hospital->stop('fast');

# --- pg_upgrade, with the module preloaded on both sides ---
my $old_data = abs_path($hospital->data_dir);
my $next = PostgreSQL::Test::Cluster->new('erasmus_mc_next');
$next->init;
$next->append_conf('postgresql.conf', join '', grep { /^(?:pg_mpc\.|shared_preload_libraries)/ }
	  map { "$_\n" } split /\n/, slurp_file("$old_data/postgresql.conf"));
my $new_data = abs_path($next->data_dir);
my $bin = $hospital->config_data('--bindir');
my $here = getcwd;
# pg_upgrade leaves a script in the current directory.
chdir $next->basedir or BAIL_OUT($!);
command_ok(['pg_upgrade', '--retain', '--no-sync', '-d', $old_data, '-D', $new_data, '-b', $bin, '-B', $bin, '-s', $next->host,
	'-p', $hospital->port, '-P', $next->port], 'pg_upgrade');
chdir $here or BAIL_OUT($!);
my $log = join '', map { slurp_file($_) } glob "$new_data/pg_upgrade_output.d/*/log/pg_upgrade_server.log";
like($log, qr/starting PostgreSQL.*database system is ready/s, 'servers ran meanwhile');
is(join("\n", grep { /pg_mpc (?:listener|coordinator)|pg_mpc: listening/ } split /\n/, $log), '', 'without listener and coordinator');

# --- keys are not copied ---
my $found = 0;
my $files = 0;
find({no_chdir => 1, wanted => sub {
	return unless -f;
	my $content = slurp_file($_);
	$files++;
	$found++ if index($content, $key) >= 0 || $content =~ /@{[unpack 'H*', $key]}/i;
}}, $next->data_dir);
cmp_ok($files, '>', 900, 'files of the new data directory were read');
cmp_ok(length $key, '>=', 16, 'for the key of the source digests');
is($found, 0, 'which is in none of them');

# --- the node in its new data directory, at its old address ---
$next->{pg_mpc_party} = $hospital->{pg_mpc_party};
$next->{pg_mpc_port} = $hospital->{pg_mpc_port};
$mpc->{hospital} = $next;
$next->start;
for my $i (0 .. $#kept) {
	isnt($before[$i], '', "something to keep: $kept[$i]");
	is($next->safe_psql('postgres', $kept[$i]), $before[$i], "kept: $kept[$i]");
}
is($mpc->ask($next, 'SELECT intact, head, entries = sealed FROM mpc.verify_ledger()'), "t|$chain|t", 'the ledger is the same chain');

# The waiting message is delivered. Nothing changes for the peers.
$third->start;
$mpc->become($third, "SELECT count(*) = 1 FROM mpc.studies WHERE study = 'waiting'");
$mpc->become($_, "SELECT bool_and(status = 'ok') FROM mpc.node_status()") for $mpc->nodes;
pass('the message that waited is delivered, and all is well at all three');
for my $peer ($insurer, $third) {
	my $export = $mpc->ask($next, 'SELECT jsonb_agg(e) FROM mpc.export_ledger(entries => false) AS e');
	is($mpc->ask($peer, "SELECT string_agg(DISTINCT verdict, ',') FROM mpc.compare_ledger('erasmus_mc', '$export')"), 'same',
		$mpc->party($peer) . ' follows the ledger as before');
}

# Without the key the node cannot tell whether the source has changed since the approval.
$mpc->refuses($next, "SELECT * FROM mpc.run_study('approved')", '55000', qr/the source key of this node is new/,
	'an approval is given again after the upgrade');
$mpc->become($_, "SELECT state <> 'running' FROM mpc.studies WHERE study = 'approved'") for $mpc->nodes;
$mpc->ask($next, $mpc->approval('approved', $digest, 'hospital', 'small_a'));
$mpc->approve_again('approved', $digest, 'small_a', 'small_b');
$mpc->ask($next, "SELECT * FROM mpc.run_study('approved')");
is($mpc->ended($_, 'approved'), 'released', 'then the study runs: ' . $mpc->party($_)) for $mpc->nodes;
is($mpc->ask($next, "SELECT intact, head <> '$chain', entries = sealed FROM mpc.verify_ledger()"), 't|t|t', 'and the ledger continues');

$mpc->stop;
done_testing();
