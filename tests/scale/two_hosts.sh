# Sourced: two hosts, which are network namespaces of this machine, each with a name, an address, a processor and a disk of its own, and a
# cable between them.  `make_hosts` makes $one and $two; "$dir/on" HOST COMMAND WORD… runs there what ssh would; of_hosts lists what does.
# shellcheck shell=bash disable=SC2154
one=heed-$$-one two=heed-$$-two
made_netns=

# Processes of a host that are left.
of_hosts() { { ip netns pids $one; ip netns pids $two; } 2>/dev/null; }
none_left() { [ -z "$(of_hosts)" ]; }

remove_hosts() {
  of_hosts | xargs -r kill -KILL
  wait_for 10 none_left || say "processes of the hosts are left"
  local host
  for host in $one $two; do
    ip netns del $host 2>/dev/null || true
    rm -rf /etc/netns/$host
  done
  [ -z "$made_netns" ] || rmdir --ignore-fail-on-non-empty /etc/netns 2>/dev/null || true
}

# add_host NAME ADDRESS: its disk is $dir/disk/NAME, which it sees as $dir/own; its names are those of /etc/netns.
add_host() {
  ip netns add "$1" 2>"$dir/log" || leave_out "no network namespace can be made here: $(cat "$dir/log")"
  mkdir -p "/etc/netns/$1" "$dir/disk/$1"
  printf '127.0.0.1 localhost\n10.77.0.1 %s\n10.77.0.2 %s\n' $one $two >"/etc/netns/$1/hosts"
}

make_hosts() {
  local host processor=0
  [ "$(id -u)" = 0 ] || leave_out "it needs root, who may make network namespaces"
  [ -d /etc/netns ] || made_netns=1
  add_host $one
  add_host $two
  mkdir "$dir/own"
  ip link add eth0 netns $one type veth peer name eth0 netns $two || leave_out "no pair of network devices can be made here (veth)"
  for host in $one $two; do
    ip -n $host link set lo up
    ip -n $host addr add 10.77.0.$((++processor))/24 dev eth0
    ip -n $host link set eth0 up
  done
  # HOST COMMAND WORD…, which a shell of that host runs, as ssh would have it.
  cat >"$dir/on" <<ON
#!/bin/sh
host=\$1
shift
case \$host in $one) processor=0 ;; *) processor=$(($(nproc) > 1)) ;; esac
exec ip netns exec \$host unshare -u sh -c "hostname \$host && mount --bind $dir/disk/\$host $dir/own && taskset -pc \$processor \\\$\\\$ >/dev/null; \$*"
ON
  chmod +x "$dir/on"
  "$dir/on" $one true 2>"$dir/log" || leave_out "a namespace cannot be entered here: $(cat "$dir/log")"
}

# What the launchers find there.  Open MPI binds by the number of a processor, whichever a host has: here, not.
set_environment() {
  export BIND=none THREADS=1 OMP_NUM_THREADS=1
  export OMPI_MCA_plm_rsh_agent=$dir/on OMPI_MCA_orte_tmpdir_base=$dir/own
  export OMPI_MCA_btl=tcp,self OMPI_MCA_btl_tcp_if_include=10.77.0.0/24 OMPI_MCA_oob_tcp_if_include=10.77.0.0/24
}
