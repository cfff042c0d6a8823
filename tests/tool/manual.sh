# SPDX-License-Identifier: MIT
# The examples of the manual pages about channels. Each command after '$' is run, and all of them
# have to print what the page shows. Each page has a namespace of its own. The numbers in a table
# are not compared.
# shellcheck disable=SC2154 # case.sh sets what is not set here

PATH=$(dirname "$madang"):$PATH
export PATH
for page in listen talk call serve channels map; do
	MADANG_NAMESPACE=$base/$page
	export MADANG_NAMESPACE
	awk '/^\.Sh/ { on = /EXAMPLES/ }
		/^\.Ed/ { show = 0 }
		show { print }
		on && /^\.Bd/ { show = 1 }' "$here/../../man/madang-$page.1" |
		sed 's/\\e/\\/g; s/\\&//g' >"$work/shown"
	sed -n 's/^\$ //p' "$work/shown" >"$work/commands"
	grep -v '^\$ ' "$work/shown" >"$work/expected"
	echo wait >>"$work/commands"
	cd "$work" || exit 1
	sh "$work/commands" >"$work/printed" 2>&1
	if [ $page = channels ]; then
		sed -i 's/[0-9][0-9]*/N/g; s/   */  /g' "$work/expected" "$work/printed"
	fi
	diff "$work/expected" "$work/printed" && echo "madang-$page.1: as shown"
done
exit 0
