#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# sysvipc.pl - perl's own shmget, shmread, shmwrite and shmctl, and the modules
# IPC::SysV and IPC::SharedMem, which come with it.
#
# The built-in functions attach and detach at every read and write; the modules
# are shared objects that perl loads when it meets `use`. A structure comes back
# from shmctl as bytes and is unpacked by a module built against libc's headers.
use strict;
use warnings;
use IPC::SysV qw(IPC_PRIVATE IPC_RMID IPC_CREAT IPC_EXCL IPC_STAT IPC_SET ftok shmat shmdt memread memwrite);
use IPC::SharedMem;
use Errno;

$| = 1;

sub fact { print "$_[0]: ", defined $_[1] ? $_[1] : 'undef', "\n"; }
sub outcome { my ($what, $result) = @_; fact($what, defined $result ? "works" : ($! + 0) . " $!"); }

sub stat_of {
	my $bytes = '';
	shmctl($_[0], IPC_STAT, $bytes) or die "IPC_STAT: $!";
	return IPC::SharedMem::stat::->new->unpack($bytes);
}

sub built_in {
	my $id = shmget(IPC_PRIVATE, 1000, 0640);
	outcome("shmget", $id);
	outcome("shmwrite", shmwrite($id, "hello", 3, 5));
	my $bytes;
	outcome("shmread", shmread($id, $bytes, 0, 12));
	fact("bytes", unpack("H*", $bytes));
	outcome("shmread beyond the end", shmread($id, $bytes, 996, 5) || undef);
	my $stat = stat_of($id);
	fact("after built-in functions", join ' ', map { sprintf "%o", $_ } $stat->mode, $stat->segsz, $stat->nattch);
	fact("last process is this one", $stat->lpid == $$ ? 1 : 0);
	my $child = fork() // die "fork: $!";
	if ($child == 0) {
		shmwrite($id, "from the child", 500, 14);
		exit 0;
	}
	waitpid $child, 0;
	fact("last process is the child", stat_of($id)->lpid == $child ? 1 : 0);
	shmread($id, $bytes, 500, 14);
	fact("what the child wrote", $bytes);
	outcome("IPC_RMID", shmctl($id, IPC_RMID, 0));
	outcome("shmread when it is gone", shmread($id, $bytes, 0, 1) || undef);
}

sub raw_addresses {
	my $key = ftok($0, 7);
	my $id = shmget($key, 5000, IPC_CREAT | IPC_EXCL | 0600);
	outcome("shmget with a key", $id);
	outcome("shmget a second time", shmget($key, 5000, IPC_CREAT | IPC_EXCL | 0600));
	my ($one, $two) = (shmat($id, undef, 0), shmat($id, undef, 0));
	memwrite($one, "through one", 4000, 11);
	my $bytes;
	memread($two, $bytes, 4000, 11);
	fact("read through two", $bytes);
	fact("attachments of one process", stat_of($id)->nattch);
	outcome("shmdt", shmdt($one));
	fact("attachments after shmdt", stat_of($id)->nattch);
	outcome("IPC_RMID while attached", shmctl($id, IPC_RMID, 0));
	memread($two, $bytes, 4000, 11);
	fact("bytes after IPC_RMID", $bytes);
	outcome("shmget of the key after it", shmget($key, 0, 0));
	shmdt($two);
	outcome("IPC_RMID when it is gone", shmctl($id, IPC_RMID, 0));
}

sub objects {
	my $memory = IPC::SharedMem->new(IPC_PRIVATE, 8, 0600) or die "IPC::SharedMem: $!";
	$memory->attach;
	$memory->write(pack("A4", "abcd"), 2, 4);
	fact("object's bytes", unpack("H*", $memory->read(0, 8)));
	fact("object's attachments", $memory->stat->nattch);
	my $child = fork() // die "fork: $!";
	if ($child == 0) {
		$memory->write("x", 0, 1);
		sleep 60;
	}
	select undef, undef, undef, 0.01 until $memory->read(0, 1) eq "x";
	fact("object's attachments with a child", $memory->stat->nattch);
	kill KILL => $child;
	waitpid $child, 0;
	fact("object's attachments after its death", $memory->stat->nattch);
	$memory->detach;
	fact("object's attachments at last", $memory->stat->nattch);
	outcome("object removed", $memory->remove);
}

built_in();
raw_addresses();
objects();
