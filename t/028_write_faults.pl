# Every write of a coordinator fails, once or for longer than the others wait, as on a full disk. No record is lost, no study
# hangs, all nodes agree on the end, and the same study can be run afterwards.
# Normally a diagonal over writes and nodes; with PG_MPC_FULL=1 every write at every node.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ThreeParties;

# The full matrix has more attempts that end before the match than a day allows.
my $mpc = ThreeParties->new('pg_mpc.step_timeout' => '3s', 'pg_mpc.early_attempts' => 1000);
my ($hospital, $insurer, $third) = $mpc->nodes;
$mpc->load_small(150);

# A sequence, which a rollback does not reset, numbers the writing statements of the coordinator. Those from "first" to
# "last" fail.
for my $node ($mpc->nodes) {
	$node->safe_psql('postgres', <<'SQL');
CREATE SCHEMA faults;
CREATE SEQUENCE faults.number MINVALUE 0;
CREATE SEQUENCE faults.first MINVALUE 0;
CREATE SEQUENCE faults.last MINVALUE 0;
CREATE FUNCTION faults.fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT a.backend_type FROM pg_stat_activity AS a WHERE a.pid = pg_backend_pid()) = 'pg_mpc coordinator'
     AND nextval('faults.number') BETWEEN (SELECT s.last_value FROM faults.first AS s) AND (SELECT s.last_value FROM faults.last AS s) THEN
    RAISE EXCEPTION USING ERRCODE = '53100', MESSAGE = format('no space left on device (write to %s)', TG_TABLE_NAME);
  END IF;
  RETURN NULL;
END
$$;
DO $$
DECLARE
  target regclass;
BEGIN
  FOR target IN SELECT c.oid FROM pg_class AS c WHERE c.relnamespace = 'mpc_internal'::regnamespace AND c.relkind = 'r' AND c.relname <> 'peers' LOOP
    EXECUTE format('CREATE TRIGGER aaa_fault BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH STATEMENT EXECUTE FUNCTION faults.fail()', target);
  END LOOP;
END
$$;
SQL
}

# fail(NODE, FIRST, LAST): makes these writes fail, counted from now on.
sub fail_writes {
	my ($node, $first, $last) = @_;
	$node->safe_psql('postgres', "SELECT setval('faults.first', $first), setval('faults.last', $last), setval('faults.number', 0)");
}
my $never = 4_000_000_000;
sub heal { fail_writes($_[0], $never, $never) }

# The rows that a study leaves at a node, without times and random numbers.
sub traces {
	my ($node, $study) = @_;
	return $mpc->ask($node, "SELECT (SELECT string_agg(name, ' ' ORDER BY step, name) FROM mpc.steps AS s WHERE study = '$study' AND attempt = a.attempt),
		(SELECT string_agg(event, ' ' ORDER BY id) FROM mpc.ledger AS l WHERE study = '$study' AND l.attempt = a.attempt AND event <> 'head'),
		(SELECT string_agg(outcome || ' ' || models, ',') FROM mpc.source_uses WHERE study = '$study' AND outcome = 'released'),
		(SELECT count(*) FROM mpc.models WHERE study = '$study'), (SELECT intact FROM mpc.verify_ledger())
		FROM (SELECT attempt FROM mpc.ledger WHERE study = '$study' AND event = 'released') AS a");
}
my $count = 0;
sub prepared { my $study = 'study' . ++$count; $mpc->prepare_study($study, $mpc->small_spec(disclosure => {model_budget => 1000}), 'small_a', 'small_b'); return $study }
# All messages of the approvals are delivered, so only the study writes from here on.
sub quiet {
	$mpc->become($_, 'SELECT count(*) = 0 FROM mpc_internal.outbox') for $mpc->nodes;
}

# --- undisturbed: the number of writes, and the rows that they leave ---
heal($_) for $mpc->nodes;
my $study = prepared();
quiet();
heal($_) for $mpc->nodes;
$mpc->ask($hospital, "SELECT count(*) FROM mpc.run_study('$study')");
is($mpc->ended($_, $study), 'released', 'undisturbed at ' . $mpc->party($_)) for $mpc->nodes;
quiet();
my (%writes, %usual);
for my $node ($mpc->nodes) {
	$writes{$node} = $node->safe_psql('postgres', 'SELECT last_value FROM faults.number');
	$usual{$node} = traces($node, $study);
	cmp_ok($writes{$node}, '>=', 30, 'writes at ' . $mpc->party($node));
	note($mpc->party($node) . ": $writes{$node} writes; $usual{$node}");
}

# --- once ---
sub once {
	my ($node, $number) = @_;
	my $study = prepared();
	quiet();
	fail_writes($node, $number, $number);
	my ($text) = $mpc->refused($hospital, "SELECT count(*) FROM mpc.run_study('$study')");
	# A failed write before the start is complete refuses the start with its reason. The start can be repeated.
	my $refused = $mpc->state($hospital, $study) ne 'released';
	heal($node) if $refused;
	my @bad = $refused && $text !~ /no space left on device|reached a limit|cannot start study|stopped the attempt/ ? ("refused: $text") : ();
	$mpc->ask($hospital, "SELECT count(*) FROM mpc.run_study('$study')") if $refused;
	for my $each ($mpc->nodes) {
		$mpc->become($each, "SELECT state = 'released' FROM mpc.studies WHERE study = '$study'");
		my $left = traces($each, $study);
		push @bad, $mpc->party($each) . ": $left" if $left ne $usual{$each};
	}
	is("@bad", '', "write $number fails once at " . $mpc->party($node));
}

# --- from one write on, until the others have ended ---
sub long {
	my ($node, $number) = @_;
	my $study = prepared();
	quiet();
	fail_writes($node, $number, $never);
	$mpc->refused($hospital, "SELECT mpc.start_study('$study')");
	my @others = grep { $_ != $node } $mpc->nodes;
	$mpc->become($_, "SELECT state <> 'running' FROM mpc.studies WHERE study = '$study'") for @others;
	heal($node);
	my @bad;
	$mpc->become($_, "SELECT state <> 'running' FROM mpc.studies WHERE study = '$study'") for $mpc->nodes;
	$mpc->become($_, 'SELECT count(*) = 0 FROM mpc_internal.awaited_results') for $mpc->nodes;
	my @released = map { $mpc->state($_, $study) eq 'released' ? 1 : 0 } $mpc->nodes;
	push @bad, 'released at some: ' . join(' ', map { $mpc->state($_, $study) } $mpc->nodes) if grep { $_ != $released[0] } @released;
	my @models = map { $mpc->ask($_, "SELECT count(*) FROM mpc.models WHERE study = '$study'") } $mpc->nodes;
	push @bad, "models @models" if grep { $_ != $released[0] } @models;
	$mpc->ask($hospital, "SELECT count(*) FROM mpc.run_study('$study')") if !$released[0];
	$mpc->become($_, "SELECT state = 'released' FROM mpc.studies WHERE study = '$study'") for $mpc->nodes;
	is("@bad", '', "all writes from $number on fail for long at " . $mpc->party($node) . ($released[0] ? ': released' : ': ended'));
}

if ($ENV{PG_MPC_FULL}) {
	for my $node ($mpc->nodes) {
		for my $number (1 .. $writes{$node}) {
			once($node, $number);
			long($node, $number);
		}
	}
} else {
	my @nodes = ($insurer, $hospital, $third);
	for my $i (0 .. 11) {
		my $node = $nodes[$i % 3];
		once($node, 1 + int($i * ($writes{$node} - 1) / 11));
	}
	for my $i (0 .. 5) {
		my $node = $nodes[$i % 3];
		long($node, 1 + int($i * ($writes{$node} - 1) / 5));
	}
}

$mpc->stop;
done_testing();
