# Attacks of unauthenticated clients and of peers on a listener while a study runs: the study is released, and the node
# keeps working.
use strict;
use warnings;
use FindBin;
use JSON::PP;
use lib "$FindBin::Bin/lib";
use IPC::Open2 qw(open2);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use ThreeParties;

my $mpc = ThreeParties->new('pg_mpc.step_timeout' => '60s');
my ($hospital, $insurer, $third) = my @nodes = $mpc->nodes;
$mpc->load_small(150);

# run(STUDY, SUFFIX of the relations): runs a study and returns the seconds that it took.
sub run {
	my ($study, $suffix) = @_;
	$suffix //= '';
	$mpc->prepare_study($study, $mpc->small_spec, "small_a$suffix", "small_b$suffix");
	my $began = time;
	$mpc->ask($hospital, "SELECT * FROM mpc.run_study('$study')");
	return time - $began;
}

# crashes(NODE): how many times its log reports the end of a process by a signal.
sub crashes { return scalar(() = ThreeParties::slurp($_[0]->logfile) =~ /terminated by signal|was terminated|reinitializing/g) }

# --- 300 idle and 300 slow connections at every node ---

# attack(PAUSE): opens 600 connections to every node, half of which send a byte each PAUSE seconds. Returns the attackers.
sub attack {
	my ($pause) = @_;
	my @attackers;
	for my $node (@nodes) {
		my %attacker;
		$attacker{pid} = open2($attacker{out}, $attacker{in}, 'python3', "$FindBin::Bin/lib/slowloris",
			$node->{pg_mpc_port}, 300, 300, $pause);
		BAIL_OUT('the attacker does not start') unless readline($attacker{out}) eq "ready\n";
		push @attackers, \%attacker;
	}
	return @attackers;
}

# closed(ATTACKER): waits until the listener has closed a connection, and returns how many it has closed.
sub closed {
	my ($attacker) = @_;
	print {$attacker->{in}} "count\n";
	$attacker->{in}->flush;
	return scalar readline($attacker->{out});
}

# repel(ATTACKERS): ends the attackers.
sub repel {
	for my $attacker (@_) {
		close $attacker->{in};
		waitpid $attacker->{pid}, 0;
	}
}

my @attackers = attack(0.1);
run('stormy');
is($mpc->ended($_, 'stormy'), 'released', 'under 600 slow connections: released at ' . $mpc->party($_)) for @nodes;
ok($mpc->ask($hospital, "SELECT bool_and(ok) FROM mpc.parties AS p, LATERAL mpc.ping_peer(p.party)") eq 't',
	'new connections of peers are let in');
cmp_ok(closed($_), '>', 0, 'the listener closes slow connections') for @attackers;
repel(@attackers);

# Slowdown: a study of some seconds runs in turns without and with the attack, and the medians are compared. The attackers
# use the same processors, so they send only one byte per second.
if ($ENV{PG_MPC_FULL}) {
	$mpc->load_small(5000, '_long');
	my (@calm, @stormy);
	for my $turn (1 .. 7) {
		push @calm, run("calm$turn", '_long');
		my @slow = attack(1);
		push @stormy, run("stormy$turn", '_long');
		repel(@slow);
	}
	my ($calm, $stormy) = map { (sort { $a <=> $b } @$_)[3] } \@calm, \@stormy;
	note(sprintf 'measured: median study %.2f s in calm, %.2f s under attack', $calm, $stormy);
	note(join ' ', 'measured: calm', map { sprintf '%.2f', $_ } @calm);
	note(join ' ', 'measured: under attack', map { sprintf '%.2f', $_ } @stormy);
	cmp_ok($stormy, '<=', 1.2 * $calm, 'at most 20 % slower under attack');
}

# --- an approved peer with curl ---

my @identity = ('--cert', $insurer->basedir . '/zilveren_kruis.crt', '--key', $insurer->basedir . '/zilveren_kruis.key');
my $port = $hospital->{pg_mpc_port};

# post(PATH, FILE, ARGUMENTS): the HTTP status of the answer of the hospital to the insurer.
sub post {
	my ($path, $file, @arguments) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run(['curl', '-ksS', '--max-time', '30', '--http1.1', '--path-as-is', '-o', '/dev/null', '-w', '%{http_code}', @identity,
			'--data-binary', "\@$file", '-H', 'Expect:', @arguments, "https://localhost:$port$path"], '>', \$out, '2>', \$err);
	return $out;
}

my $dir = PostgreSQL::Test::Utils::tempdir();
sub file {
	my ($name, $content) = @_;
	PostgreSQL::Test::Utils::append_to_file("$dir/$name", $content);
	return "$dir/$name";
}

# told(NODE, JSON): the answer of its coordinator to a control message of the insurer.
sub told {
	my ($node, $message) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run(['curl', '-ksS', '--max-time', '30', '--http1.1', @identity, '--data-binary', $message, '-H', 'Expect:',
			"https://localhost:$node->{pg_mpc_port}/v1/control"], '>', \$out, '2>', \$err);
	return $out;
}

$mpc->prepare_study('bothered', $mpc->small_spec, 'small_a', 'small_b');
my $held = $mpc->hold($insurer, 'small_b');
my $job = $mpc->start_sql($hospital, "SELECT * FROM mpc.run_study('bothered')");
$mpc->become($_, "SELECT count(*) = 1 FROM mpc.stat_study_progress") for @nodes;
my $attempt = $mpc->ask($hospital, "SELECT attempt FROM mpc.stat_study_progress");
my $garbage = file('garbage', join '', map { chr($_ * 37 % 256) } 1 .. 5000);
is(post("/v1/data/$attempt", $garbage), 400, 'garbage in place of a data frame');
is(post('/v1/data/' . ('0' x 32), $garbage), 503, 'a message for an attempt that does not exist');
is(post("/v1/data/$attempt/..", $garbage), 400, 'a path with dots');
is(post('/v1/control', $garbage), 400, 'garbage in place of a control message');
is(post('/v1/control', file('deep', '{"a":' x 100000)), 400, 'deep nesting');
like(told($hospital, '{"type":"restarted","life":"x"}'), qr/restarted of party zilveren_kruis has no list of lost attempts/,
	'a restart that does not say what was lost');
like(told($hospital, '{"type":"start","study":"bothered"}'), qr/member attempt is missing.*message is incomplete.*MP004/,
	'a start without an attempt');
like(told($hospital, '{"type":"start","study":"bothered","attempt":"ab","life":"x"}'), qr/attempt id is not 32 hexadecimal digits/,
	'a start of an attempt that cannot be one');
my %join = (type => 'join', protocol => 3, study => 'bothered', attempt => '0' x 32, life => 'x',
	digest => $mpc->ask($hospital, "SELECT digest FROM mpc.studies WHERE study = 'bothered'"),
	data => $hospital->safe_psql('postgres', "SELECT mpc_internal.committed_data('bothered', 1)"));
like(told($third, encode_json({%join, data => 'zilveren_kruis ' . 'a' x 64})), qr/another commitment to the data.*not ready/,
	'a start on other data than this node knows');
like(told($third, encode_json(\%join)), qr/study \\"bothered\\" is already running/, 'a join in step-by-step mode of a study that runs automatically');
like(told($hospital, encode_json(\%join)), qr/only the third party assigns attempt ids/, 'a join at a node that assigns none');
my $frame = pack('C', 1) . ("\0" x 32) . pack('H32', $attempt) . pack('CCCC', 1, 0, 4, 0) . pack('NN', 0, 0) . 'x' x 100;
is(post("/v1/data/$attempt", file('frame', $frame)), 409, 'a frame of another study digest');
is(post("/v1/data/$attempt", file('sender', $frame =~ s/^(.{49})\x01/$1\x02/rs)), 409, 'a frame in the name of another party');
is(post('/v1/control', file('large', '{"a":"' . 'x' x (2 << 20) . '"}')), 400, 'a control message of 2 MB');
is(post("/v1/data/$attempt", file('oversize', 'x' x (33 << 20))), 413, 'a body above the limit');
is(post('/v1/control', $garbage, '-H', 'Transfer-Encoding: chunked'), 400, 'chunked');
is(post('/v1/control', $garbage, '-H', 'Content-Length: 5', '-H', 'content-length: 6'), 400, 'two lengths');
$mpc->release($held);
my ($code, undef, $err) = $mpc->finish($job);
is($code, 0, 'the study that runs meanwhile is released') or diag($err);
is(crashes($_), 0, 'no process of ' . $mpc->party($_) . ' has crashed') for @nodes;

# --- a source that is bound again after all have said that they are ready, before the start ---

$mpc->ask($insurer, 'CREATE TABLE small_b_swapped AS SELECT id, x3, CASE WHEN id = 7 THEN y + 1 ELSE y END AS y FROM small_b');

# swap(STUDY, NODE, HOLD, WAITS, PATTERN): the hospital starts the study. The coordinator of NODE waits for a session that
# has run HOLD. When the query WAITS is true there, the insurer approves with another table. Then the start continues.
sub swap {
	my ($study, $node, $sql, $waits, $pattern) = @_;
	my $digest = $mpc->prepare_study($study, $mpc->small_spec, 'small_a', 'small_b');
	my $lock = $mpc->hold_by($node, 'postgres', $sql);
	my $start = $mpc->start_sql($hospital, "SELECT * FROM mpc.run_study('$study')");
	$mpc->become($node, $waits);
	$mpc->ask($insurer, $mpc->approval($study, $digest, 'insurer', 'small_b_swapped'));
	# The coordinator that waits sends no message.
	$mpc->become($hospital, "SELECT bool_or(decision = 'void') FROM mpc.approvals WHERE study = '$study' AND party = 'erasmus_mc'")
	  if $node != $insurer;
	$mpc->release($lock);
	my ($ended, undef, $said) = $mpc->finish($start);
	isnt($ended, 0, "$study: the start fails");
	like($said, $pattern, "$study: it names the party whose data changed");
	isnt($mpc->ended($_, $study), 'released', "$study: not released at " . $mpc->party($_)) for @nodes;
	is($mpc->ask($_, "SELECT n_matched FROM mpc.studies WHERE study = '$study'"), '', "$study: no count at " . $mpc->party($_)) for @nodes;
	$mpc->approve_again($study, $digest, 'small_a', 'small_b_swapped');
	$mpc->ask($hospital, "SELECT * FROM mpc.run_study('$study')");
	is($mpc->ended($hospital, $study), 'released', "$study: decided on by all, it runs");
}

# The third party has said that it is ready, and starts the attempt with the data that it knows.
swap('swapped_before_start', $third, 'LOCK TABLE mpc_internal.studies IN EXCLUSIVE MODE',
	"SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'mpc_internal.studies'::regclass)",
	qr/55000.*the data of zilveren_kruis changed after this approval/s);

# wait_in(FUNCTION): makes the function wait for an advisory lock at the node of the insurer. Returns its old definition.
sub wait_in {
	my ($function) = @_;
	my $definition = $insurer->safe_psql('postgres', "SELECT pg_get_functiondef('mpc_internal.$function'::regproc)");
	$insurer->safe_psql('postgres', $definition =~ s/\bBEGIN\b/BEGIN PERFORM pg_advisory_xact_lock(21);/r);
	return $definition;
}
my $waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'advisory')";

# The node of the insurer has compared the commitments. It makes the job of its engine next.
my $start_job = wait_in('start_job');
swap('swapped_before_job', $insurer, 'SELECT pg_advisory_xact_lock(21)', $waits,
	qr/55000.*party zilveren_kruis cannot start/s);
$insurer->safe_psql('postgres', $start_job);

# It has made the job. It counts the data next.
wait_in('attempt_started');
swap('swapped_before_count', $insurer, 'SELECT pg_advisory_xact_lock(21)', $waits, qr/55000.*party zilveren_kruis cannot start/s);

$mpc->stop;
done_testing();
