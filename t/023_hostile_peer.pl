# A peer that breaks the protocol (rules B9 and B10): its answers are checked, its text is quoted as its own, and its
# messages cannot fill the ledger. Versions of a study arrive in order, and a node that restarts informs only the parties of
# its studies.
use strict;
use warnings;
use FindBin;
use IPC::Open2 qw(open2);
use lib "$FindBin::Bin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ThreeParties;

my $mpc = ThreeParties->new('pg_mpc.step_timeout' => '30s');
my ($hospital, $insurer, $third) = $mpc->nodes;
my $lab = $mpc->add_node('amphia', $hospital);
$mpc->load_small(150);
my $json = JSON::PP->new->canonical;

# told(MESSAGE): the answer of the hospital to a forged control message of the insurer.
my @identity = ('--cert', $insurer->basedir . '/zilveren_kruis.crt', '--key', $insurer->basedir . '/zilveren_kruis.key');
sub told {
	my (%message) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run(['curl', '-ksS', '--max-time', '30', '--http1.1', @identity, '--data-binary', $json->encode(\%message), '-H', 'Expect:',
			"https://localhost:$hospital->{pg_mpc_port}/v1/control"], '>', \$out, '2>', \$err);
	return $out;
}

# --- a peer can neither fill the ledger nor use up the versions of a name ---
my $digest = $mpc->prepare_study('flood', $mpc->small_spec, 'small_a', 'small_b');
$mpc->become($hospital, "SELECT state = 'approved' FROM mpc.studies WHERE study = 'flood'");
my %about = (study => 'flood', version => 1, digest => $digest);
# The data that the insurer committed to in its approval.
my ($commitment, $commitments) = split /\|/, $insurer->safe_psql('postgres', "SELECT encode(commitment, 'hex'),
	(SELECT json_agg(encode(c, 'hex')) FROM unnest(commitments) AS c) FROM mpc_internal.approvals WHERE study = 'flood' AND party = 'zilveren_kruis'");
my %data = (data => {columns => ['x3', 'y'], two_valued => [], commitment => $commitment, commitments => $json->decode($commitments)});
my $before = $mpc->ask($hospital, 'SELECT count(*) FROM mpc.ledger');
told(%about, %data, type => 'approve', expires_at => 2_000_000_000) for 1 .. 20;
is($mpc->ask($hospital, 'SELECT count(*) FROM mpc.ledger') - $before, 1, 'the same decision again and again is one entry');
my $answer;
$answer = told(%about, %data, type => $_ % 2 ? 'reject' : 'approve', reason => "\e[2J" . 'x' x 1000) for 1 .. 130;
like($answer, qr/54000/, 'decisions have an end');
cmp_ok($mpc->ask($hospital, 'SELECT count(*) FROM mpc.ledger') - $before, '<=', 101, '… and so have their entries');
told(%about, type => 'head', attempt => '0' x 32, place => $_, head => sprintf('%064x', $_)) for 1 .. 60;
is($mpc->ask($hospital, "SELECT count(*) FROM mpc.ledger WHERE event = 'head' AND party = 'zilveren_kruis'"), '20', '… and heads');
my $reason = $mpc->ask($hospital, "SELECT DISTINCT detail ->> 'reason' FROM mpc.ledger WHERE event = 'rejected'");
is($reason, '[2J' . 'x' x 297, 'the reason is cut to 300 printable characters');
my $spec = $insurer->safe_psql('postgres', "SELECT mpc_internal.parse_spec('" . $mpc->small_spec . "')");
my $burned = $insurer->safe_psql('postgres', "SELECT mpc_internal.study_digest('burned', mpc_internal.parse_spec('" . $mpc->small_spec . "'))");
like(told(type => 'propose', study => 'burned', version => 999999999, spec => $spec, digest => $burned), qr/"held":0/,
	'a proposal far ahead is answered with the version that is here');
$mpc->prepare_study('burned', $mpc->small_spec, 'small_a', 'small_b');
$mpc->ask($hospital, "SELECT * FROM mpc.run_study('burned')");
is($mpc->ended($insurer, 'burned'), 'released', 'the name can still be used');

# --- versions that a node misses are delivered in order ---
$mpc->propose('restored', $mpc->small_spec);
$mpc->become($_, "SELECT version = 1 FROM mpc.studies WHERE study = 'restored'") for $insurer, $third;
$insurer->safe_psql('postgres', "DELETE FROM mpc_internal.studies WHERE study = 'restored'");
$mpc->propose('restored', $mpc->small_spec(analysis => {kind => 'lasso', lambda => 0.02}));
$mpc->become($insurer, "SELECT version = 2 FROM mpc.studies WHERE study = 'restored'");
is($insurer->safe_psql('postgres', "SELECT string_agg(version::text, ',' ORDER BY version) FROM mpc_internal.studies WHERE study = 'restored'"), '1,2',
	'a node that lost a version gets it before the next one');
# It does not receive versions with other parties.
$hospital->safe_psql('postgres', "INSERT INTO mpc_internal.studies (study, version, digest, spec, parties, proposer)
	SELECT study, 3, digest, spec, '{amphia,erasmus_mc,zorgttp}', 'erasmus_mc' FROM mpc_internal.studies WHERE study = 'restored' AND version = 1");
$mpc->propose('restored', $mpc->small_spec(analysis => {kind => 'lasso', lambda => 0.03}));
$mpc->become($insurer, "SELECT version = 4 FROM mpc.studies WHERE study = 'restored'");
is($insurer->safe_psql('postgres', "SELECT string_agg(version::text, ',' ORDER BY version) FROM mpc_internal.studies WHERE study = 'restored'"), '1,2,4',
	'… but none of other parties');

# --- a node that restarts informs the parties of its studies, not every peer ---
# The amphia node has received no message so far. It would record the first one.
$mpc->become($lab, "SELECT last_seen IS NULL FROM mpc.parties WHERE party = 'erasmus_mc'");
$mpc->prepare_study('interrupted', $mpc->small_spec, 'small_a', 'small_b');
my $held = $mpc->hold($insurer, 'small_b');
$mpc->ask($hospital, "SELECT mpc.start_study('interrupted')");
$hospital->restart;
$mpc->become($_, "SELECT state = 'failed' FROM mpc.studies WHERE study = 'interrupted'") for $insurer, $third;
is($_->safe_psql('postgres', "SELECT parties, charged FROM mpc_internal.early_attempts WHERE study = 'interrupted'"),
	$_ == $insurer ? '{erasmus_mc,zorgttp}|{erasmus_mc}' : '{erasmus_mc,zilveren_kruis}|{erasmus_mc}',
	'it ended before the match: charged to the hospital, at ' . $mpc->party($_)) for $insurer, $third;
$mpc->release($held);
$mpc->become($hospital, "SELECT bool_and(status = 'ok') FROM mpc.node_status()");
is($mpc->ask($lab, "SELECT last_seen IS NULL FROM mpc.parties WHERE party = 'erasmus_mc'"), 't',
	'a peer without a common study learns nothing of a restart');

# --- answers ---
$mpc->prepare_study('answers', $mpc->small_spec, 'small_a', 'small_b');
my ($port, $dir) = ($third->{pg_mpc_port}, $third->basedir);
$third->stop('fast');
my ($out, $in);
my $pid = open2($out, $in, 'python3', "$FindBin::Bin/lib/false_peer", $port, "$dir/zorgttp.crt", "$dir/zorgttp.key");
BAIL_OUT('the false peer does not start') unless readline($out) eq "ready\n";

# when(ANSWER): the error of start_study, (text, SQLSTATE), while the third party gives this answer.
sub when {
	my ($body) = @_;
	print {$in} "$body\n";
	$in->flush;
	BAIL_OUT('the false peer is gone') unless readline($out) eq "ok\n";
	return $mpc->refused($hospital, "SELECT mpc.start_study('answers')");
}

my $terminal = qr/[\x00-\x08\x0b-\x1f\x7f]/;
for (
	['57P01', 'terminating connection due to administrator command', "Run: SELECT mpc.alter_peer('zilveren_kruis', certificate => '...')", 'MP008'],
	['00000', 'successful completion', '', 'MP008'],
	['22023', "\e[2J\e[Hroot password: \"x", '', '22023'],
	['zz', 'x' x 3000, '', 'MP008']) {
	my ($sent, $message, $hint, $wanted) = @$_;
	my ($text, $state) = when($json->encode({error => {sqlstate => $sent, message => $message, detail => "\e[31mred", hint => $hint}}));
	is($state, $wanted, "SQLSTATE of a peer that says $sent");
	like($text, qr/zorgttp: "[^"\n]{1,300}"\n/, '… its text in quotes, named, of bounded length');
	like($text, qr/^DETAIL:  zorgttp: "\[31mred"$/m, '… and so its detail');
	unlike($text, $terminal, '… without control characters');
	unlike($text, qr/alter_peer/, '… its hint is not shown as ours');
}
for ('{"ok": {"protocol": 3, "ready": "yes"}}', '{"ok": {"protocol": 3, "ready": true, "reason": 5, "attempt": 7}}', '{"ok": []}', '{"ok": true}', '{"error": "no"}', '{}',
	'{"ok": {"protocol": 3, "ready": false, "reason": 5}}') {
	my ($text, $state) = when($_);
	is($state, 'MP004', "answer $_");
	like($text, qr/party zorgttp sent an answer that the protocol does not allow/, '… names the peer');
	unlike($text, qr/json\.exception|type_error/, '… and no library');
}
my ($text, $state) = when('{"ok": {"protocol": 3, "ready": false, "reason": "\u001b[2Jbecause"}}');
like($text, qr/^DETAIL:  zorgttp: "\[2Jbecause"$/m, 'a reason is quoted, too');
for ('{"ok": {"protocol": 3, "ready": true, "attempt": "../../x", "life": "a"}}', '{"ok": {"protocol": 3, "ready": true, "attempt": "' . 'ab' x 16 . '", "life": 3}}') {
	($text, $state) = when($_);
	is($state, 'MP004', 'an attempt or an incarnation of the wrong form');
}
# Parsing or copying a deep value uses the stack. A coordinator whose stack overflows makes the whole server restart.
my $coordinator = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_mpc coordinator'";
my $pid = $hospital->safe_psql('postgres', $coordinator);
($text, $state) = when('{"ok": {"x": ' . '[' x 200_000 . ']' x 200_000 . '}}');
is($state, 'MP003', 'an answer that is nested too deep');
like($text, qr/^DETAIL:  peer zorgttp: message is not a JSON object, or is nested too deep/m, '… says so');
is($hospital->safe_psql('postgres', $coordinator), $pid, '… is not the end of the coordinator');
print {$in} qq({"party": ["zorgttp"]}\n);
$in->flush;
readline($out);
like($mpc->ask($hospital, "SELECT cause FROM mpc.ping_peer('zorgttp')"), qr/does not identify itself as this party/, 'a ping that is answered by nonsense');
for ([600_000, 'warning', qr/its clock is (?:599|60[01]) s ahead of this one/], [-600_000, 'warning', qr/its clock is (?:599|60[01]) s behind this one/],
	[0, 'ok', qr/^answers at/]) {
	my ($ahead, $status, $detail) = @$_;
	my $time = $mpc->ask($hospital, "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $ahead");
	print {$in} qq({"party": "zorgttp", "time_ms": $time}\n);
	$in->flush;
	readline($out);
	my ($said, $text) = split /\|/, $mpc->ask($hospital, "SELECT status, detail FROM mpc.node_status() WHERE \"check\" = 'peer zorgttp'"), 2;
	is($said, $status, "a clock that is $ahead ms ahead");
	like($text, $detail, '… is named');
}
is($mpc->ask($hospital, "SELECT status FROM mpc.node_status() WHERE \"check\" = 'workers'"), 'ok', 'the node keeps working');
close $in;
waitpid $pid, 0;

$lab->stop('fast');
$mpc->stop;
done_testing();
