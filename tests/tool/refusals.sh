# SPDX-License-Identifier: MIT
# Directories that are no usable namespace: each command says why, and what to do.
# shellcheck disable=SC2154 # case.sh sets what is not set here

all()
{
	for command in "ls" "mk 1" "rm 0" "run $helpers/tool_plain"; do
		# shellcheck disable=SC2086
		MADANG_NAMESPACE=$ns try $command
	done
	try doctor -n "$ns" | grep -A 1 -e directory -e registry | grep -v -e memory -e '^--'
	"$madang" doctor -n "$ns" | tail -n 1
	"$madang" doctor -n "$ns" --json | grep -e usable -e healthy -e '"error_text"'
}

echo "# a symbolic link"
"$madang" init "$base/real" >/dev/null
ln -s "$base/real" "$ns"
all
rm "$ns"

echo "# a file"
: >"$ns"
all
rm "$ns"

echo "# others may write"
mkdir "$ns" && chmod 0777 "$ns"
all
rmdir "$ns"

echo "# the wrong file"
"$madang" init "$ns" >/dev/null
awk 'BEGIN { for (i = 0; i < 4096; i++) printf "no registry " }' >"$ns/registry"
all

echo "# cut short"
rm -rf "$ns"
"$madang" init "$ns" >/dev/null
truncate -s 8192 "$ns/registry"
all
rm -rf "$ns"

# poke OFFSET BYTES: the registry says something else.
poke()
{
	printf '%b' "$2" | dd of="$ns/registry" bs=1 seek="$1" conv=notrunc status=none
}

echo "# of format 2"
"$madang" init "$ns" >/dev/null
poke 8 '\0002'
all
rm -rf "$ns"

echo "# of format 2, shared by users: what is wrong is not its mode"
"$madang" init --shared "$ns" >/dev/null
poke 8 '\0002'
poke 80 '\0000\0000\0000\0000' # the flags lay at 64
all
rm -rf "$ns"

echo "# no directory above it"
ns=$ns/below
MADANG_NAMESPACE=$ns try mk 1
ns=$base/ns

echo "# somebody else's"
if [ "$(id -u)" = 0 ]; then
	mkdir "$ns" && chown 12345 "$ns" && chmod 0700 "$ns"
	all
else
	# As an ordinary user root's directories are allowed, and nothing else can be had.
	sed -n '/^# somebody else/,$p' "$here/refusals.expected" | sed 1d
fi
exit 0
