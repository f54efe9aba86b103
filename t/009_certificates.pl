# A party changes its certificate while a study runs. A node reports certificate files that do not belong together.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Copy qw(copy move);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ThreeParties;

my $mpc = ThreeParties->new('pg_mpc.step_timeout' => '60s');
my ($hospital, $insurer, $third) = $mpc->nodes;
$mpc->load_small(200);

is($mpc->ask($hospital, "SELECT days_to_expiry BETWEEN 820 AND 825 AND next_fingerprint IS NULL FROM mpc.parties"),
	"t\nt", 'days to expiry');
is($mpc->ask($hospital, "SELECT count(*) FROM mpc.node_status() WHERE detail ~ 'weak'"), '0', 'a good certificate is not called weak');

# A study in the middle of its run: the insurer's engine waits for its source.
$mpc->prepare_study('rotation', $mpc->small_spec, 'small_a', 'small_b');
my $held = $mpc->hold($insurer, 'small_b');
my $dir = $third->basedir;
my $next_dir = "$dir/next";
ThreeParties::make_certificate('zorgttp', $next_dir);
my $next = ThreeParties::slurp("$next_dir/zorgttp.crt");
my $old = $mpc->ask($hospital, "SELECT fingerprint FROM mpc.parties WHERE party = 'zorgttp'");
$mpc->ask($_, "SELECT mpc.alter_peer('zorgttp', next_certificate => '$next')") for ($hospital, $insurer);
my $job = $mpc->start_sql($hospital, "SELECT * FROM mpc.run_study('rotation')");
$mpc->become($_, "SELECT count(*) = 1 FROM mpc.stat_study_progress WHERE study = 'rotation'") for $mpc->nodes;

# The third party replaces its files. ping_peer opens a new connection, so it shows the new certificate.
move("$next_dir/zorgttp.$_", "$dir/zorgttp.$_") or die "could not move: $!" for qw(key crt);
$third->reload;
$mpc->become($third, "SELECT fingerprint <> '$old' FROM mpc_internal.own_certificate()");
for my $node ($hospital, $insurer) {
	$mpc->become($node, "SELECT ok FROM mpc.ping_peer('zorgttp')");
	$mpc->become($third, "SELECT ok FROM mpc.ping_peer('" . $mpc->party($node) . "')");
	pass('both ways under the new certificate: ' . $mpc->party($node));
}
$mpc->release($held);
my ($code, $out, $err) = $mpc->finish($job);
is($code, 0, 'the study that ran meanwhile was released') or diag($err);

# The end of the change: the old certificate is no longer accepted.
$mpc->ask($_, "SELECT mpc.alter_peer('zorgttp', certificate => '$next')") for ($hospital, $insurer);
is($mpc->ask($hospital, "SELECT count(*) FROM mpc.parties WHERE '$old' IN (fingerprint, next_fingerprint)"), 0,
	'the old certificate is forgotten');
$mpc->prepare_study('afterwards', $mpc->small_spec, 'small_a', 'small_b');
$mpc->ask($third, "SELECT * FROM mpc.run_study('afterwards')");
is($mpc->state($hospital, 'afterwards'), 'released', 'a study under the new certificate');

# A stolen certificate: its connections are closed at once, and both sides report the reason.
ThreeParties::make_certificate('zilveren_kruis', "$dir/other");
my $other = ThreeParties::slurp("$dir/other/zilveren_kruis.crt");
$mpc->ask($hospital, "SELECT mpc.alter_peer('zilveren_kruis', certificate => '$other')");
my $known = $mpc->ask($hospital, "SELECT fingerprint FROM mpc.parties WHERE party = 'zilveren_kruis'");
$mpc->become($insurer, "SELECT cause LIKE 'peer erasmus_mc refused our certificate: it does not know the fingerprint %' "
	  . "FROM mpc.ping_peer('erasmus_mc')");
pass('the refused party gets the reason');
like(ThreeParties::slurp($hospital->logfile), qr/refused connection from \S+ port \d+: certificate fingerprint \w+ is not known/,
	'the log of the node that refused says why');
like($mpc->ask($hospital, "SELECT cause FROM mpc.ping_peer('zilveren_kruis')"),
	qr/certificate fingerprint differs: it presents \w+, this node knows $known/, 'and the other direction');

# A weak certificate works here, and both sides report it.
system_or_bail('openssl', 'req', '-new', '-x509', '-key', "$dir/zorgttp.key", '-out', "$dir/zorgttp.crt", '-days', '90', '-subj',
	'/CN=zorgttp', '-addext', 'extendedKeyUsage=serverAuth,clientAuth');
$third->reload;
$mpc->ask($hospital, "SELECT mpc.alter_peer('zorgttp', certificate => '" . ThreeParties::slurp("$dir/zorgttp.crt") . "')");
$mpc->become($third, "SELECT status = 'warning' AND detail ~ 'weak: no subjectAltName' AND hint <> '' FROM mpc.node_status() WHERE \"check\" = 'certificate'");
$mpc->become($hospital, "SELECT status = 'warning' AND detail ~ 'answers at .* weak: no subjectAltName' AND hint <> ''
	FROM mpc.node_status() WHERE \"check\" = 'peer zorgttp'");
pass('a certificate without alternative names is named');

# A revocation list without its authority: the earlier settings stay in use, and node_status reports the error.
$third->append_conf('postgresql.conf', "pg_mpc.crl_file = '$dir/absent.crl'");
$third->reload;
$mpc->become($third, "SELECT status = 'problem' AND detail ~ 'revocation list needs the authority' "
	  . "FROM mpc.node_status() WHERE \"check\" = 'certificate'");
$mpc->become($hospital, "SELECT ok FROM mpc.ping_peer('zorgttp')");
pass('a reload with a bad setting keeps the node reachable and is reported');

$mpc->stop;
done_testing();
