// The virtual file system. An open tells whether it has made its file.
#include "hooks.bpf.h"

// open(O_CREAT) makes the file in the directory's own operation, not by vfs_create(), and notes it in the file's mode
// before it comes here.
ON_CALL(vfs, open)
{
	struct file *file = ARG(2);

	count(row, vfs, open_calls, 1);
	if (READ(typed, file, f_mode) & FMODE_CREATED)
		count(row, vfs, create_calls, 1);
}
ON_RETURN(vfs, open)
{
	RETURNED_CALLS_ERRORS(row, ret, vfs, open);
}

GROUP_PROGRAMS(vfs)
