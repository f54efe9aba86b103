# What: three PostgreSQL nodes that know each other, for the tests.
# Terms: hospital (erasmus_mc), insurer (zilveren_kruis), third (zorgttp): the three parties.
# Invariants: every wait has a deadline; a node's HTTPS port comes from PostgreSQL's own port reservation.
package ThreeParties;
use strict;
use warnings;
use Cwd qw(abs_path);
use Exporter 'import';
use File::Basename;
use IPC::Open2 qw(open2);
use IPC::Run ();
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT_OK = qw(TIMEOUT slurp);
use constant TIMEOUT => $PostgreSQL::Test::Utils::timeout_default;

my $root = dirname(dirname(dirname(__FILE__)));
my @parties = (['hospital', 'erasmus_mc'], ['insurer', 'zilveren_kruis'], ['third', 'zorgttp']);

# new(NAME => value ...): starts the nodes and makes them peers. The settings are appended to the configuration of every
# node. extension_version: the version for CREATE EXTENSION.
sub new {
	my ($class, %settings) = @_;
	my $version = delete $settings{extension_version};
	my $encoding = delete $settings{insurer_encoding};
	my $self = bless {root => $root}, $class;
	for (@parties) {
		my ($role, $party) = @$_;
		$self->{$role} = $self->_make_node($party, %settings, $role eq 'insurer' ? (encoding => $encoding) : ());
		$self->{https}{$role} = $self->{$role}->{pg_mpc_port};
	}
	_begin($_, $version) for $self->nodes;
	$self->introduce($_) for $self->nodes;
	return $self;
}

sub _begin {
	my ($node, $version) = @_;
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION pg_mpc' . ($version ? " VERSION '$version'" : ''));
	$node->safe_psql('postgres', 'CREATE ROLE analyst LOGIN IN ROLE mpc_admin, mpc_study, mpc_reader;'
		  . 'GRANT CREATE ON SCHEMA public TO analyst');
}

# add_node(PARTY, NODES...): adds a node that is not in nodes(). It and the given nodes become peers of each other.
sub add_node {
	my ($self, $party, @peers) = @_;
	my $node = $self->_make_node($party);
	_begin($node);
	$self->add_peer($node, $_), $self->add_peer($_, $node) for @peers;
	return $node;
}

sub _make_node {
	my ($self, $party, %settings) = @_;
	my $node = PostgreSQL::Test::Cluster->new($party);
	my $encoding = delete $settings{encoding};
	$node->init($encoding ? (extra => ['--encoding', $encoding, '--locale', 'C']) : ());
	$node->{pg_mpc_party} = $party;
	$node->{pg_mpc_port} = PostgreSQL::Test::Cluster::get_free_port();
	make_certificate($party, $node->basedir);
	my %all = (
		'shared_preload_libraries' => 'pg_mpc',
		'pg_mpc.party' => $party,
		'pg_mpc.port' => $node->{pg_mpc_port},
		# The server resolves a relative path in its data directory.
		'pg_mpc.certificate_file' => abs_path($node->basedir) . "/$party.crt",
		'pg_mpc.private_key_file' => abs_path($node->basedir) . "/$party.key",
		'pg_mpc.step_timeout' => '60s',
		'log_statement' => 'none',
		%settings);
	$node->append_conf('postgresql.conf', join('', map { "$_ = '$all{$_}'\n" } sort keys %all));
	return $node;
}

# make_certificate(PARTY, DIR): makes DIR/PARTY.crt and DIR/PARTY.key.
sub make_certificate {
	my ($party, $dir) = @_;
	system_or_bail('bash', "$root/tools/lib/make_certificate", $party, $dir);
}

sub certificate {
	my ($node) = @_;
	return slurp($node->basedir . "/$node->{pg_mpc_party}.crt");
}

# introduce(NODE): adds the two other parties as its peers.
sub introduce {
	my ($self, $node) = @_;
	$self->add_peer($node, $_) for grep { $_ != $node } $self->nodes;
}

# add_peer(NODE, PEER): adds a node as a peer of another one.
sub add_peer {
	my ($self, $node, $peer) = @_;
	my $certificate = certificate($peer);
	$self->ask($node, "SELECT mpc.add_peer('$peer->{pg_mpc_party}', 'https://localhost:$peer->{pg_mpc_port}', "
		  . "certificate => '$certificate')");
}

sub nodes { my ($self) = @_; return @{$self}{qw(hospital insurer third)}; }
sub party { my ($self, $node) = @_; return $node->{pg_mpc_party}; }
sub slurp { return PostgreSQL::Test::Utils::slurp_file($_[0]); }

sub stop {
	my ($self) = @_;
	$_->stop('fast', fail_ok => 1) for $self->nodes;
	return unless $self->{relay};
	print {$self->{relay}{in}} "quit\n";
	close $self->{relay}{in};
	waitpid $self->{relay}{pid}, 0;
}

# ask(NODE, SQL): runs a query as user analyst and returns the result as text. The test ends when there is an error.
sub ask {
	my ($self, $node, $sql) = @_;
	return $node->safe_psql('postgres', $sql, extra_params => ['-U', 'analyst'], timeout => TIMEOUT);
}

# refused(NODE, SQL): runs a statement as user analyst and returns its error: (text, sqlstate). '' and '' on success.
sub refused {
	my ($self, $node, $sql, %options) = @_;
	my ($out, $err) = ('', '');
	my $code = $node->psql('postgres', $sql, stdout => \$out, stderr => \$err, timeout => $options{timeout} // TIMEOUT,
		on_error_stop => 1,
		extra_params => ['-U', $options{user} // 'analyst', '-v', 'VERBOSITY=verbose']);
	return ('', '') if $code == 0;
	my ($state) = $err =~ /(?:ERROR|FATAL):  (\w{5}):/;
	return ($err, $state // '');
}

# refuses(NODE, SQL, SQLSTATE, PATTERN, NAME): one test that the statement fails with this error (SQLSTATE: one or a|b) and
# that the error has a detail and a hint, unless the server cancelled the statement. Returns the text.
sub refuses {
	my ($self, $node, $sql, $sqlstate, $pattern, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($text, $state) = $self->refused($node, $sql);
	subtest $name => sub {
		like($state, qr/^(?:$sqlstate)$/, 'SQLSTATE');
		like($text, $pattern, 'message');
		if ($state ne '57014') {
			like($text, qr/^DETAIL:  \S/m, 'detail: what was wrong');
			like($text, qr/^HINT:  \S/m, 'hint: what to do');
		}
	};
	return $text;
}

# become(NODE, SQL): waits until the query returns t.
sub become {
	my ($self, $node, $sql) = @_;
	return $node->poll_query_until('postgres', $sql) || BAIL_OUT("never true on $node->{pg_mpc_party}: $sql");
}

# log_lines(NODE): the lines of the server log, without times, process ids and the figures of checkpoints.
sub log_lines {
	my ($self, $node) = @_;
	my @lines = grep { !/LOG:  (?:checkpoint|restartpoint)/ } split /\n/, slurp($node->logfile);
	s/^\d{4}-\d\d-\d\d [\d:.]+ \S+ \[\d+\] // for @lines;
	return @lines;
}

# --- data ---

# load_diabetes(): loads 397 of the 442 persons on each side, in its own order. The persons missing differ between the sides.
sub load_diabetes {
	my ($self) = @_;
	my ($header, @lines) = split /\r?\n/, slurp("$root/data/diabetes.csv");
	my @names = split /,/, $header;
	my @rows = map { my %row; @row{@names} = split /,/; \%row } @lines;
	$self->_load_part($self->{hospital}, 'patients', 1, [qw(id age sex bmi bp tc)], \@rows);
	$self->_load_part($self->{insurer}, 'insured', 2, [qw(id ldl hdl tch ltg glu progression)], \@rows);
}

# The order and the choice are fixed functions of the identifier and the side.
sub _load_part {
	my ($self, $node, $relation, $side, $columns, $rows) = @_;
	my @list = @$columns;
	my $values = join ",\n", map { my $row = $_; '(' . join(',', map { $row->{$_} } @list) . ')' } @$rows;
	my $definition = join ', ', map { $_ eq 'id' ? 'id bigint' : "$_ float8" } @list;
	$self->ask($node, "CREATE TABLE $relation ($definition);
		INSERT INTO $relation SELECT * FROM (VALUES $values) AS v(@{[join ', ', @list]})
		ORDER BY hashint8extended(id::bigint, $side) LIMIT 397");
}

# load_small(ROWS): loads the data of a quick study: x1, x2 | x3, y; ROWS persons on both sides, all of them matched.
sub load_small {
	my ($self, $rows, $suffix) = @_;
	$suffix //= '';
	my $u = sub { "((hashint8extended(i, $_[0]) & 1048575)::float8 / 1048576 - 0.5)" };
	my ($x1, $x2, $x3, $noise) = map { $u->($_) } 1 .. 4;
	$self->ask($self->{hospital}, "CREATE TABLE small_a$suffix AS SELECT i::bigint AS id, $x1 AS x1, $x2 AS x2
		FROM generate_series(1, $rows) AS i ORDER BY hashint8extended(i, 11)");
	$self->ask($self->{insurer}, "CREATE TABLE small_b$suffix AS SELECT i::bigint AS id, $x3 AS x3,
		2 * $x1 - 3 * $x2 + 0.5 * $x3 + 0.3 * $noise AS y
		FROM generate_series(1, $rows) AS i ORDER BY hashint8extended(i, 12)");
}

# --- studies ---

sub diabetes_spec {
	my ($self, %changes) = @_;
	return spec([qw(age sex bmi bp tc)], [qw(ldl hdl tch ltg glu)], 'progression', 1.0, %changes);
}

sub small_spec {
	my ($self, %changes) = @_;
	return spec([qw(x1 x2)], [qw(x3)], 'y', 0.01, %changes);
}

# spec(HOSPITAL COLUMNS, INSURER COLUMNS, OUTCOME, LAMBDA, key => value ...): JSON text. Small keys: tests must be fast.
sub spec {
	my ($hospital, $insurer, $outcome, $lambda, %changes) = @_;
	my %spec = (
		controllers => {
			erasmus_mc => {attributes => $hospital},
			zilveren_kruis => {attributes => $insurer, outcome => $outcome}},
		third_party => 'zorgttp',
		key_bits => 2048,
		analysis => {kind => 'lasso', lambda => $lambda},
		release => {precision => 'exact'},  # tests compare with the clear text
		%changes);
	delete $spec{analysis} if $spec{analyses};
	# Tests run many studies on tables that differ slightly. Rules that count over several studies are off unless a test
	# turns them on (t/012_disclosure.pl).
	$spec{disclosure} = {versions => 1000, released_numbers => 1000000, min_cohort_change => 0, max_leverage => 1,
		max_vif => undef, %{$spec{disclosure} // {}}};
	return JSON::PP->new->canonical->encode(\%spec);
}

# propose(STUDY, SPEC): proposes a study and returns its digest.
sub propose {
	my ($self, $study, $spec) = @_;
	return $self->ask($self->{hospital}, "SELECT mpc.propose_study('$study', '$spec')");
}

# approval(STUDY, DIGEST, ROLE, RELATION): the statement that approves on one node.
sub approval {
	my ($self, $study, $digest, $role, $relation) = @_;
	my $source = $relation ? ", source => '$relation'::regclass, identifier => 'id'" : '';
	return "SELECT mpc.approve_study('$study', digest => '$digest'$source)";
}

# approve(STUDY, DIGEST, RELATION of the hospital, RELATION of the insurer): approves on all three nodes.
sub approve {
	my ($self, $study, $digest, $hospital, $insurer) = @_;
	$self->ask($self->{hospital}, $self->approval($study, $digest, 'hospital', $hospital));
	$self->ask($self->{insurer}, $self->approval($study, $digest, 'insurer', $insurer));
	$self->ask($self->{third}, $self->approval($study, $digest, 'third'));
	# The SQL of the first released version has no commitments.
	my $knows = $self->ask($self->{hospital}, "SELECT count(*) FROM pg_attribute WHERE attrelid = 'mpc.approvals'::regclass AND attname = 'commitment'");
	$self->approve_again($study, $digest, $hospital, $insurer) if $knows;
}

# brought(ROLE, CONTROLLER, STUDY): commitment and number of the data of a controller, as that node has them.
sub brought {
	my ($self, $role, $controller, $study) = @_;
	my $row = $self->ask($self->{$role}, "SELECT coalesce(commitment, ''), coalesce(data_number, 0) FROM mpc.approvals
		WHERE study = '$study' AND party = '$self->{$controller}{pg_mpc_party}' ORDER BY version DESC LIMIT 1");
	return [split /\|/, $row];
}

# approve_again(STUDY, DIGEST, RELATION, RELATION): approves again where new or changed data of a party have voided earlier
# approvals, after all nodes know the data.
sub approve_again {
	my ($self, $study, $digest, $hospital, $insurer) = @_;
	my %sources = (hospital => $hospital, insurer => $insurer, third => undef);
	for my $controller ('hospital', 'insurer') {
		my $commitment = $self->brought($controller, $controller, $study)->[0];
		my $party = $self->{$controller}{pg_mpc_party};
		$self->become($self->{$_}, "SELECT commitment = '$commitment' FROM mpc.approvals WHERE study = '$study' AND party = '$party'
			ORDER BY version DESC LIMIT 1") for keys %sources;
	}
	for my $role (keys %sources) {
		my $void = $self->ask($self->{$role}, "SELECT decision = 'void' FROM mpc.approvals WHERE study = '$study'
			AND party = '$self->{$role}{pg_mpc_party}' ORDER BY version DESC LIMIT 1");
		$self->ask($self->{$role}, $self->approval($study, $digest, $role, $sources{$role})) if $void eq 't';
	}
}

# prepare_study(STUDY, SPEC, RELATION, RELATION): proposes and approves on all nodes; returns the digest.
sub prepare_study {
	my ($self, $study, $spec, @sources) = @_;
	$self->approve($study, my $digest = $self->propose($study, $spec), @sources);
	return $digest;
}

# state(NODE, STUDY)
sub state {
	my ($self, $node, $study) = @_;
	return $self->ask($node, "SELECT state FROM mpc.studies WHERE study = '$study' ORDER BY version DESC LIMIT 1");
}

# ended(NODE, STUDY): waits for the end of the study at the node and returns its state.
sub ended {
	my ($self, $node, $study) = @_;
	$self->become($node, "SELECT state <> 'running' FROM mpc.studies WHERE study = '$study' ORDER BY version DESC LIMIT 1");
	return $self->state($node, $study);
}

# coefficients(NODE, STUDY): {attribute => value} of the first lambda, after the end.
sub coefficients {
	my ($self, $node, $study) = @_;
	$self->ended($node, $study);
	my $json = $self->ask($node, "SELECT json_object_agg(attribute, coefficient) FROM mpc.coefficients('$study')");
	return JSON::PP->new->decode($json);
}

# --- the network between the nodes ---

# through_relay(): sends the traffic between each two nodes through a route of its own in t/lib/relay, from now on.
sub through_relay {
	my ($self) = @_;
	my @pairs = map { my $from = $_; map { [$from, $_] } grep { $_ != $from } $self->nodes } $self->nodes;
	my @command = ('python3', "$root/t/lib/relay", map { "0:127.0.0.1:$_->[1]{pg_mpc_port}" } @pairs);
	$self->{relay}{pid} = open2($self->{relay}{out}, $self->{relay}{in}, @command);
	my ($ready, @ports) = split ' ', readline $self->{relay}{out};
	BAIL_OUT('the relay does not start') unless $ready eq 'ready';
	for my $i (0 .. $#pairs) {
		my ($from, $to) = @{$pairs[$i]};
		$self->{route}{$from->{pg_mpc_party}}{$to->{pg_mpc_party}} = $ports[$i];
		$self->ask($from, "SELECT mpc.alter_peer('$to->{pg_mpc_party}', url => 'https://127.0.0.1:$ports[$i]')");
		$self->become($from, "SELECT ok FROM mpc.ping_peer('$to->{pg_mpc_party}')");
	}
}

# route(FROM, TO): the port of the route from one node to the other.
sub route {
	my ($self, $from, $to) = @_;
	return $self->{route}{$from->{pg_mpc_party}}{$to->{pg_mpc_party}};
}

# relay(COMMAND): sends a command to the relay, which lists its commands, and returns the answer.
sub relay {
	my ($self, $command) = @_;
	print {$self->{relay}{in}} "$command\n";
	$self->{relay}{in}->flush;
	my $answer = readline($self->{relay}{out}) // 'nothing';
	BAIL_OUT("relay: $command: $answer") unless $answer =~ /^ok ?(.*)$/;
	return $1;
}

# --- statements that run while the test continues ---

# hold(NODE, RELATION): locks a source in a session, so that the engine of that node cannot read it and the study waits
# until release.
sub hold {
	my ($self, $node, $relation) = @_;
	return $self->hold_by($node, 'analyst', "LOCK TABLE $relation");
}

# hold_internal(NODE, TABLE): locks a table of mpc_internal until release.
sub hold_internal {
	my ($self, $node, $table) = @_;
	return $self->hold_by($node, 'postgres', "LOCK TABLE mpc_internal.$table IN ACCESS EXCLUSIVE MODE");
}

# hold_by(NODE, USER, SQL): a session with an open transaction in which the statement has run; see release.
sub hold_by {
	my ($self, $node, $user, $sql) = @_;
	my $session = {in => "BEGIN; $sql;\n\\echo held\n", out => ''};
	my @command = ($node->installed_command('psql'), '-XqAt', '-h', $node->host, '-p', $node->port, '-U',
		$user, '-d', 'postgres');
	$session->{run} = IPC::Run::start(\@command, '<', \$session->{in}, '>', \$session->{out}, '2>', '/dev/null',
		IPC::Run::timeout(TIMEOUT));
	$session->{run}->pump until $session->{out} =~ /held/;
	return $session;
}

# release(SESSION): releases the lock.
sub release {
	my ($self, $session) = @_;
	$session->{in} .= "COMMIT;\n\\q\n";
	$session->{run}->finish;
}

# start_sql(NODE, SQL): starts a psql session that runs the statement; see finish. The statement is an argument, because
# IPC::Run feeds standard input only while it is pumped, and finish pumps one session after the other.
sub start_sql {
	my ($self, $node, $sql) = @_;
	my $job = {in => '', out => '', err => '', node => $node};
	my @command = ($node->installed_command('psql'), '-XqAt', '-v', 'ON_ERROR_STOP=1', '-v', 'VERBOSITY=verbose',
		'-h', $node->host, '-p', $node->port, '-U', 'analyst', '-d', 'postgres', '-c', $sql);
	$job->{timer} = IPC::Run::timeout(TIMEOUT);
	$job->{run} = IPC::Run::start(\@command, '<', \$job->{in}, '>', \$job->{out}, '2>', \$job->{err}, $job->{timer});
	return $job;
}

# finish(JOB): waits for a session and returns (exit code, output, error output).
sub finish {
	my ($self, $job) = @_;
	$job->{run}->finish;
	chomp $job->{out};
	return ($job->{run}->result(0), $job->{out}, $job->{err});
}

1;
