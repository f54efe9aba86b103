# Governance with three nodes: each ledger has the heads of the others, an auditor checks one without a server, and the
# peers detect a rewritten one. A source that has changed since its approval; expiry; notifications of state changes.
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
$mpc->load_small(150);

# exported(NODE, ARGUMENTS): its ledger as a JSON array.
sub exported {
	my ($node, $arguments) = @_;
	return $mpc->ask($node, "SELECT jsonb_agg(e) FROM mpc.export_ledger($arguments) AS e");
}

# verdicts(NODE, OTHER, EXPORT): the distinct results of comparing an export of the other node with this node's ledger.
sub verdicts {
	my ($node, $other, $export) = @_;
	return $mpc->ask($node, "SELECT string_agg(DISTINCT verdict, ',')
		FROM mpc.compare_ledger('@{[$mpc->party($other)]}', '$export')");
}

# --- heads of all ledgers in all ledgers ---
my $notified = {in => "LISTEN pg_mpc_study;\n\\echo listening\n", out => ''};
my @psql = ($insurer->installed_command('psql'), '-XqAt', '-h', $insurer->host, '-p', $insurer->port, '-U', 'analyst',
	'-d', 'postgres');
$notified->{run} = IPC::Run::start(\@psql, '<', \$notified->{in}, '>', \$notified->{out}, '2>', '/dev/null',
	IPC::Run::timeout(ThreeParties::TIMEOUT));
$notified->{run}->pump until $notified->{out} =~ /listening/;

$mpc->prepare_study('first', $mpc->small_spec, 'small_a', 'small_b');
$mpc->ask($third, "SELECT * FROM mpc.run_study('first')");
for my $node ($mpc->nodes) {
	for my $peer (grep { $_ != $node } $mpc->nodes) {
		my $party = $mpc->party($peer);
		$mpc->become($node, "SELECT count(*) >= 2 FROM mpc.ledger WHERE event = 'head' AND party = '$party' AND study = 'first'");
		is(verdicts($node, $peer, exported($peer, 'entries => false')), 'same', $mpc->party($node) . " follows the ledger of $party");
	}
	is($mpc->ask($node, 'SELECT intact FROM mpc.verify_ledger()'), 't', 'the chain of ' . $mpc->party($node) . ' is whole');
	is($mpc->ask($node, "SELECT string_agg(event, ',' ORDER BY id) FROM mpc.ledger
		WHERE study = 'first' AND event IN ('opened', 'started', 'released', 'failed')"), 'started,opened,opened,released',
		'what was opened, at ' . $mpc->party($node));
	is($mpc->ask($node, "SELECT string_agg(role || ' ' || (detail ->> 'what'), ',') FROM mpc.study_history WHERE event = 'asked'"),
		$node == $third ? 'analyst start' : '', 'who asked for the run, at ' . $mpc->party($node));
	is($mpc->ask($node, "SELECT count(*) FROM mpc.ledger WHERE event = 'step' AND NOT detail -> 'reasons' ?&
		'{singling_out,linkability,inference}'"), '0', 'every step gives its reasons, at ' . $mpc->party($node));
}

# Rule F5: of the counts of other parties, a node knows the match count only.
is($mpc->ask($hospital, "SELECT count(*) FROM mpc.ledger WHERE event = 'step' AND party <> 'erasmus_mc'"), '0',
	'a ledger has steps of its own node only');

# --- notifications of state changes have the name and the state only ---
$notified->{in} .= "SELECT 1;\n\\q\n";
$notified->{run}->finish;
my @told = $notified->{out} =~ /"pg_mpc_study" with payload "(\{.*?\})"/g;
is($told[-1] // '', '{"study" : "first", "state" : "released"}', 'the release is notified last') or diag($notified->{out});
is(scalar(grep { !/^\{"study" : "\w+", "state" : "\w+"\}$/ } @told), 0, 'and notifications have names and states only');

# --- mpc.explain_study counts the own records of this node after its approval, never those of others (rule F5) ---
$mpc->ask($hospital, 'CREATE VIEW fewer_a AS SELECT * FROM small_a WHERE id <= 137');
$mpc->ask($insurer, 'CREATE VIEW fewer_b AS SELECT * FROM small_b WHERE id > 11');
my $seen = $mpc->propose('seen', $mpc->small_spec);
my %records = (erasmus_mc => 137, zilveren_kruis => 139);
my %bound = (erasmus_mc => 'fewer_a', zilveren_kruis => 'fewer_b');
for my $node ($mpc->nodes) {
	my $party = $mpc->party($node);
	my $counted = "SELECT string_agg(DISTINCT party || ' ' || records, ', ') FROM";
	$mpc->become($node, "SELECT count(*) = 1 FROM mpc.studies WHERE study = 'seen'");
	is($mpc->ask($node, "$counted mpc.explain_study('seen')"), '', "no counts before the approval of $party");
	if ($bound{$party}) {
		is($mpc->ask($node, "$counted mpc.explain_study('seen', '$bound{$party}', 'id')"), "$party $records{$party}",
			"with a source, the records of $party");
	} else {
		$mpc->refuses($node, "SELECT * FROM mpc.explain_study('seen', 'pg_class', 'id')", '22023',
			qr/third party brings no source/, 'no source at the third party');
	}
}
$mpc->approve('seen', $seen, 'fewer_a', 'fewer_b');
for my $node ($mpc->nodes) {
	my $party = $mpc->party($node);
	$mpc->become($node, "SELECT state = 'approved' FROM mpc.studies WHERE study = 'seen'");
	is($mpc->ask($node, "SELECT string_agg(DISTINCT party || ' ' || records, ', ') FROM mpc.explain_study('seen')"),
		$records{$party} ? "$party $records{$party}" : '', "approved by all: the records of $party only");
}

# --- an auditor without a server ---
my $file = $hospital->basedir . '/ledger.json';
append_to_file($file, exported($hospital, ''));
my $python = <<'PYTHON';
import hashlib, json, sys
before = hashlib.sha256(b"pg_mpc ledger 1").hexdigest()
for row in json.load(open(sys.argv[1])):
    digest = hashlib.sha256(bytes.fromhex(before) + row["entry"].encode()).hexdigest()
    assert row["prev_hash"] == before and row["hash"] == digest, row["place"]
    before = digest
print(before)
PYTHON
my ($head, $said) = ('', '');
IPC::Run::run(['python3', '-c', $python, $file], '>', \$head, '2>', \$said, IPC::Run::timeout(ThreeParties::TIMEOUT)) or diag($said);
chomp $head;
is($head, $mpc->ask($hospital, 'SELECT head FROM mpc.verify_ledger()'), 'a few lines of Python verify an exported ledger');

# --- an approval that reaches a node after its study has run: the ledger has it earlier, as what the node relied on ---
my $digest = $mpc->propose('late', $mpc->small_spec);
$mpc->ask($hospital, $mpc->approval('late', $digest, 'hospital', 'small_a'));
$mpc->ask($insurer, $mpc->approval('late', $digest, 'insurer', 'small_b'));
$mpc->become($_, "SELECT count(*) = 2 FROM mpc.approvals WHERE study = 'late'") for $mpc->nodes;
# A time that has more digits when it is written as a double.
my $time = "'2023-11-14 22:13:20.000193+00'";
$third->safe_psql('postgres', "BEGIN; SET SESSION AUTHORIZATION analyst; " . $mpc->approval('late', $digest, 'third')
	. "; RESET SESSION AUTHORIZATION; UPDATE mpc_internal.outbox SET held_until = 'infinity', queued_at = $time WHERE message ->> 'type' = 'approve'"
	. "; UPDATE mpc_internal.approvals SET decided_at = $time WHERE study = 'late' AND party = 'zorgttp'; COMMIT");
$mpc->ask($hospital, "SELECT * FROM mpc.run_study('late')");
is($mpc->ended($hospital, 'late'), 'released', 'it runs: the third party was asked');
my $relied = "SELECT detail ->> 'said', detail -> 'approvals' ?& '{erasmus_mc,zilveren_kruis}', detail -> 'approvals' ? 'zorgttp',
	id < (SELECT min(s.id) FROM mpc.ledger AS s WHERE s.study = 'late' AND s.event = 'started') FROM mpc.ledger WHERE study = 'late' AND event = 'relied_on'";
is($mpc->ask($hospital, $relied), '{"zorgttp": "ready", "zilveren_kruis": "ready"}|t|f|t', 'what the starter relied on');
is($mpc->ask($insurer, $relied), '{"erasmus_mc": "start"}|t|f|t', 'and what a party relied on that received the start');
$third->safe_psql('postgres', "UPDATE mpc_internal.outbox SET held_until = NULL; SELECT mpc_internal.wake_coordinator('outbox')");
$mpc->become($hospital, "SELECT count(*) = 3 FROM mpc.approvals WHERE study = 'late'");
is($mpc->ask($hospital, "SELECT a.decided_at < l.at, a.received_at > l.at FROM mpc.approvals AS a, mpc.ledger AS l
	WHERE a.study = 'late' AND a.party = 'zorgttp' AND l.study = 'late' AND l.event = 'started'"), 't|t', 'when it was decided, and when it was received');
is($mpc->ask($hospital, "SELECT decided_at FROM mpc.approvals WHERE study = 'late' AND party = 'zorgttp'"),
	$mpc->ask($third, "SELECT decided_at FROM mpc.approvals WHERE study = 'late' AND party = 'zorgttp'"), 'by the clock of the party');
is($mpc->ask($_, "SELECT received_at IS NULL FROM mpc.approvals WHERE study = 'late' AND party = '" . $mpc->party($_) . "'"), 't', 'own decisions have no time of receipt')
	for $mpc->nodes;
is($mpc->ask($_, "SELECT bool_and(detail ?& '{place,head,decided_at}') FROM mpc.ledger WHERE study = 'late' AND event = 'approved' AND party <> '"
	. $mpc->party($_) . "'"), 't', 'with the head of the ledger of the party, at ' . $mpc->party($_)) for $mpc->nodes;
is(verdicts($hospital, $third, exported($third, 'entries => false')), 'same', 'which its ledger has');

# --- a source that has changed since it was approved ---
$mpc->prepare_study('changed', $mpc->small_spec, 'small_a', 'small_b');
$mpc->ask($hospital, 'UPDATE small_a SET x1 = x1 + 1 WHERE id = 7');
$mpc->refuses($hospital, "SELECT * FROM mpc.run_study('changed')", '55000',
	qr/changed since it was approved.*Complete records approved: (\d+), read now: \1\./s, 'a changed source is refused');
$mpc->become($insurer, "SELECT state = 'failed' FROM mpc.studies WHERE study = 'changed'");
unlike($mpc->ask($insurer, "SELECT last_error FROM mpc.studies WHERE study = 'changed'"), qr/changed/,
	'the others hear that the hospital stopped, not why');
$digest = $mpc->ask($hospital, "SELECT digest FROM mpc.studies WHERE study = 'changed'");
$mpc->ask($hospital, $mpc->approval('changed', $digest, 'hospital', 'small_a'));
# The other parties approved other data: the study cannot run before they have decided again.
$mpc->become($insurer, "SELECT decision = 'void' AND reason ~ 'data of erasmus_mc changed' FROM mpc.approvals WHERE study = 'changed' AND party = 'zilveren_kruis'");
$mpc->refuses($hospital, "SELECT * FROM mpc.run_study('changed')", '55000', qr/zilveren_kruis.*has to approve again|zorgttp.*has to approve again/s,
	'other data void the approvals of the other parties');
$mpc->approve_again('changed', $digest, 'small_a', 'small_b');
$mpc->ask($hospital, "SELECT * FROM mpc.run_study('changed')");
is($mpc->state($insurer, 'changed'), 'released', 'approved again, it runs');

# --- a source that has other records for the engine than for the session that approved it ---
$mpc->ask($hospital, "CREATE TABLE guarded AS TABLE small_a; ALTER TABLE guarded ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
	CREATE POLICY own ON guarded USING (current_setting('app.ward', true) = 'cardio')");
my $rows = $mpc->ask($hospital, 'SELECT count(*) FROM small_a');
$digest = $mpc->propose('guarded', $mpc->small_spec(analysis => {kind => 'lasso', lambda => 0.03}));
$mpc->ask($hospital, "SET app.ward = 'cardio'; " . $mpc->approval('guarded', $digest, 'hospital', 'guarded'));
$mpc->ask($insurer, $mpc->approval('guarded', $digest, 'insurer', 'small_b'));
$mpc->ask($third, $mpc->approval('guarded', $digest, 'third'));
$mpc->approve_again('guarded', $digest, 'guarded', 'small_b');
$mpc->refuses($hospital, "SELECT * FROM mpc.run_study('guarded')", '55000',
	qr/changed since it was approved.*Complete records approved: $rows, read now: 0\..*HINT: .*row-level security/s,
	'records that the engine cannot see');
$mpc->become($insurer, "SELECT state = 'failed' FROM mpc.studies WHERE study = 'guarded'");
unlike($mpc->ask($insurer, "SELECT last_error FROM mpc.studies WHERE study = 'guarded'"), qr/$rows|records/, 'their number stays at its node');

# --- a source that a pipeline rebuilds: another relation of the same name and contents counts as the approved one ---
# swap(CHANGE): copies and changes the table, drops the old one and renames the copy.
sub swap {
	my ($change) = @_;
	$mpc->ask($hospital, "CREATE TABLE piped_new AS TABLE piped; $change; ALTER TABLE piped RENAME TO piped_old;
		ALTER TABLE piped_new RENAME TO piped; DROP TABLE piped_old");
}
$mpc->ask($hospital, 'CREATE TABLE piped AS TABLE small_a');
$digest = $mpc->prepare_study('rebuilt', $mpc->small_spec(analysis => {kind => 'lasso', lambda => 0.04}), 'piped', 'small_b');
swap('SELECT');
$mpc->ask($insurer, "SELECT * FROM mpc.run_study('rebuilt')");
is($mpc->ended($_, 'rebuilt'), 'released', 'a rebuilt source is used: ' . $mpc->party($_)) for $mpc->nodes;
swap('SELECT');
is($hospital->safe_psql('postgres', "SELECT string_agg(study, ',') FROM mpc_internal.uses_of('piped'::regclass)"), 'rebuilt',
	'and what was used before it is rebuilt again still counts');
$mpc->prepare_study('rebuilt', $mpc->small_spec(analysis => {kind => 'lasso', lambda => 0.05}), 'piped', 'small_b');
swap('UPDATE piped_new SET x1 = x1 + 1 WHERE id = (SELECT min(id) FROM piped_new)');
$mpc->refuses($hospital, "SELECT * FROM mpc.run_study('rebuilt')", '55000', qr/changed since it was approved/,
	'with other contents it is refused');
$mpc->ended($_, 'rebuilt') for $mpc->nodes;

# --- all nodes know when an approval has expired, and it can be renewed ---
$digest = $mpc->prepare_study('expiring', $mpc->small_spec, 'small_a', 'small_b');
$hospital->safe_psql('postgres', "UPDATE mpc_internal.approvals SET expires_at = now()
	WHERE study = 'expiring' AND party = 'erasmus_mc'");
$mpc->refuses($insurer, "SELECT * FROM mpc.run_study('expiring')", '55000', qr/erasmus_mc is not ready.*expired/s,
	'an approval that has expired stops the start elsewhere');
$mpc->ask($hospital, $mpc->approval('expiring', $digest, 'hospital', 'small_a'));
$mpc->ask($insurer, "SELECT * FROM mpc.run_study('expiring')");
is($mpc->state($hospital, 'expiring'), 'released', 'renewed, it runs');

# --- no role keeps the ledger from being sealed by holding locks ---
$hospital->safe_psql('postgres', 'CREATE ROLE blocker LOGIN');
my $blocker = $mpc->hold_by($hospital, 'blocker', "SELECT count(pg_advisory_xact_lock(c.oid::bigint)) FROM pg_class AS c WHERE c.relname LIKE 'ledger%'");
ok($hospital->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted") >= 2, 'locks with the oids of its tables are held');
$mpc->ask($hospital, "SELECT mpc.propose_study('sealed', '@{[$mpc->small_spec]}')");
is($mpc->ask($hospital, 'SELECT entries = sealed FROM mpc.verify_ledger()'), 't', 'the ledger is sealed nevertheless');
$mpc->release($blocker);
is($hospital->safe_psql('postgres', "SELECT has_any_column_privilege('blocker', 'mpc_internal.ledger_sealer'::regclass::oid, 'SELECT, UPDATE')"), 'f',
	'and no role may lock the row of the sealer');

# --- the others detect a party that rewrites or shortens its ledger ---
$insurer->safe_psql('postgres', q{
	ALTER TABLE mpc_internal.ledger DISABLE TRIGGER append_only;
	ALTER TABLE mpc_internal.ledger_seals DISABLE TRIGGER append_only;
	DELETE FROM mpc_internal.ledger_seals;
	DELETE FROM mpc_internal.ledger WHERE id = (SELECT id FROM mpc_internal.ledger WHERE event = 'approved' AND study = 'first' ORDER BY id LIMIT 1);});
is($mpc->ask($insurer, 'SELECT intact FROM mpc.verify_ledger()'), 't', 'a rewritten chain is consistent in itself');
for my $node ($hospital, $third) {
	like(verdicts($node, $insurer, exported($insurer, 'entries => false')), qr/differs/, 'and differs from what ' . $mpc->party($node) . ' has');
}
$insurer->safe_psql('postgres', 'DELETE FROM mpc_internal.ledger_seals WHERE place > 3; DELETE FROM mpc_internal.ledger AS l
	WHERE NOT EXISTS (SELECT FROM mpc_internal.ledger_seals AS s WHERE s.id = l.id)');
is(verdicts($third, $insurer, exported($insurer, 'entries => false')), 'missing', 'a shortened one too');

$mpc->stop;
done_testing();
