# title: a power cut after every call of a save
# expected: the old checkpoint or the new one, whole
# tests/faults/replay.c builds what a disk could hold then.
# shellcheck shell=bash disable=SC2154,SC2034 source=tests/faults/common.sh
. "$source/tests/faults/common.sh"
program replay
