#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# berkeleydb.pl - a Berkeley DB environment in System V segments: berkeleydb.pl HOME [open]
#
# With DB_SYSTEM_MEM the library makes a segment with a key of its own for each of
# its regions and writes their ids into a file. Another process opens the
# environment with nothing but that file and attaches the ids. Ten processes write
# into one database at a time, under the library's locks, which lie in there too.
use strict;
use warnings;
use BerkeleyDB;

$| = 1;
my ($home, $what) = @ARGV;

sub environment {
	return BerkeleyDB::Env->new(-Home => $home, -SharedMemKey => 0x4d440001, -Mode => 0600,
		-Flags => DB_INIT_MPOOL | DB_INIT_CDB | DB_SYSTEM_MEM | $_[0]) || die "environment: $BerkeleyDB::Error";
}

sub database {
	return BerkeleyDB::Btree->new(-Filename => 'numbers', -Flags => $_[1], -Env => $_[0])
		|| die "database: $BerkeleyDB::Error";
}

# What is shared: permissions, bytes, attachments.
sub table {
	open my $file, '<', '/proc/sysvipc/shm' or die;
	(undef, my @rows) = <$file>;
	return join ', ', sort map { join ' ', (split)[0, 2, 3, 6] } @rows;
}

sub write_numbers {
	my ($writer, $count) = @_;
	my $environment = environment(0);
	my $numbers = database($environment, 0);
	for my $number (1 .. $count) {
		$numbers->db_put("$writer-$number", "$writer wrote $number " x 10) == 0 or die "put: $BerkeleyDB::Error";
	}
}

if (($what // '') eq 'open') {
	write_numbers('another program', 50);
	exit 0;
}

my $environment = environment(DB_CREATE);
my $numbers = database($environment, DB_CREATE);
print "regions: ", table(), "\n";
my @children;
for my $writer (1 .. 10) {
	my $child = fork() // die "fork: $!";
	if ($child == 0) {
		# A handle must not be used on both sides of a fork: everyone opens his own,
		# and ends by exec, which runs no destructor of what it inherited.
		exec $^X, '-e', 'exit 1' unless eval { write_numbers($writer, 50); 1 };
		exec '/bin/true';
	}
	push @children, $child;
}
push @children, fork() // die "fork: $!";
exec $^X, $0, $home, 'open' unless $children[-1];
for my $child (@children) {
	waitpid $child, 0;
	print "a writer's exit: $?\n";
}
my $right = 0;
for my $writer (1 .. 10, 'another program') {
	for my $number (1 .. 50) {
		my $value = '';
		$numbers->db_get("$writer-$number", $value);
		$right++ if $value eq "$writer wrote $number " x 10;
	}
}
print "records: $right\n";
print "regions: ", table(), "\n";
undef $numbers;
undef $environment;
print "closed: ", table(), "\n";
