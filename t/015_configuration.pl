# What a server says of a configuration with which it is no node, and that it is one as soon as that is mended.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
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
says(qr/no peer can connect: no address to listen at/, 'no address');
my $other = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or BAIL_OUT("no port: $!");
with('pg_mpc.listen_addresses' => '127.0.0.1', 'pg_mpc.port' => $other->sockport);
says(qr/no peer can connect: could not listen at address "127\.0\.0\.1" port \d+: .*in use/, 'a port that is in use');
close $other;
says(qr/listening for peers on port/, 'the port is taken as soon as it is free');

# --- the directory of the workers' sockets ---
my $private = $hospital->data_dir . '/pg_mpc';
with('pg_mpc.listen_addresses' => 'localhost', 'pg_mpc.port' => $hospital->{pg_mpc_port});
$mpc->become($insurer, "SELECT ok FROM mpc.ping_peer('erasmus_mc')");
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
