# shellcheck shell=bash disable=SC2034 # the scripts that source this file read `incomplete`
# SPDX-License-Identifier: MIT
#
# prepare.sh - what script/demo and script/check do before they build. They source it.
#
# It goes to the root of the tree, installs what is missing, and makes sure that
# Madang can be built at all. Missing packages that are not needed for that are
# no error: `incomplete` is then not empty, and the script says so at its end.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
incomplete=

# prepare PURPOSE...: purposes of script/packages; `build` is always among them.
prepare() {
	script/install "$@" || incomplete=yes
	local program lacking=()
	for program in cmake make "${CC:-cc}"; do
		command -v "$program" >/dev/null || lacking+=("$program")
	done
	if [ ${#lacking[@]} -gt 0 ]; then
		echo "${0##*/}: nothing can be built without: ${lacking[*]}" >&2
		exit 1
	fi
	local version
	version=$(cmake --version | sed -n '1s/[^0-9]*//p')
	if ! printf '3.25\n%s\n' "$version" | sort -C -V; then
		echo "${0##*/}: cmake 3.25 or later is needed, and this is $version" >&2
		exit 1
	fi
	if ! printf '#include <stdio.h>\n' | "${CC:-cc}" -E - >/dev/null 2>&1; then
		echo "${0##*/}: the C library's headers are missing (Debian: libc6-dev)" >&2
		exit 1
	fi
}
