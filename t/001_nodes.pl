# Nodes: results of node_status and ping_peer when everything works, and the cause that they name when it does not.
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

# Everything works.
for my $node ($mpc->nodes) {
	my $party = $mpc->party($node);
	$mpc->become($node, "SELECT bool_and(status = 'ok') FROM mpc.node_status()");
	is($mpc->ask($node, "SELECT string_agg(\"check\" || ': ' || detail, '; ') FROM mpc.node_status()
		WHERE status <> 'ok'"), '', "$party: node_status finds nothing wrong");
	for my $peer (grep { $_ != $node } $mpc->nodes) {
		my $name = $mpc->party($peer);
		is($mpc->ask($node, "SELECT ok, cause IS NULL OR cause = '', round_trip_ms > 0 FROM mpc.ping_peer('$name')"),
			't|t|t', "$party reaches $name");
	}
	is($mpc->ask($node, 'SELECT count(*) FROM mpc.parties'), $mpc->ask($node, 'SELECT count(*) FROM mpc.parties
		WHERE fingerprint ~ \'^[0-9a-f]{64}$\' AND not_after > now() + interval \'1 year\''), "$party: parties");
}

# Every object of the extension has a comment, and PUBLIC has no privilege on any of them.
my $members = q{
	SELECT d.classid, d.objid FROM pg_depend AS d JOIN pg_extension AS e ON d.refobjid = e.oid
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'pg_mpc'};
is($hospital->safe_psql('postgres', qq{
	SELECT string_agg(pg_describe_object(m.classid, m.objid, 0), E'\n') FROM ($members) AS m
	LEFT JOIN pg_type AS t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid
	WHERE obj_description(m.objid, m.classid::regclass::text::name) IS NULL
	  AND NOT coalesce(t.typelem <> 0 OR t.typrelid <> 0, false)}), '', 'every object has a comment');
is($hospital->safe_psql('postgres', qq{
	SELECT string_agg(p.oid::regprocedure::text, E'\n') FROM ($members) AS m JOIN pg_proc AS p ON p.oid = m.objid
	WHERE m.classid = 'pg_proc'::regclass
	  AND (p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) AS a WHERE a.grantee = 0))}), '',
	'no function is for PUBLIC');

# Peers that cannot be reached.
$mpc->refuses($hospital, "SELECT * FROM mpc.ping_peer('nobody')", '42704', qr/nobody/, 'ping of an unknown peer');
$mpc->refuses($hospital, "SELECT mpc.add_peer('another', 'http://localhost:1', certificate => '"
	  . ThreeParties::certificate($third) . "')", '22023', qr/https/, 'a peer without TLS');
$mpc->refuses($hospital, "SELECT mpc.add_peer('another', 'https://localhost:1', certificate => 'nonsense')", '22P02',
	qr/certificate/, 'a peer without a certificate');
$mpc->refuses($hospital, "SELECT mpc.add_peer('another', 'https://localhost:1', certificate => '"
	  . ThreeParties::certificate($hospital) . "')", '22023', qr/own certificate|this node/, 'the own certificate');

$third->stop;
is($mpc->ask($hospital, "SELECT ok, cause ~* 'refused|connect' FROM mpc.ping_peer('zorgttp')"), 'f|t',
	'a peer that is down: the cause is the connection');
$third->start;
$mpc->become($hospital, "SELECT ok FROM mpc.ping_peer('zorgttp')");
pass('the peer is reachable again after its restart');

# A third party with a certificate that differs from the pinned one.
my $right = ThreeParties::certificate($third);
ThreeParties::make_certificate('zorgttp', $third->basedir);
$third->reload;
$mpc->become($hospital, "SELECT NOT ok AND cause ~* 'fingerprint|certificate' FROM mpc.ping_peer('zorgttp')");
pass('another certificate than the pinned one: the cause is the certificate');
isnt(ThreeParties::certificate($third), $right, 'the certificate was another one');
my $new = ThreeParties::certificate($third);
$mpc->ask($_, "SELECT mpc.alter_peer('zorgttp', certificate => '$new')") for ($hospital, $insurer);
$mpc->become($hospital, "SELECT ok FROM mpc.ping_peer('zorgttp')");
pass('alter_peer with the new certificate');

# An unknown peer gets no answer.
$mpc->ask($insurer, "SELECT mpc.remove_peer('erasmus_mc')");
$mpc->become($hospital, "SELECT NOT ok AND cause ~* 'certificate|refused' FROM mpc.ping_peer('zilveren_kruis')");
pass('a node refuses a party that it does not know');

# Connections without a certificate and connections with TLS 1.2 are refused.
my ($out, $err) = ('', '');
my $url = "https://localhost:$hospital->{pg_mpc_port}/v1/ping";
ok(!IPC::Run::run(['curl', '-ksS', '--max-time', '20', $url], '>', \$out, '2>', \$err), 'no certificate: refused');
unlike($out, qr/erasmus_mc/, 'and the answer does not name the node');
my @identity = ('--cert', $third->basedir . '/zorgttp.crt', '--key', $third->basedir . '/zorgttp.key');
ok(!IPC::Run::run(['curl', '-ksS', '--max-time', '20', '--tls-max', '1.2', @identity, $url], '>', \$out, '2>', \$err),
	'TLS 1.2: refused');
ok(IPC::Run::run(['curl', '-ksS', '--max-time', '20', @identity, $url], '>', \$out, '2>', \$err),
	'TLS 1.3 with a known certificate') or diag($err);
like($out, qr/"party"\s*:\s*"erasmus_mc"/, 'the node says who it is');

$mpc->stop;
done_testing();
