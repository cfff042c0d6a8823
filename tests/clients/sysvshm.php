<?php
// SPDX-License-Identifier: MIT
/*
 * sysvshm.php - PHP's extensions sysvshm and shmop, with pcntl's fork.
 *
 * PHP loads its extensions with RTLD_DEEPBIND, which binds their shmget to libc
 * past any preload. What is gone through: variables by key, a raw segment by
 * key and by id of another process, each access mode, errors, fork and kill.
 */
error_reporting(E_ALL);
set_error_handler(function ($level, $text) {
	echo "php says: ", preg_replace('/0x[0-9a-f]+|\b[0-9]+\b/', 'N', $text), "\n";
	return true;
});

function fact($what, $value) { echo $what, ": ", var_export($value, true), "\n"; }

/* The row of the segment table, without ids: permissions, bytes, attachments. */
function row($key)
{
	foreach (array_slice(file('/proc/sysvipc/shm'), 1) as $line) {
		$words = preg_split('/\s+/', trim($line));
		if ((int)$words[0] === $key)
			return "$words[2] $words[3] $words[6]";
	}
	return 'none';
}

function signed32($key) { return $key >= 0x80000000 ? $key - 0x100000000 : $key; }

function variables($key)
{
	$memory = shm_attach($key, 10000, 0640);
	fact('row', row(signed32($key)));
	fact('put', shm_put_var($memory, 1, ['list' => [1, 2.5, null], 'text' => str_repeat('x', 300)]));
	$child = pcntl_fork();
	if ($child === 0) {
		$list = shm_get_var($memory, 1);
		$list['list'][] = 'child';
		shm_put_var($memory, 2, $list);
		shm_remove_var($memory, 1);
		exit(0);
	}
	pcntl_waitpid($child, $status);
	fact('child', $status);
	fact('what the child removed', shm_has_var($memory, 1));
	fact('what the child put', shm_get_var($memory, 2)['list']);
	fact('too large', shm_put_var($memory, 3, str_repeat('y', 20000)));
	$second = shm_attach($key);
	fact('row, attached twice', row(signed32($key)));
	fact('remove', shm_remove($memory));
	fact('still there', shm_get_var($second, 2)['text'] === str_repeat('x', 300));
	fact('detach', shm_detach($second));
	fact('detach', shm_detach($memory));
	fact('row at the end', row(signed32($key)));
}

function raw($key)
{
	$memory = shmop_open($key, 'n', 0600, 5000);
	fact('size', shmop_size($memory));
	fact('made again', shmop_open($key, 'n', 0600, 5000));
	fact('too large for it', shmop_open($key, 'c', 0600, 5001));
	fact('written', shmop_write($memory, 'hello', 4995));
	$reader = shmop_open($key, 'a', 0, 0);
	fact('read', shmop_read($reader, 4994, 6));
	try {
		shmop_write($reader, 'x', 0);
	} catch (Error $error) {
		fact('written read-only', $error->getMessage());
	}
	try {
		shmop_read($reader, 4999, 2);
	} catch (Error $error) {
		fact('read beyond', $error->getMessage());
	}
	fact('row', row(signed32($key)));
	another($key, $memory);
	fact('delete', shmop_delete($memory));
	fact('opened after that', shmop_open($key, 'a', 0, 0));
	fact('read after that', shmop_read($reader, 4995, 5));
}

/* Another program, that knows only the key; killed while it is attached. */
function another($key, $memory)
{
	$program = 'set_error_handler(fn() => exit(1)); $m = shmop_open(' . $key . ', "w", 0, 0);'
		. 'shmop_write($m, "another", 100); echo "."; flush(); fgets(STDIN);';
	$process = proc_open([PHP_BINARY, '-r', $program], [['pipe', 'r'], ['pipe', 'w'], STDERR], $pipes);
	fact('another says', fread($pipes[1], 1));
	fact('what another wrote', shmop_read($memory, 100, 7));
	fact('row beside another', row(signed32($key)));
	posix_kill(proc_get_status($process)['pid'], 9);
	proc_close($process);
	fact('row after its death', row(signed32($key)));
}

$key = ftok(__FILE__, 'p');
fact('ftok', $key === ((fileinode(__FILE__) & 0xffff) | (stat(__FILE__)['dev'] & 0xff) << 16 | ord('p') << 24));
variables($key);
raw($key);
raw(signed32(0xfffffff0));
