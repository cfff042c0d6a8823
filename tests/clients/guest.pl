# SPDX-License-Identifier: MIT
#
# guest.pl - root becomes a user for a while, as squid does, and uses what the user made.
#
#     guest.pl UID
#
# Makes a set and a queue as the user. Then, as root again, it is the first that
# uses them, and makes a segment and a set with mode 0666. At last another
# program, which is the user from the start, has to find everything usable.
use strict;
use warnings;
use IPC::SysV qw(IPC_PRIVATE IPC_RMID GETVAL SETVAL);

$| = 1;
my $uid = shift;

sub fact {
	my ($what, $value) = @_;
	print "$what: ", (defined $value ? $value : "undef ($!)"), "\n";
}

sub as_user {
	my $code = 'use IPC::SysV qw(:all); sub say { print "$_[0]: ", $_[1] // "undef ($!)", "\n" }'
		. shift;
	my $child = fork // die "fork: $!";
	if ($child == 0) {
		($<, $>) = ($uid, $uid);
		exec $^X, "-e", $code, @_;
	}
	waitpid $child, 0;
}

$> = $uid;
my ($set, $queue) = (semget(IPC_PRIVATE, 1, 0600), msgget(IPC_PRIVATE, 0600));
$> = 0;
fact("root sets a value", semctl($set, 0, SETVAL, 3));
fact("root sends", msgsnd($queue, pack("l! a*", 1, "text"), 0));
my ($roots, $memory) = (semget(IPC_PRIVATE, 1, 0666), shmget(IPC_PRIVATE, 5000, 0666));
fact("root posts", semop($roots, pack("s3", 0, 1, 0)));
fact("root writes", shmwrite($memory, "root", 0, 4));
as_user('my ($set, $queue, $roots, $memory, $got) = @ARGV;
	say("value", semctl($set, 0, GETVAL, 0));
	say("takes", semop($set, pack("s3", 0, -3, SEM_UNDO)));
	say("receives", msgrcv($queue, $got, 10, 0, IPC_NOWAIT));
	say("takes from root", semop($roots, pack("s3", 0, -1, IPC_NOWAIT)));
	say("reads", shmread($memory, $got, 0, 4) ? $got : undef);',
	$set, $queue, $roots, $memory);
fact("undone", semctl($set, 0, GETVAL, 0));
$> = $uid;
fact("removed", semctl($set, 0, IPC_RMID, 0) && msgctl($queue, IPC_RMID, 0));
$> = 0;
fact("removed by root", semctl($roots, 0, IPC_RMID, 0) && shmctl($memory, IPC_RMID, 0));
