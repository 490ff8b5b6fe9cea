#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What a tool can hold of docs/style.md: layout, floors, banned functions, headers that compile alone,
# SPDX lines, and a page for every error and method. Prints what is wrong and exits 1.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

bad=0
complain()
{
    echo "check: $*"
    bad=1
}

mapfile -t sources < <(git ls-files --cached --others --exclude-standard '*.c' '*.h' '*.cpp' '*.inc')

# Layout. The IDL has no formatter.
clang-format --dry-run --Werror "${sources[@]}" >/tmp/dosvc-format.$$ 2>&1 || {
    head -n 20 /tmp/dosvc-format.$$
    complain "clang-format would change files"
}
rm -f /tmp/dosvc-format.$$

# SPDX and length.
while read -r file; do
    [ -f "$file" ] || continue
    head -n 3 "$file" | grep -q 'SPDX-License-Identifier: MIT' || complain "$file: no SPDX line"
done < <(git ls-files --cached --others --exclude-standard \
    '*.c' '*.h' '*.cpp' '*.inc' '*.idl' '*.py' '*.sh' '*.cmake' '*CMakeLists.txt' '*.in' '*.def' .ci/run)
for file in "${sources[@]}"; do
    awk -v file="$file" 'length($0) > 100 { print "check: " file ":" NR ": over 100 columns"; bad = 1 }
        END { exit bad }' "$file" || bad=1
done

# Floors: a file includes headers of its own floor or a lower one.
floors=(base plat store transfer job com dll)
for i in "${!floors[@]}"; do
    for ((j = i + 1; j < ${#floors[@]}; j++)); do
        found=$(grep -nE "^#include \"${floors[j]}/" -r "src/${floors[i]}")
        [ -z "$found" ] || complain "call upwards: $found"
    done
done

# Windows headers: in *_win.c, com/, dll/, tools/ only. base/hr.h takes constants from winerror.h.
found=$(grep -lE '^#include <(windows|win[a-z0-9]*|objbase|ole[a-z0-9]*|bcrypt|wincrypt|security)\.h>' \
    -r src/base src/plat src/store src/transfer src/job | grep -vE '_win\.c$|^src/base/hr\.h$')
[ -z "$found" ] || complain "Windows headers in: $found"

# Banned functions (style.md 49, 50).
banned='strcpy|strcat|sprintf|strtok|atoi|gets|alloca|lstrcpyA|lstrcpyW|lstrcatW|wsprintfW|wsprintfA|rand'
found=$(grep -nE "(^|[^A-Za-z0-9_])($banned) ?\(" -r src tools --include='*.c' --include='*.h')
[ -z "$found" ] || complain "banned function: $found"
product='abort|exit|TerminateThread|Sleep|LoadLibrary[AW]?'
found=$(grep -nE "(^|[^A-Za-z0-9_])($product) ?\(" -r src --include='*.c' --include='*.h')
[ -z "$found" ] || complain "banned in product code: $found"
found=$(grep -nE '\bMAX_PATH\b' -r src --include='*.c' --include='*.h')
[ -z "$found" ] || complain "MAX_PATH: $found"
# One allocator.
found=$(grep -nE '(^|[^A-Za-z0-9_])(malloc|calloc|realloc|free|strdup) ?\(' -r src --include='*.c' |
    grep -v '^src/base/alloc.c')
[ -z "$found" ] || complain "memory beside base/alloc: $found"
found=$(grep -nE 'TODO|FIXME|XXX' -r src tools --include='*.c' --include='*.h' | grep -vE 'TODO\(#[0-9]+\)')
[ -z "$found" ] || complain "TODO without an issue: $found"

# Each header of the native floors compiles alone.
for header in src/base/*.h src/plat/*.h src/store/*.h src/transfer/*.h src/job/*.h; do
    gcc -std=c11 -fsyntax-only -Wall -Wextra -Werror -Isrc -Iinclude -x c "$header" 2>/tmp/dosvc-header.$$ ||
        complain "$header does not compile alone: $(head -n 3 /tmp/dosvc-header.$$)"
    guard=DO_$(echo "${header#src/}" | tr 'a-z/.' 'A-Z__')
    grep -q "^#ifndef $guard$" "$header" || complain "$header: the guard is not $guard"
done
rm -f /tmp/dosvc-header.$$

# Each method in the IDL has a row in docs/com-surface.md, and a test that calls it.
python3 scripts/check_surface.py || bad=1

# docs/properties.md says of each property what the table in src/job/job_props.c says.
properties_of_code()
{
    sed -n 's/^ *\(DO_PROP_[A-Z_]*\) = \([0-9]*\),.*/\1 \2/p' src/job/job_props.h |
        while read -r name id; do
            row=$(grep -oE "\[$name\] = \{\{DO_TYPE_[A-Z0-9]*, (RO|WO|RW)\}" src/job/job_props.c)
            [ -z "$row" ] || echo "$id $row"
        done | sed -E 's/ \[.*DO_TYPE_/ /; s/, RO\}/ R/; s/, WO\}/ W/; s/, RW\}/ RW/;
            s/ TEXT/ BSTR/; s/ U32/ UI4/; s/ U64/ UI8/; s/ BYTES/ ARRAY/; s/ (CALLBACK|STREAM)/ UNKNOWN/'
}
found=$(diff <(properties_of_code) \
    <(sed -nE 's/^\| ([0-9]+) \| [A-Za-z]+ \| ([A-Z0-9]+) \| (R|W|RW) \|.*/\1 \2 \3/p' docs/properties.md))
[ -z "$found" ] || complain "docs/properties.md and src/job/job_props.c differ: $found"
[ "$(properties_of_code | wc -l)" = 30 ] || complain "src/job/job_props.c: there are not 30 properties"

# docs/policies.md has a row for each value in the table of src/store/policy.c.
policies=$(sed -n '/^static const struct policy_row rows/,/^};/p' src/store/policy.c | grep -oE '"[A-Za-z_]+"' | tr -d '"' | sort -u)
[ "$(echo "$policies" | wc -l)" -ge 25 ] || complain "src/store/policy.c: the table of policies is not found"
for name in $policies; do
    grep -qE "^\|.*(^|[^A-Za-z_])$name([^A-Za-z_]|\$)" docs/policies.md || complain "docs/policies.md: no row for $name"
done

# Every define of an error is in the list that gives it a text.
for name in $(sed -n 's/^#define \(DO_E_[A-Z0-9_]*\) .*/\1/p' include/DeliveryOptimizationErrors.h); do
    grep -qE "X\($name," include/DeliveryOptimizationErrors.h || complain "$name has no text"
done

[ "$bad" = 0 ] && echo "check: all well"
exit "$bad"
