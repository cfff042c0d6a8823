#!/bin/sh
# SPDX-License-Identifier: MIT
#
# jumps.sh OBJDUMP READELF NM LIBMADANG_SYSV LIBMADANG
#
# What the compiler made of the libraries, in every preset. A call that the C library
# answers by its return address is passed on by a jump; syscall(2) writes nothing to the
# stack, where the caller's own variables may lie; and nothing inside calls a name that
# is exported, which another library may have overwritten.

objdump=$1 readelf=$2 nm=$3 sysv=$4 native=$5
failures=0

fail() {
	echo "$*" >&2
	failures=$((failures + 1))
}

for tool in "$objdump" "$readelf" "$nm"; do
	command -v "$tool" > /dev/null || { echo "skipped: $tool is not there"; exit 77; }
done

# The exported names, one a line.
exported() {
	"$nm" -D --defined-only "$1" | awk '{ sub(/@.*/, "", $3); print $3 }'
}

listing=$("$objdump" -d --no-show-raw-insn "$sysv") || exit 1

# The instructions of one function, one a line: GNU's objdump and LLVM's print them alike then.
code() {
	printf '%s\n' "$listing" | awk -v name="<$1>:" '
		index($0, name) { on = 1; next }
		/^$/ { on = 0 }
		on && sub(/^ *[0-9a-f]+:[ \t]*/, "") {
			gsub(/[ \t]+/, " "); gsub(/, /, ","); print
		}'
}

names=$(exported "$sysv")
for name in dlopen dlsym dlvsym syscall; do
	case "
$names
" in
	*"
$name
"*) ;;
	*) continue ;; # musl has no dlvsym
	esac
	# A jump to where a register says: jmp *%rax, br x16.
	code "$name" | grep -Eq '^(notrack )?jmp[lq]? \*%|^br x' ||
		fail "$name: is not passed on by a jump"
done

case $("$readelf" -h "$sysv") in
*X86-64* | *80386*)
	for name in syscall mdg__number_call mdg__number_to_kernel; do
		# A store above the return address: mov %r9,0x8(%rsp) before the stack is moved.
		code "$name" | awk '
			/^(sub|push)/ { exit }
			/^mov.*,(0x)?[0-9a-f]+\(%[er]sp\)$/ { print }' | grep -q . &&
			fail "$name: writes to what may be the caller's variables"
	done
	;;
esac

# Slots that the dynamic linker fills in with one of our own exported names.
for library in "$sysv" "$native"; do
	"$readelf" -rW "$library" | awk 'NF >= 5 { sub(/@.*/, "", $5); print $5 }' | sort -u |
		while read -r used; do
			case "
$names
" in
			*"
$used
"*) echo "$used" ;;
			esac
		done | grep . &&
		fail "${library##*/}: goes through a name that libmadang-sysv exports"
done

[ "$failures" -eq 0 ]
