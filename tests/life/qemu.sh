#!/bin/sh
# SPDX-License-Identifier: MIT
#
# qemu.sh - the program `wipe` under qemu-user: qemu.sh linked|preload LIBRARY PROGRAM PLAIN
#
# Answers 77 where there is no qemu for this machine, or where it cannot run the program.
set -u

way=$1 library=$2 program=$3 plain=$4
case $(od -An -tu1 -j18 -N1 "$program" | tr -d ' ') in # e_machine, its low byte
3) qemu="qemu-i386" ;;
62) qemu="qemu-x86_64" ;;
183) qemu="qemu-aarch64" ;;
*) echo "skipped: no qemu is known for this program" && exit 77 ;;
esac
command -v "$qemu" >/dev/null || { echo "skipped: there is no $qemu"; exit 77; }
case $way in
linked) exec "$qemu" "$program" qemu ;;
preload) exec "$qemu" -E "LD_PRELOAD=$library" "$plain" qemu ;;
esac
