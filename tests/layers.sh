#!/bin/sh
# Includes point down only: cli > app > edge > core > wire > base.
# core/, wire/ and base/ are pure: no system headers of I/O, time or threads.
set -eu
cd "$(dirname "$0")/.."

rank() {
	case $1 in
	base) echo 0 ;; wire) echo 1 ;; core) echo 2 ;;
	edge) echo 3 ;; app) echo 4 ;; cli) echo 5 ;;
	*) echo "layers: src/$1 is no layer" >&2; exit 1 ;;
	esac
}

bad=0 files=0
for file in src/*/*.[ch]; do
	layer=${file#src/} layer=${layer%%/*}
	own=$(rank "$layer")
	files=$((files + 1))
	for target in $(sed -n 's/^#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/p' "$file"); do
		case $target in
		*/*) ;;
		*) echo "$file: \"$target\": name the layer: \"layer/file.h\""; bad=1; continue ;;
		esac
		if [ "$(rank "${target%%/*}")" -gt "$own" ]; then
			echo "$file: includes \"$target\", which is a layer above"; bad=1
		fi
	done
	# What makes a file impure, by the headers that it takes.
	if [ "$own" -le 2 ]; then
		if grep -nE '^#[[:space:]]*include[[:space:]]*<(uv|unistd|fcntl|time|poll|pthread|dirent|signal|netdb|sys/(socket|stat|mman|types|time|ioctl|random)|net/.*|netinet/.*|arpa/.*|linux/.*)\.h>' "$file" /dev/null; then
			echo "$file: a pure layer needs no such header"; bad=1
		fi
	elif [ "$own" -ne 3 ] && [ "$own" -ne 4 ] && grep -nE '<uv\.h>' "$file" /dev/null; then
		echo "$file: the event loop belongs to edge/ and app/"; bad=1
	fi
done
[ "$files" -gt 0 ] || { echo "layers: no files found" >&2; exit 1; }
[ "$bad" = 0 ] && echo "layers: $files files, all includes point down"
exit $bad
