#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# rfb.pl - one picture of the screen by way of x11vnc, as raw RGB: rfb.pl FILE
#
# x11vnc reads the screen with XShmGetImage into segments of its own. It is run as
# inetd would, with one end of a socket pair as its input and output, so that no
# port is needed; this is the smallest client of the RFB protocol (version 3.8, no
# password, true colour, raw encoding) on the other end.
use strict;
use warnings;
use Socket;

socketpair(my $ours, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die "socketpair: $!";
my $child = fork() // die "fork: $!";
if ($child == 0) {
	close $ours;
	open STDIN, '<&', $theirs or die;
	open STDOUT, '>&', $theirs or die;
	exec qw(x11vnc -inetd -q -once -nopw -noxdamage -norc -nocursor -xkb -display), $ENV{DISPLAY};
	die "x11vnc: $!";
}
close $theirs;
alarm 40;

sub receive {
	my ($length, $bytes) = (shift, '');
	while (length $bytes < $length) {
		sysread($ours, $bytes, $length - length $bytes, length $bytes) or die "x11vnc ended";
	}
	return $bytes;
}
sub transmit { syswrite($ours, $_[0]) == length $_[0] or die "write: $!" }

receive(12);
transmit("RFB 003.008\n");
my $kinds = unpack 'C', receive(1) or die "refused";
receive($kinds);
transmit(pack 'C', 1);
unpack('N', receive(4)) == 0 or die "refused";
transmit(pack 'C', 1);
my ($width, $height) = unpack 'n2', receive(20);
receive(unpack 'N', receive(4));
# Four bytes a pixel, the last one unused: red, green, blue as they come.
transmit(pack 'CxxxCCCCnnnCCCxxx', 0, 32, 24, 1, 1, 255, 255, 255, 24, 16, 8);
transmit(pack 'CxnN', 2, 1, 0);
transmit(pack 'CCn4', 3, 0, 0, 0, $width, $height);

my @rows = ("\0" x ($width * 3)) x $height;
my $missing = $width * $height;
while ($missing > 0) {
	unpack('C', receive(1)) == 0 or die "an unexpected message";
	my $rectangles = unpack 'xn', receive(3);
	for (1 .. $rectangles) {
		my ($x, $y, $w, $h, $encoding) = unpack 'n4N', receive(12);
		$encoding == 0 or die "encoding $encoding";
		for my $row ($y .. $y + $h - 1) {
			(my $pixels = receive($w * 4)) =~ s/(...)./$1/gs;
			substr($rows[$row], $x * 3, $w * 3) = $pixels;
		}
		$missing -= $w * $h;
	}
}
open my $file, '>:raw', $ARGV[0] or die "$ARGV[0]: $!";
print $file @rows;
close $file or die "$ARGV[0]: $!";
close $ours;
waitpid $child, 0;
