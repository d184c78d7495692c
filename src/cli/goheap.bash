# SPDX-License-Identifier: Apache-2.0
# Completion of goheap in bash. The program itself knows what fits; names of files are bash's.

_goheap()
{
	local program=${1/#\~\//$HOME/} token=${2#=} choice
	COMPREPLY=()
	while IFS= read -r choice; do
		case $choice in
		:files | :folders)
			local kind=-f name
			[[ $choice == :folders ]] && kind=-d
			while IFS= read -r name; do
				COMPREPLY+=("$name")
			done < <(compgen "$kind" -- "$token")
			compopt -o filenames 2>/dev/null
			;;
		*)
			COMPREPLY+=("$choice")
			;;
		esac
	done < <("$program" --complete "${COMP_WORDS[@]:1:COMP_CWORD-1}" "$token" 2>/dev/null)
}

complete -F _goheap goheap
