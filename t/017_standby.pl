# A hot standby of a node: what can be read there, and what is refused at once. After a promotion the source key is new.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use ThreeParties;

my $mpc = ThreeParties->new(wal_level => 'replica', max_wal_senders => 4, hot_standby => 'on');
my ($hospital, $insurer, $third) = $mpc->nodes;
$mpc->load_small(150);
$mpc->prepare_study('released', $mpc->small_spec, 'small_a', 'small_b');
$mpc->ask($hospital, "SELECT * FROM mpc.run_study('released')");
$mpc->ended($_, 'released') for $mpc->nodes;
my $digest = $mpc->prepare_study('kept', $mpc->small_spec(analysis => {kind => 'lasso', lambda => 0.02}), 'small_a', 'small_b');
$mpc->become($_, "SELECT state = 'approved' FROM mpc.studies WHERE study = 'kept'") for $mpc->nodes;

$hospital->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($hospital, 'base', has_streaming => 1);
# PostgreSQL::Test does not keep the file mode that pg_basebackup keeps.
chmod 0700, $standby->data_dir . '/pg_mpc' or BAIL_OUT("chmod: $!");
$standby->start;
$standby->{pg_mpc_party} = $hospital->{pg_mpc_party};
$standby->{pg_mpc_port} = $hospital->{pg_mpc_port};

# --- reading ---
$mpc->ask($hospital, 'SELECT * FROM mpc.verify_ledger()');  # seals its last entries
$hospital->wait_for_catchup($standby);
for my $query ("SELECT * FROM mpc.coefficients('released')", "SELECT * FROM mpc.fit('released')", 'SELECT * FROM mpc.verify_ledger()',
	"SELECT * FROM mpc.explain_study('kept')", "SELECT mpc.predict('released', '{\"x1\": 0.1, \"x2\": 0.2, \"x3\": 0.3}')",
	"SELECT count(*) FROM mpc.export_ledger()",
	"SELECT * FROM mpc.check_source('kept', 'small_a', 'id')") {
	is($mpc->ask($standby, $query), $mpc->ask($hospital, $query), "the same on the standby: $query");
}
is($mpc->ask($standby, 'SELECT count(*) FROM mpc.stat_study_progress'), '0', 'nothing runs on it');
is($mpc->ask($standby, "SELECT \"check\", status, hint ~ 'primary' FROM mpc.node_status() WHERE status <> 'ok'"), 'standby|warning|t',
	'node_status has a row for it, and no other complaint');
is($mpc->ask($hospital, "SELECT status FROM mpc.node_status() WHERE \"check\" = 'standby'"), 'ok', 'not on the primary');

# --- functions that write are refused at once ---
my $begun = time;
for my $call ("SELECT mpc.add_peer('other', 'https://localhost:1', 'x')", "SELECT mpc.alter_peer('zorgttp', url => 'https://localhost:1')",
	"SELECT mpc.remove_peer('zorgttp')", "SELECT mpc.draft_study('s', '{}')", "SELECT mpc.propose_study('s', '{}')",
	"SELECT mpc.approve_study('kept', '$digest', 'small_a', 'id')", "SELECT mpc.reject_study('kept', 'no')",
	"SELECT mpc.withdraw_approval('kept')", "SELECT mpc.add_reader('kept', 'analyst')", "SELECT mpc.remove_reader('kept', 'analyst')",
	"SELECT mpc.forget_records('zilveren_kruis')", "SELECT mpc.keep_records('released', 'small_a', 'id')",
	"SELECT mpc.start_study('kept')", "SELECT mpc.wait_for_study('kept')", "SELECT mpc.cancel_study('kept')",
	"SELECT * FROM mpc.run_study('kept')", "CALL mpc.run('kept')", "SELECT * FROM mpc.ping_peer('zorgttp')",
	map { "SELECT * FROM mpc.$_('kept')" } qw(prepare agree_key scramble push match mask unmask share lasso)) {
	my ($function) = $call =~ /mpc\.(\w+)/;
	$mpc->refuses($standby, $call, '25006', qr/this server is a standby/, "$function on the standby");
}
cmp_ok(time - $begun, '<', 30, 'without waiting for workers that are not there');

# --- promotion: the source key is not copied ---
$hospital->stop('fast');
$standby->promote;
$mpc->{hospital} = $standby;
$mpc->become($_, "SELECT bool_and(status = 'ok') FROM mpc.node_status()") for $mpc->nodes;
my $said = $mpc->refuses($standby, "SELECT * FROM mpc.run_study('kept')", '55000', qr/the source key of this node is new/,
	'an approval under the key before');
unlike($said, qr/has changed/, 'the error does not say that the source has changed');
$mpc->become($_, "SELECT state <> 'running' FROM mpc.studies WHERE study = 'kept'") for $mpc->nodes;
$mpc->ask($standby, "SELECT mpc.keep_records('released', 'small_a', 'id')");
$mpc->ask($standby, $mpc->approval('kept', $digest, 'hospital', 'small_a'));
$mpc->approve_again('kept', $digest, 'small_a', 'small_b');
$mpc->ask($standby, "SELECT * FROM mpc.run_study('kept')");
is($mpc->ended($_, 'kept'), 'released', 'approved again, it runs: ' . $mpc->party($_)) for $mpc->nodes;

$mpc->stop;
done_testing();
