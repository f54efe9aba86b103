# Configurations with which a server is not a node: it reports the cause, and works as soon as the cause is removed.
use strict;
use warnings;
use Cwd qw(abs_path);
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Copy qw(copy);
use IO::Socket::INET;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ThreeParties;

my $mpc = ThreeParties->new('pg_mpc.listen_addresses' => 'localhost');
my ($hospital, $insurer, $third) = $mpc->nodes;

# says(PATTERN, NAME): the hospital logs it.
sub says {
	my ($pattern, $name) = @_;
	$hospital->wait_for_log($pattern, $hospital->{read});
	pass($name);
}

# with(NAME => value ...): the hospital restarts with other settings.
sub with {
	my (%settings) = @_;
	$hospital->{read} = -s $hospital->logfile;
	$hospital->adjust_conf('postgresql.conf', $_, "'$settings{$_}'") for keys %settings;
	$hospital->restart;
}

# --- addresses ---
with('pg_mpc.listen_addresses' => 'no-such-host.invalid');
says(qr/no peer can connect: could not resolve listen address "no-such-host\.invalid"/, 'an address that is none');
with('pg_mpc.listen_addresses' => ' , ');
says(qr/no peer can connect: no address to listen on/, 'no address');
my $other = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or BAIL_OUT("no port: $!");
with('pg_mpc.listen_addresses' => '127.0.0.1', 'pg_mpc.port' => $other->sockport);
says(qr/no peer can connect: could not listen on address "127\.0\.0\.1" port \d+: .*in use/, 'a port that is in use');
close $other;
says(qr/listening for peers on port/, 'the port is taken as soon as it is free');

# As with listen_addresses of PostgreSQL: addresses that work are used, the others are reported.
with('pg_mpc.listen_addresses' => 'no-such-host.invalid, localhost', 'pg_mpc.port' => $hospital->{pg_mpc_port});
says(qr/WARNING:  pg_mpc: could not resolve listen address "no-such-host\.invalid"/, 'one address of two that is none');
$mpc->become($insurer, "SELECT ok FROM mpc.ping_peer('erasmus_mc')");
$mpc->become($hospital, "SELECT status = 'warning' AND detail ~ 'no-such-host.invalid' AND hint ~ 'listen_addresses'
	FROM mpc.node_status() WHERE \"check\" = 'workers'");
pass('node_status names it');
is($mpc->ask($hospital, "SELECT count(*) FROM mpc.node_status() WHERE \"check\" LIKE 'peer %' AND status = 'ok'"), '2',
	'and then connects to the peers');
with('pg_mpc.listen_addresses' => 'localhost, 127.0.0.1');
$mpc->become($hospital, "SELECT bool_and(status = 'ok') FROM mpc.node_status()");
pass('an address that is named twice is none too many');

# --- a certificate that comes late ---
my $late = abs_path($hospital->basedir) . '/late.crt';
with('pg_mpc.certificate_file' => $late);
says(qr/peers cannot be called under the configured certificate: could not load certificate file "\Q$late\E": .*No such file/,
	'a certificate that is not there');
$mpc->become($hospital, "SELECT detail ~ 'late.crt.*No such file' FROM mpc.node_status() WHERE \"check\" = 'certificate'");
like($mpc->ask($hospital, "SELECT cause FROM mpc.ping_peer('zorgttp')"),
	qr/own certificate is not loaded: could not load certificate file ".*late\.crt": .*No such file/, 'a ping says why');
copy($hospital->basedir . '/erasmus_mc.crt', $late) or BAIL_OUT("copy: $!");
$mpc->become($hospital, "SELECT ok FROM mpc.ping_peer('zorgttp')");
$mpc->become($insurer, "SELECT ok FROM mpc.ping_peer('erasmus_mc')");
$mpc->become($hospital, "SELECT bool_and(status = 'ok') FROM mpc.node_status()");
pass('coordinator and listener load it without a reload');

# --- the directory of the workers' sockets ---
my $private = $hospital->data_dir . '/pg_mpc';
chmod 0755, $private or BAIL_OUT("chmod: $!");
with();
says(qr/directory pg_mpc must be private to this user/, 'a directory that others can enter');
chmod 0700, $private or BAIL_OUT("chmod: $!");
$mpc->become($insurer, "SELECT ok FROM mpc.ping_peer('erasmus_mc')");
pass('a node again');

# --- no preload ---
with('shared_preload_libraries' => '');
$mpc->refuses($hospital, "SELECT mpc.propose_study('early', '{}')", '55000', qr/pg_mpc is not preloaded/,
	'a proposal without the workers');
$mpc->refuses($hospital, "SELECT * FROM mpc.ping_peer('zorgttp')", '55000', qr/pg_mpc is not preloaded/,
	'a ping without the workers');
is($mpc->ask($hospital, "SELECT length(encode(mpc.keyed_hash('k', 'x'), 'hex'))"), '64', 'cryptography works without');

$mpc->stop;
done_testing();
