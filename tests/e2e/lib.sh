# End-to-end scaffolding, for bash: source it, call e2e_isolate first.
#
# A test runs in network, mount and process namespaces of its own, so names can
# never clash, two tests can run side by side, nothing touches the host, and
# whatever happens nothing is left running: the kernel ends it with the test.
#
#   BOOTSMITH   the binary (default build/bootsmith), a sanitized one for example
#   KEEP=1      keeps the working directory with its logs, and says where
#
# This file's functions end the test with a message and the logs' tails when
# something that they wait for does not happen.

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
BOOTSMITH=$(realpath -m "${BOOTSMITH:-$top/build/bootsmith}")
images=/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64

# e2e_isolate "$0" "$@": goes on inside the namespaces; returns there. $work is
# a directory for the test.
e2e_isolate()
{
	if [ -z "${E2E_INSIDE-}" ]; then
		[ "$(id -u)" = 0 ] || { echo "$1: this test needs root for its namespaces" >&2; exit 1; }
		[ -x "$BOOTSMITH" ] || { echo "$1: $BOOTSMITH is missing: run make first" >&2; exit 1; }
		export BOOTSMITH E2E_INSIDE=1
		exec unshare --net --mount --pid --fork --kill-child --mount-proc "$@"
	fi
	unset E2E_INSIDE
	work=$(mktemp -d "${TMPDIR:-/tmp}/bootsmith-e2e.XXXXXX")
	trap e2e_end EXIT
	trap 'exit 130' INT TERM HUP
	ip link set lo up
	declare -gA pid_of=()
}

e2e_end()
{
	local status=$? name

	for name in "${!pid_of[@]}"; do
		kill "${pid_of[$name]}" 2> /dev/null
	done
	wait
	if [ -n "${KEEP-}" ]; then
		echo "logs: $work"
	else
		rm -rf "$work"
	fi
	exit $status
}

fail()
{
	local log

	echo "FAIL: $*"
	for log in "$work"/*.log; do
		[ -s "$log" ] || continue
		echo "--- the end of ${log##*/}:"
		tail -n 25 "$log" | tr -d '\r' | sed 's/\x1b[^a-zA-Z]*[a-zA-Z]//g; s/^/    /'
	done
	exit 1
} >&2

# start NAME COMMAND…: in the background, as $work/NAME.log and ${pid_of[NAME]}.
start()
{
	local name=$1

	shift
	: > "$work/$name.log"
	"$@" > "$work/$name.log" 2>&1 < /dev/null &
	pid_of[$name]=$!
}

# wait_line NAME REGEX SECONDS: until NAME's log has such a line.  A machine that has other things
# to do has a minute at least.
wait_line()
{
	local deadline=$((${EPOCHREALTIME/[.,]/} + ($3 > 60 ? $3 : 60) * 1000000))

	until grep -aqE "$2" "$work/$1.log"; do
		[ "${EPOCHREALTIME/[.,]/}" -lt $deadline ] || fail "no \"$2\" in $1.log in time ($3 s)"
		if ! kill -0 "${pid_of[$1]}" 2> /dev/null && ! grep -aqE "$2" "$work/$1.log"; then
			fail "$1 ended without \"$2\""
		fi
		sleep 0.05
	done
}

# stop NAME: asks it to end; fails unless it ends with exit code 0.
stop()
{
	kill "${pid_of[$1]}" 2> /dev/null
	ends_well "$1"
}

# ends_well NAME: waits until it has ended by itself, with exit code 0.
ends_well()
{
	local status=0

	wait "${pid_of[$1]}" || status=$?
	unset "pid_of[$1]"
	[ $status = 0 ] || fail "$1 ended with exit code $status"
	# A sanitizer's complaint; of undefined behaviour it only tells.
	has_no_line "$1" 'runtime error:|ERROR: .*Sanitizer'
}

has_line() { grep -aqE "$2" "$work/$1.log" || fail "no \"$2\" in $1.log"; }
has_no_line() { ! grep -aqE "$2" "$work/$1.log" || fail "there is \"$2\" in $1.log"; }

# A bridge with that address.
network_up()
{
	start "$1" "$BOOTSMITH" lab network --name "$1" --address "$2"
	wait_line "$1" "network $1 is up" 5
}

# The daemon, with roots and state below $work; further options as given.
serve_up()
{
	mkdir -p "$work/state"
	start server "$BOOTSMITH" serve --http-root "$work/http" --tftp-root "$work/tftp" \
		--state-dir "$work/state" --socket "$work/control.sock" "$@"
	wait_line server '[ "]ready after ' 10
}

# What the machines boot: kernel and initrds in the HTTP root, under the names of
# the configuration and under those of the article's script, which is boot.ipxe
# here; PXELINUX and its own configuration in the TFTP root.
make_roots()
{
	local http=$work/http pxelinux=$work/tftp/pxelinux

	mkdir -p "$http/rancher" "$pxelinux/pxelinux.cfg"
	cp "$images/linux" "$http/linux"
	"$top/tests/e2e/mkinitrd" "$http/initrd.gz"
	"$top/tests/e2e/mkinitrd" --marker second "$http/second.gz"
	ln "$http/linux" "$http/rancher/vmlinuz"
	ln "$http/initrd.gz" "$http/rancher/initrd"
	cat > "$http/boot.ipxe" <<-'END'
		#!ipxe
		kernel /rancher/vmlinuz
		initrd /rancher/initrd
		imgargs vmlinuz initrd=initrd console=ttyS0 panic=-1
		boot
	END

	cp /usr/lib/PXELINUX/pxelinux.0 /usr/lib/syslinux/modules/bios/ldlinux.c32 "$pxelinux/"
	ln "$http/linux" "$http/initrd.gz" "$pxelinux/"
	cat > "$pxelinux/pxelinux.cfg/default" <<-'END'
		DEFAULT userspace
		LABEL userspace
		    KERNEL linux
		    INITRD initrd.gz
		    APPEND console=ttyS0 panic=-1
	END
}

# boot_node NAME SECONDS [OPTION]…: from power-on until userspace says so and the
# machine has powered itself off; the time to userspace in $seconds.
boot_node()
{
	local name=$1 limit=$2 begin=${EPOCHREALTIME/[.,]/} took

	shift 2
	start "$name" "$BOOTSMITH" lab node --network br0 --timeout $((limit + 10)) "$@"
	wait_line "$name" '^BOOTSMITH-USERSPACE-REACHED' "$limit"
	took=$(((${EPOCHREALTIME/[.,]/} - begin) / 100000))
	seconds=$((took / 10)).$((took % 10))
	ends_well "$name"
}
