package main

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// confine permanently takes rights from this process that no policy needs: writing and creating files, starting programs, and
// using more than `memory` bytes of memory. Policies may still read files and use the network.
//
// It uses Landlock (Linux 5.13) and seccomp (3.17, with filters for all threads); on a kernel without one of them, the other
// still applies.
func confine(memory uint64) {
	limit := syscall.Rlimit{Cur: memory, Max: memory}
	_ = syscall.Setrlimit(unix.RLIMIT_DATA, &limit)
	_ = syscall.Setrlimit(unix.RLIMIT_CORE, &syscall.Rlimit{})
	// Both require no_new_privs on every thread: programs started from here cannot gain rights.
	if _, _, e := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); e != 0 {
		return
	}
	refuseChanges()
	filterCalls()
}

// refuseChanges forbids all changes to the file system, and all executions, with a Landlock ruleset without exceptions.
func refuseChanges() {
	version, _, e := syscall.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if e != 0 {
		return
	}
	rights := uint64(unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE |
		unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_MAKE_CHAR |
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK | unix.LANDLOCK_ACCESS_FS_MAKE_SYM)
	if version >= 2 {
		rights |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if version >= 3 {
		rights |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	attribute := struct{ handled uint64 }{rights}
	ruleset, _, e := syscall.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET,
		uintptr(unsafe.Pointer(&attribute)), unsafe.Sizeof(attribute), 0)
	if e != 0 {
		return
	}
	_, _, _ = syscall.AllThreadsSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0, 0)
	_ = syscall.Close(int(ruleset))
}

// Offsets in struct seccomp_data (linux/seccomp.h). For arguments, it is the offset of the low half on little-endian machines.
const (
	offsetCall     = 0
	offsetMachine  = 4
	offsetArgument = 16
)

const (
	permitted = unix.SECCOMP_RET_ALLOW
	refused   = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	missing   = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
)

func statement(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }

// unless skips `skip` statements where the accumulator does not meet the condition.
func unless(condition uint16, k uint32, skip uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | condition | unix.BPF_K, Jf: skip, K: k}
}

// when skips `skip` statements where the accumulator meets the condition.
func when(condition uint16, k uint32, skip uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | condition | unix.BPF_K, Jt: skip, K: k}
}

// filterCalls refuses the system calls that start a process, change the file system or access other processes, and openat for
// writing. It also works without Landlock.
func filterCalls() {
	load := uint16(unix.BPF_LD | unix.BPF_W | unix.BPF_ABS)
	give := uint16(unix.BPF_RET | unix.BPF_K)
	writing := uint32(unix.O_WRONLY | unix.O_RDWR | unix.O_CREAT | unix.O_TRUNC)
	program := []unix.SockFilter{
		statement(load, offsetMachine),
		when(unix.BPF_JEQ, machine, 1),
		statement(give, unix.SECCOMP_RET_KILL_PROCESS),
		statement(load, offsetCall),
		unless(unix.BPF_JGE, 0x40000000, 1), // the same calls by their x32 numbers
		statement(give, refused),
		unless(unix.BPF_JEQ, unix.SYS_CLONE3, 1), // a filter cannot read its flags; Go falls back to clone
		statement(give, missing),
	}
	for _, call := range append(oldCalls, refusedCalls...) {
		program = append(program, unless(unix.BPF_JEQ, call, 1), statement(give, refused))
	}
	program = append(program,
		unless(unix.BPF_JEQ, unix.SYS_CLONE, 4), // only threads may be created
		statement(load, offsetArgument),
		when(unix.BPF_JSET, unix.CLONE_THREAD, 1),
		statement(give, refused),
		statement(give, permitted),
		unless(unix.BPF_JEQ, unix.SYS_OPENAT, 4),
		statement(load, offsetArgument+2*8),
		unless(unix.BPF_JSET, writing, 1),
		statement(give, refused),
		statement(give, permitted),
		statement(give, permitted),
	)
	description := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	_, _, _ = syscall.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&description)))
}

var refusedCalls = []uint32{
	unix.SYS_EXECVE, unix.SYS_EXECVEAT, unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV,
	unix.SYS_OPENAT2, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_IO_URING_SETUP,
	unix.SYS_UNLINKAT, unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_LINKAT, unix.SYS_SYMLINKAT, unix.SYS_MKDIRAT,
	unix.SYS_MKNODAT, unix.SYS_FCHMOD, unix.SYS_FCHMODAT, unix.SYS_FCHMODAT2, unix.SYS_FCHOWN, unix.SYS_FCHOWNAT,
	unix.SYS_TRUNCATE, unix.SYS_FTRUNCATE, unix.SYS_UTIMENSAT, unix.SYS_SETXATTR, unix.SYS_LSETXATTR, unix.SYS_FSETXATTR,
	unix.SYS_REMOVEXATTR, unix.SYS_LREMOVEXATTR, unix.SYS_FREMOVEXATTR, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_CHROOT,
	unix.SYS_PIVOT_ROOT, unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_BPF, unix.SYS_PRLIMIT64, unix.SYS_MEMFD_CREATE,
}
