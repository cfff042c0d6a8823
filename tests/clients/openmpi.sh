#!/bin/sh
# SPDX-License-Identifier: MIT
#
# openmpi.sh - Open MPI with its messages in System V segments (mpi.c).
#
# Each process makes a segment that the others attach by the id they are told; it is
# removed at once, as soon as its maker has it, so that the others attach a removed
# one. Then a job one of whose processes is killed: nothing may be left of it.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

# job ARGUMENT...: four processes, on however few processors.
job() {
	mpirun --oversubscribe -np 4 "$WORK/mpi" "$@" 2> "$WORK/said"
}

if [ "${1-}" = inside ]; then
	cd "$WORK" || give_up "cd"
	need_empty_table
	job
	equal "the job's exit" 0 $? || cat "$WORK/said" >&2
	equal "segments left" "" "$(rows)"
	job killed
	equal "the killed job's exit" 137 $? || cat "$WORK/said" >&2
	wait_until 20 no_segments
	equal "segments left by the killed job" "" "$(rows)"
	finish
fi

need mpirun openmpi-bin
need mpicc libopenmpi-dev
workdir openmpi
mpicc -O1 -o "$WORK/mpi" "$(dirname "$0")/mpi.c" > "$WORK/said" 2>&1 ||
	give_up "mpicc: $(cat "$WORK/said")"
TMPDIR=$WORK
OMPI_MCA_shmem=sysv             # the backing of shared memory, instead of files
OMPI_MCA_pml=ob1                # messages by Open MPI itself, not by UCX, which makes system calls
OMPI_MCA_btl=self,vader         # ... through shared memory
OMPI_MCA_btl_vader_single_copy_mechanism=none
OMPI_MCA_mpi_yield_when_idle=1  # more processes than processors
OMPI_MCA_plm_rsh_agent=true     # no ssh: everything runs here
OMPI_ALLOW_RUN_AS_ROOT=1
OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export TMPDIR OMPI_MCA_shmem OMPI_MCA_pml OMPI_MCA_btl OMPI_MCA_btl_vader_single_copy_mechanism \
	OMPI_MCA_mpi_yield_when_idle OMPI_MCA_plm_rsh_agent \
	OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM
# shellcheck disable=SC2119 # no options
(enter)
