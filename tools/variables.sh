#!/bin/sh
# Refuse make variables that no target reads, which make itself would pass over in silence: each with the nearest.
# The names are in $given_unknown; those that there are in the words of this command.
set -u
for unknown in $given_unknown; do
    nearest=$(printf '%s\n' "$@" | awk -v wrong="$unknown" '
        function distance(a, b,   i, j, at, cost) {
            for (i = 0; i <= length(a); i++) at[i, 0] = i
            for (j = 0; j <= length(b); j++) at[0, j] = j
            for (i = 1; i <= length(a); i++) for (j = 1; j <= length(b); j++) {
                cost = substr(a, i, 1) != substr(b, j, 1)
                at[i, j] = at[i - 1, j - 1] + cost
                if (at[i - 1, j] + 1 < at[i, j]) at[i, j] = at[i - 1, j] + 1
                if (at[i, j - 1] + 1 < at[i, j]) at[i, j] = at[i, j - 1] + 1
            }
            return at[length(a), length(b)]
        }
        { far = distance(toupper(wrong), $0); if (best == "" || far < least) { best = $0; least = far } }
        END { if (least <= 2 || least * 2 <= length(best)) print best }')
    printf 'error: there is no make variable %s\n' "$unknown" >&2
    if [ -n "$nearest" ]; then
        printf '  fix: did you mean %s=? make help lists all\n' "$nearest" >&2
    else
        printf '  fix: make help lists those that there are\n' >&2
    fi
done
exit 2
