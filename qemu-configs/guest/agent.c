// SPDX-License-Identifier: Apache-2.0
//
// The guest's only program: /init of the initramfs, and hands and eyes for the host. Process 1 mounts the usual file
// systems and buries the dead; its child is the agent. With "peerbar.shell" on the kernel's command line there is also a
// shell on the serial console, and the guest turns itself off when that ends. With "peerbar.userland" the programs that the
// host shares under that tag are in /usr.
//
// It serves requests that arrive over the virtio-serial port named "dev.peerbar.agent". All the knowledge of what to
// do is in Java on the host; this program makes the raw system calls that it is told to make, reads and writes its
// own memory, and does loads and stores whose SIGBUS or SIGSEGV is reported instead of fatal.
//
// Framing, little-endian both ways:
//   request   u32 length of what follows, u32 id, u32 operation, payload
//   response  u32 length of what follows, u32 id, u32 status, payload
// Operations and payloads: see the table of handlers at the end.
//
// Requests are served side by side, up to UNDER_WAY_MAX of them, and answered in any order: the id says what a response
// belongs to. One worker thread, the leader, waits at the port. It serves what it read itself, so that nothing is handed
// over on the way to an answer, and before it begins it makes another worker the leader: one that is idle, or a new one.
// So a request that hangs in the kernel costs its thread and nothing else. Each worker has buffers of its own, whose
// memory goes back to the kernel after a long request. Which worker serves a request is chance: a system call that
// changes something of its thread alone (credentials, affinity, signal masks) changes it for that worker.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define PORT_NAME "dev.peerbar.agent"
#define SHELL_TERMINAL "/dev/ttyS0" // not /dev/console, which cannot be a controlling terminal
#define PROTOCOL_VERSION 3u
#define FRAME_MAX (4u << 20) // longest request or response
#define ARENA_SIZE (64u << 20) // memory for system call arguments, the host's to share out; there when it is touched
#define UNDER_WAY_MAX 64 // requests served side by side
#define WORKERS (UNDER_WAY_MAX + 1) // and the leader
#define WORKER_STACK (256u << 10)
#define BUFFER_KEPT (64u << 10) // of a worker's buffers, between requests
#define BARRIERS 32
#define BARRIER_WAIT_MAX 600000000000u // nanoseconds
#define BARRIER_SPIN_MAX 10000000000u // nanoseconds until all that came run
#define TOGETHER 5000u // nanoseconds between the first and the last that go on
#define TOGETHER_TRY_MAX 10000000u // nanoseconds to bring that about
#define HELD_BACK_MAX 1000000000u // nanoseconds
#define POLLERS 8
#define SPAWN_ARGUMENTS 64
#define WAIT_MAX 600000 // milliseconds

enum status {
	STATUS_OK = 0,
	STATUS_BAD_REQUEST = 1, // payload too short or a value out of range; nothing was done
	STATUS_FAULT = 2, // SIGSEGV or SIGBUS; payload u32 signal, u32 si_code, u64 address
	STATUS_TIMEOUT = 3,
	STATUS_BUSY = 4, // as much as there may be is under way; nothing was done
};

// ---- faults: every access to an address that the host chose runs between guarded() and unguard() -------------------

static __thread sigjmp_buf fault_return;
static __thread volatile sig_atomic_t fault_armed;
static __thread struct {
	uint32_t signal;
	uint32_t code;
	uint64_t address;
} fault;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	(void)context;
	if (!fault_armed) {
		// A fault of the agent's own: nothing to return to.
		static const char text[] = "peerbar agent: BUG: fault outside of a guarded access\n";
		write(2, text, sizeof text - 1);
		_exit(111);
	}
	fault_armed = 0;
	fault.signal = (uint32_t)signal;
	fault.code = (uint32_t)info->si_code;
	fault.address = (uint64_t)(uintptr_t)info->si_addr;
	siglongjmp(fault_return, 1);
}

#define guarded() (fault_armed = 1, sigsetjmp(fault_return, 1) == 0)
#define unguard() (fault_armed = 0)

// ---- the request being read and the response being written -----------------------------------------------------------

struct reader {
	const uint8_t *at;
	size_t left;
	bool bad;
};

struct writer {
	uint8_t *start;
	size_t length;
};

static uint8_t *arena;

static const uint8_t *take(struct reader *r, size_t length)
{
	if (r->bad || r->left < length) {
		r->bad = true;
		return NULL;
	}
	const uint8_t *p = r->at;
	r->at += length;
	r->left -= length;
	return p;
}

static uint32_t take32(struct reader *r)
{
	uint32_t v = 0;
	const uint8_t *p = take(r, sizeof v);
	if (p)
		memcpy(&v, p, sizeof v);
	return v;
}

static uint64_t take64(struct reader *r)
{
	uint64_t v = 0;
	const uint8_t *p = take(r, sizeof v);
	if (p)
		memcpy(&v, p, sizeof v);
	return v;
}

static bool room(const struct writer *w, size_t length)
{
	return length <= FRAME_MAX - 64 - w->length;
}

static void put(struct writer *w, const void *from, size_t length)
{
	memcpy(w->start + w->length, from, length);
	w->length += length;
}

static void put32(struct writer *w, uint32_t v)
{
	put(w, &v, sizeof v);
}

static void put64(struct writer *w, uint64_t v)
{
	put(w, &v, sizeof v);
}

static enum status put_fault(struct writer *w)
{
	w->length = 0;
	put32(w, fault.signal);
	put32(w, fault.code);
	put64(w, fault.address);
	return STATUS_FAULT;
}

static uint64_t nanoseconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// ---- single accesses: exactly one load or store instruction of the width ---------------------------------------------

static bool width_ok(uint32_t width)
{
	return width == 1 || width == 2 || width == 4 || width == 8;
}

static inline uint64_t load(uint64_t address, uint32_t width)
{
	void *p = (void *)(uintptr_t)address;
	switch (width) {
	case 1: return *(volatile uint8_t *)p;
	case 2: return *(volatile uint16_t *)p;
	case 4: return *(volatile uint32_t *)p;
	default: return *(volatile uint64_t *)p;
	}
}

static inline void store(uint64_t address, uint32_t width, uint64_t value)
{
	void *p = (void *)(uintptr_t)address;
	switch (width) {
	case 1: *(volatile uint8_t *)p = (uint8_t)value; break;
	case 2: *(volatile uint16_t *)p = (uint16_t)value; break;
	case 4: *(volatile uint32_t *)p = (uint32_t)value; break;
	default: *(volatile uint64_t *)p = value; break;
	}
}

// The pattern of a seed: word i is splitmix64 of seed + i. GuestPattern on the host makes the same bytes.
static inline uint64_t pattern(uint64_t seed, uint64_t index)
{
	uint64_t z = (seed + index) * 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

// ---- races: requests whose work begins at one moment ---------------------------------------------------------------------

// Each party comes once, or leaves once instead. Those that came sleep until no other is awaited; then they spin until
// all of them run, because a sleeper is late by as long as it takes to wake it. A processor may stand still meanwhile,
// because the host has something else to do: so they meet again and again, until they went on close together the last
// time.
static struct barrier {
	uint32_t parties; // 0: free
	uint32_t came;
	uint32_t left;
	uint32_t passed; // of those that came
	uint32_t racers; // that had come when it opened
	bool open;
	bool failed; // it opened because somebody had waited too long
	uint64_t try_until;
	atomic_uint meetings; // of each racer, summed up
	uint64_t went_on[2][UNDER_WAY_MAX]; // when each did, after the last meeting and the one before
} barriers[BARRIERS];

static pthread_mutex_t barriers_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t barrier_opened; // by CLOCK_MONOTONIC
static long processors;

// What the request that this thread serves has to do with a barrier.
static __thread struct race {
	struct barrier *barrier; // or none
	uint64_t patience;
	uint64_t held_back;
	bool came;
	bool met; // all parties came or left, and those that came went on together
	uint64_t start;
	uint64_t end;
} race;

static void open_barrier(struct barrier *b, bool failed)
{
	b->open = true;
	b->failed = failed;
	b->racers = b->came;
	b->try_until = nanoseconds() + TOGETHER_TRY_MAX;
	pthread_cond_broadcast(&barrier_opened);
}

static void open_if_complete(struct barrier *b)
{
	if (!b->open && b->came + b->left == b->parties)
		open_barrier(b, false);
}

static void free_if_done(struct barrier *b)
{
	if (b->passed + b->left == b->parties)
		memset(b, 0, sizeof *b);
}

static void leave_barrier(struct barrier *b)
{
	pthread_mutex_lock(&barriers_lock);
	b->left++;
	open_if_complete(b);
	free_if_done(b);
	pthread_mutex_unlock(&barriers_lock);
}

// Waits until all have come to a meeting.
static bool spin(struct barrier *b, uint32_t racers, uint32_t meeting)
{
	uint64_t end = 0;
	atomic_fetch_add(&b->meetings, 1);
	for (uint32_t i = 1; atomic_load_explicit(&b->meetings, memory_order_acquire) < racers * meeting; i++) {
		if (i % 4096)
			continue;
		uint64_t now = nanoseconds();
		if (end == 0)
			end = now + BARRIER_SPIN_MAX;
		if (now > end)
			return false;
		if (racers > processors)
			sched_yield();
	}
	return true;
}

// Whether to go on now. All say the same: it depends on what all of them wrote before the last meeting.
static bool together(const struct barrier *b, uint32_t racers, const uint64_t *went_on)
{
	uint64_t first = went_on[0];
	uint64_t last = went_on[0];
	for (uint32_t i = 1; i < racers; i++) {
		first = went_on[i] < first ? went_on[i] : first;
		last = went_on[i] > last ? went_on[i] : last;
	}
	return last - first <= TOGETHER || last > b->try_until;
}

static bool go_on_together(struct barrier *b, uint32_t racers, uint32_t self)
{
	if (racers > processors)
		return spin(b, racers, 1); // they cannot all run
	for (uint32_t meeting = 1;; meeting++) {
		if (!spin(b, racers, meeting))
			return false;
		if (meeting > 1 && together(b, racers, b->went_on[(meeting - 1) % 2]))
			return true;
		b->went_on[meeting % 2][self] = nanoseconds();
	}
}

static bool meet(struct barrier *b, uint64_t patience)
{
	uint64_t end = nanoseconds() + patience;
	struct timespec until = { .tv_sec = (time_t)(end / 1000000000u), .tv_nsec = (long)(end % 1000000000u) };
	pthread_mutex_lock(&barriers_lock);
	bool late = b->open;
	uint32_t self = b->came++;
	open_if_complete(b);
	while (!b->open)
		if (pthread_cond_timedwait(&barrier_opened, &barriers_lock, &until) == ETIMEDOUT && !b->open)
			open_barrier(b, true);
	bool met = !late && !b->failed;
	uint32_t racers = b->racers;
	pthread_mutex_unlock(&barriers_lock);
	if (!late && !go_on_together(b, racers, self))
		met = false;
	return met;
}

static void pass_barrier(struct barrier *b)
{
	pthread_mutex_lock(&barriers_lock);
	b->passed++;
	free_if_done(b);
	pthread_mutex_unlock(&barriers_lock);
}

// Right before what the request is about.
static void race_start(void)
{
	if (!race.barrier || race.came)
		return;
	race.came = true;
	race.met = meet(race.barrier, race.patience);
	race.start = nanoseconds();
	for (uint64_t from = race.start; race.start - from < race.held_back;)
		race.start = nanoseconds();
}

// Right after it.
static void race_end(void)
{
	if (race.came && race.end == 0)
		race.end = nanoseconds();
}

// ---- operations --------------------------------------------------------------------------------------------------------

// -> u32 version, u32 page size, u64 arena address, u64 arena size, u32 most requests under way
static enum status do_hello(struct reader *r, struct writer *w)
{
	(void)r;
	put32(w, PROTOCOL_VERSION);
	put32(w, (uint32_t)sysconf(_SC_PAGESIZE));
	put64(w, (uint64_t)(uintptr_t)arena);
	put64(w, ARENA_SIZE);
	put32(w, UNDER_WAY_MAX);
	return STATUS_OK;
}

// u64 number, 6 x u64 argument, u32 count of {u64 address, u32 length, bytes} stored before the call,
// u32 count of {u64 address, u32 length} read after it -> i64 result or -errno, u64 nanoseconds, the bytes read.
// The kernel checks the arguments; what is copied in and out must lie in the arena.
static enum status do_syscall(struct reader *r, struct writer *w)
{
	uint64_t number = take64(r);
	uint64_t a[6];
	for (int i = 0; i < 6; i++)
		a[i] = take64(r);
	uint64_t base = (uint64_t)(uintptr_t)arena;
	uint32_t stores = take32(r);
	for (uint32_t i = 0; i < stores && !r->bad; i++) {
		uint64_t to = take64(r);
		uint32_t length = take32(r);
		const uint8_t *bytes = take(r, length);
		if (!bytes || to < base || to - base > ARENA_SIZE || length > ARENA_SIZE - (to - base))
			return STATUS_BAD_REQUEST;
		memcpy((void *)(uintptr_t)to, bytes, length);
	}
	uint32_t loads = take32(r);
	struct reader ranges = *r;
	size_t total = 0;
	for (uint32_t i = 0; i < loads && !r->bad; i++) {
		uint64_t from = take64(r);
		uint32_t length = take32(r);
		if (from < base || from - base > ARENA_SIZE || length > ARENA_SIZE - (from - base))
			return STATUS_BAD_REQUEST;
		total += length;
	}
	if (r->bad || r->left || !room(w, total + 16))
		return STATUS_BAD_REQUEST;
	race_start();
	uint64_t start = nanoseconds();
	long result = syscall((long)number, a[0], a[1], a[2], a[3], a[4], a[5]);
	int error = errno;
	uint64_t elapsed = nanoseconds() - start;
	race_end();
	put64(w, (uint64_t)(int64_t)(result == -1 ? -error : result));
	put64(w, elapsed);
	for (uint32_t i = 0; i < loads; i++) {
		uint64_t from = take64(&ranges);
		uint32_t length = take32(&ranges);
		put(w, (void *)(uintptr_t)from, length);
	}
	return STATUS_OK;
}

// u64 address, u32 length -> bytes
static enum status do_read(struct reader *r, struct writer *w)
{
	uint64_t from = take64(r);
	uint32_t length = take32(r);
	if (r->bad || r->left || !room(w, length))
		return STATUS_BAD_REQUEST;
	if (!guarded())
		return put_fault(w);
	put(w, (void *)(uintptr_t)from, length);
	unguard();
	return STATUS_OK;
}

// u64 address, bytes ->
static enum status do_write(struct reader *r, struct writer *w)
{
	uint64_t to = take64(r);
	size_t length = r->left;
	const uint8_t *bytes = take(r, length);
	if (r->bad)
		return STATUS_BAD_REQUEST;
	if (!guarded())
		return put_fault(w);
	memcpy((void *)(uintptr_t)to, bytes, length);
	unguard();
	return STATUS_OK;
}

// u64 address, u32 width -> u64 value
static enum status do_load(struct reader *r, struct writer *w)
{
	uint64_t address = take64(r);
	uint32_t width = take32(r);
	if (r->bad || r->left || !width_ok(width))
		return STATUS_BAD_REQUEST;
	if (!guarded())
		return put_fault(w);
	uint64_t value = load(address, width);
	unguard();
	put64(w, value);
	return STATUS_OK;
}

// u64 address, u32 width, u64 value ->
static enum status do_store(struct reader *r, struct writer *w)
{
	uint64_t address = take64(r);
	uint32_t width = take32(r);
	uint64_t value = take64(r);
	if (r->bad || r->left || !width_ok(width))
		return STATUS_BAD_REQUEST;
	if (!guarded())
		return put_fault(w);
	store(address, width, value);
	unguard();
	return STATUS_OK;
}

// u64 address, u64 length (a multiple of 8), u64 seed ->
static enum status do_fill(struct reader *r, struct writer *w)
{
	uint64_t address = take64(r);
	uint64_t length = take64(r);
	uint64_t seed = take64(r);
	if (r->bad || r->left || address % 8 || length % 8)
		return STATUS_BAD_REQUEST;
	volatile uint64_t *words = (volatile uint64_t *)(uintptr_t)address;
	if (!guarded())
		return put_fault(w);
	for (uint64_t i = 0; i < length / 8; i++)
		words[i] = pattern(seed, i);
	unguard();
	return STATUS_OK;
}

// u64 address, u64 length (a multiple of 8), u64 seed -> u64 offset of the first word that differs or the length,
// u64 expected word, u64 word there
static enum status do_verify(struct reader *r, struct writer *w)
{
	uint64_t address = take64(r);
	uint64_t length = take64(r);
	uint64_t seed = take64(r);
	if (r->bad || r->left || address % 8 || length % 8)
		return STATUS_BAD_REQUEST;
	const volatile uint64_t *words = (const volatile uint64_t *)(uintptr_t)address;
	if (!guarded())
		return put_fault(w);
	uint64_t i = 0;
	uint64_t seen = 0;
	for (; i < length / 8; i++) {
		seen = words[i];
		if (seen != pattern(seed, i))
			break;
	}
	unguard();
	bool same = i == length / 8;
	put64(w, i * 8);
	put64(w, same ? 0 : pattern(seed, i));
	put64(w, same ? 0 : seen);
	return STATUS_OK;
}

// u64 address, u64 length, u32 byte ->
static enum status do_set(struct reader *r, struct writer *w)
{
	uint64_t address = take64(r);
	uint64_t length = take64(r);
	uint32_t value = take32(r);
	if (r->bad || r->left || value > 0xff)
		return STATUS_BAD_REQUEST;
	if (!guarded())
		return put_fault(w);
	memset((void *)(uintptr_t)address, (int)value, length);
	unguard();
	return STATUS_OK;
}

// u64 address, u64 address, u64 length -> u64 offset of the first byte that differs or the length
static enum status do_compare(struct reader *r, struct writer *w)
{
	uint64_t one = take64(r);
	uint64_t two = take64(r);
	uint64_t length = take64(r);
	if (r->bad || r->left)
		return STATUS_BAD_REQUEST;
	const uint8_t *a = (const uint8_t *)(uintptr_t)one;
	const uint8_t *b = (const uint8_t *)(uintptr_t)two;
	if (!guarded())
		return put_fault(w);
	uint64_t i = 0;
	while (i < length) {
		uint64_t step = length - i < 4096 ? length - i : 4096;
		if (memcmp(a + i, b + i, step) != 0) {
			while (a[i] == b[i])
				i++;
			break;
		}
		i += step;
	}
	unguard();
	put64(w, i);
	return STATUS_OK;
}

// Loops of nothing but loads, or stores, one a word, over and over the same words; unrolled, because emulated loop
// bookkeeping costs as much as what is measured.
#define ACCESS_LOOPS(type)                                                                                             \
	static uint64_t loads_of_##type(const volatile type *words, uint64_t n, uint64_t count)                        \
	{                                                                                                              \
		type last = 0;                                                                                         \
		for (uint64_t left = count; left > 0;) {                                                               \
			uint64_t pass = left < n ? left : n;                                                           \
			_Pragma("GCC unroll 16") for (uint64_t i = 0; i < pass; i++)                                   \
				last = words[i];                                                                       \
			left -= pass;                                                                                  \
		}                                                                                                      \
		return last;                                                                                           \
	}                                                                                                              \
	static void stores_of_##type(volatile type *words, uint64_t n, uint64_t count, uint64_t value)                 \
	{                                                                                                              \
		for (uint64_t left = count; left > 0;) {                                                               \
			uint64_t pass = left < n ? left : n;                                                           \
			_Pragma("GCC unroll 16") for (uint64_t i = 0; i < pass; i++)                                   \
				words[i] = (type)value;                                                                \
			left -= pass;                                                                                  \
		}                                                                                                      \
	}

ACCESS_LOOPS(uint8_t)
ACCESS_LOOPS(uint16_t)
ACCESS_LOOPS(uint32_t)
ACCESS_LOOPS(uint64_t)

static uint64_t load_over(uint64_t address, uint64_t words, uint32_t width, uint64_t count)
{
	void *p = (void *)(uintptr_t)address;
	switch (width) {
	case 1: return loads_of_uint8_t(p, words, count);
	case 2: return loads_of_uint16_t(p, words, count);
	case 4: return loads_of_uint32_t(p, words, count);
	default: return loads_of_uint64_t(p, words, count);
	}
}

static void store_over(uint64_t address, uint64_t words, uint32_t width, uint64_t count, uint64_t value)
{
	void *p = (void *)(uintptr_t)address;
	switch (width) {
	case 1: stores_of_uint8_t(p, words, count, value); break;
	case 2: stores_of_uint16_t(p, words, count, value); break;
	case 4: stores_of_uint32_t(p, words, count, value); break;
	default: stores_of_uint64_t(p, words, count, value); break;
	}
}

// u64 address, u64 length (a multiple of the width, not 0), u32 width, u64 count, u32 store, u64 value: so many loads or
// stores of one word after another, and from the start again -> u64 nanoseconds for all, u64 last value loaded or stored
static enum status do_time(struct reader *r, struct writer *w)
{
	uint64_t address = take64(r);
	uint64_t length = take64(r);
	uint32_t width = take32(r);
	uint64_t count = take64(r);
	uint32_t is_store = take32(r);
	uint64_t value = take64(r);
	if (r->bad || r->left || !width_ok(width) || length == 0 || length % width || is_store > 1)
		return STATUS_BAD_REQUEST;
	uint64_t words = length / width;
	if (!guarded())
		return put_fault(w);
	uint64_t start = nanoseconds();
	if (is_store)
		store_over(address, words, width, count, value);
	else
		value = load_over(address, words, width, count);
	uint64_t elapsed = nanoseconds() - start;
	unguard();
	put64(w, elapsed);
	put64(w, value);
	return STATUS_OK;
}

// u64 to, u64 from, u64 length, u64 count: copies that do not overlap -> u64 nanoseconds for all
static enum status do_time_copy(struct reader *r, struct writer *w)
{
	uint64_t to = take64(r);
	uint64_t from = take64(r);
	uint64_t length = take64(r);
	uint64_t count = take64(r);
	uint64_t apart = to > from ? to - from : from - to;
	if (r->bad || r->left || apart < length)
		return STATUS_BAD_REQUEST;
	if (!guarded())
		return put_fault(w);
	uint64_t start = nanoseconds();
	for (uint64_t i = 0; i < count; i++) {
		memcpy((void *)(uintptr_t)to, (const void *)(uintptr_t)from, length);
		atomic_signal_fence(memory_order_seq_cst); // each of them counts
	}
	uint64_t elapsed = nanoseconds() - start;
	unguard();
	put64(w, elapsed);
	return STATUS_OK;
}

// ---- pollers: a thread each that loads one address over and over, once at least -------------------------------------

static struct poller {
	pthread_t thread;
	bool used;
	bool stopping;
	uint64_t address;
	uint32_t width;
	atomic_bool stop;
	atomic_uint_least64_t count;
	uint64_t last;
	uint64_t longest; // nanoseconds of the slowest load
	uint32_t fault_signal;
} pollers[POLLERS];

static pthread_mutex_t pollers_lock = PTHREAD_MUTEX_INITIALIZER; // who has which

static void *poller_main(void *argument)
{
	struct poller *p = argument;
	if (guarded()) {
		bool ends;
		do {
			// Before the load: the last one sees what was there when it was told to stop.
			ends = atomic_load(&p->stop);
			uint64_t start = nanoseconds();
			p->last = load(p->address, p->width);
			uint64_t took = nanoseconds() - start;
			if (took > p->longest)
				p->longest = took;
			atomic_fetch_add_explicit(&p->count, 1, memory_order_relaxed);
		} while (!ends);
		unguard();
	} else {
		p->fault_signal = fault.signal;
	}
	return NULL;
}

// u64 address, u32 width -> u32 poller
static enum status do_poller_start(struct reader *r, struct writer *w)
{
	uint64_t address = take64(r);
	uint32_t width = take32(r);
	if (r->bad || r->left || !width_ok(width))
		return STATUS_BAD_REQUEST;
	pthread_mutex_lock(&pollers_lock);
	uint32_t i = 0;
	while (i < POLLERS && pollers[i].used)
		i++;
	bool started = false;
	if (i < POLLERS) {
		struct poller *p = &pollers[i];
		memset(p, 0, sizeof *p);
		p->address = address;
		p->width = width;
		started = pthread_create(&p->thread, NULL, poller_main, p) == 0;
		p->used = started;
	}
	pthread_mutex_unlock(&pollers_lock);
	if (!started)
		return STATUS_BUSY;
	put32(w, i);
	return STATUS_OK;
}

// u32 poller -> u64 loads done, u64 last value, u64 nanoseconds of the longest load, u32 signal that ended it or 0
static enum status do_poller_stop(struct reader *r, struct writer *w)
{
	uint32_t i = take32(r);
	if (r->bad || r->left || i >= POLLERS)
		return STATUS_BAD_REQUEST;
	struct poller *p = &pollers[i];
	pthread_mutex_lock(&pollers_lock);
	bool mine = p->used && !p->stopping;
	p->stopping = true;
	pthread_mutex_unlock(&pollers_lock);
	if (!mine)
		return STATUS_BAD_REQUEST;
	atomic_store(&p->stop, true);
	pthread_join(p->thread, NULL);
	put64(w, atomic_load(&p->count));
	put64(w, p->last);
	put64(w, p->longest);
	put32(w, p->fault_signal);
	pthread_mutex_lock(&pollers_lock);
	p->used = false;
	pthread_mutex_unlock(&pollers_lock);
	return STATUS_OK;
}

// ---- waiting -------------------------------------------------------------------------------------------------------------

// OK when the file can be read from; TIMEOUT; BAD_REQUEST if it is none.
static enum status await_readable(int fd, uint64_t end)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int ready;
	do {
		int64_t left = ((int64_t)(end - nanoseconds()) + 999999) / 1000000;
		ready = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (ready < 0 && errno == EINTR);
	if (ready == 0)
		return STATUS_TIMEOUT;
	return ready < 0 || p.revents & POLLNVAL ? STATUS_BAD_REQUEST : STATUS_OK;
}

// OK with the counter, and the eventfd is zero again; TIMEOUT; BAD_REQUEST if it is no eventfd.
static enum status await_event(int fd, uint32_t milliseconds, uint64_t *counter)
{
	uint64_t end = nanoseconds() + (uint64_t)milliseconds * 1000000u;
	struct iovec to = { .iov_base = counter, .iov_len = sizeof *counter };
	for (;;) {
		enum status status = await_readable(fd, end);
		if (status != STATUS_OK)
			return status;
		// Another request may have taken what was there.
		ssize_t n = preadv2(fd, &to, 1, -1, RWF_NOWAIT);
		if (n == (ssize_t)sizeof *counter)
			return STATUS_OK;
		if (n >= 0 || errno != EAGAIN)
			return STATUS_BAD_REQUEST;
	}
}

// u32 eventfd, u32 milliseconds -> u64 counter (and the eventfd is zero again)
static enum status do_wait_event(struct reader *r, struct writer *w)
{
	int fd = (int)take32(r);
	uint32_t timeout = take32(r);
	if (r->bad || r->left || timeout > WAIT_MAX)
		return STATUS_BAD_REQUEST;
	uint64_t counter;
	enum status status = await_event(fd, timeout, &counter);
	if (status == STATUS_OK)
		put64(w, counter);
	return status;
}

// u64 address, u32 width, u64 value, u32 eventfd, u32 milliseconds: a store, and the event that it brings about
// -> u64 nanoseconds for both (and the eventfd is zero again)
static enum status do_time_event(struct reader *r, struct writer *w)
{
	uint64_t address = take64(r);
	uint32_t width = take32(r);
	uint64_t value = take64(r);
	int fd = (int)take32(r);
	uint32_t timeout = take32(r);
	if (r->bad || r->left || !width_ok(width) || timeout > WAIT_MAX)
		return STATUS_BAD_REQUEST;
	if (!guarded())
		return put_fault(w);
	uint64_t start = nanoseconds();
	store(address, width, value);
	unguard();
	uint64_t counter;
	enum status status = await_event(fd, timeout, &counter);
	uint64_t elapsed = nanoseconds() - start;
	if (status == STATUS_OK)
		put64(w, elapsed);
	return status;
}

// ---- a child: what a process sees that has a copy of this one's memory ----------------------------------------------

// u64 address, u32 width, u32 store, u64 value: one load or store by a child that is forked for it and ends then
// -> u64 value loaded or stored. It is made with all that is open here, and without the other threads: so it does nothing
// but that, and tells what came of it through a pipe.
static enum status do_in_child(struct reader *r, struct writer *w)
{
	uint64_t address = take64(r);
	uint32_t width = take32(r);
	uint32_t is_store = take32(r);
	uint64_t value = take64(r);
	int pipe_ends[2];
	if (r->bad || r->left || !width_ok(width) || is_store > 1 || pipe2(pipe_ends, O_CLOEXEC) != 0)
		return STATUS_BAD_REQUEST;
	pid_t pid = _Fork();
	if (pid == 0) {
		struct writer told = { .start = w->start };
		if (guarded()) {
			if (is_store)
				store(address, width, value);
			else
				value = load(address, width);
			unguard();
			put64(&told, value);
		} else {
			put_fault(&told);
		}
		_exit(write(pipe_ends[1], told.start, told.length) == (ssize_t)told.length ? 0 : 1);
	}
	close(pipe_ends[1]);
	ssize_t told = pid < 0 ? -1 : read(pipe_ends[0], w->start, 64);
	close(pipe_ends[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	w->length = told > 0 ? (size_t)told : 0;
	return told == 8 ? STATUS_OK : told == 16 ? STATUS_FAULT : STATUS_BUSY;
}

// ---- programs ------------------------------------------------------------------------------------------------------------

// Runs a program with stdin, stdout and stderr on a file or terminal; on a terminal it gets a session of its own.
//
// The child borrows the memory of a process that has other threads, in the middle of whatever they do: it may make
// system calls, and no more. A copy of the memory would also be one of all that is pinned for devices. When this returns
// the child has given back the file descriptors that it inherited.
static pid_t spawn(const char *stdio, char *const argv[])
{
	static char *environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=linux", NULL };
	pid_t pid = vfork();
	if (pid != 0)
		return pid;
	setsid();
	int fd = open(stdio, O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		_exit(126);
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	if (isatty(0))
		ioctl(0, TIOCSCTTY, 1);
	if (fd > 2)
		close(fd);
	execve(argv[0], argv, environment);
	const char *why = strerrordesc_np(errno);
	struct iovec line[] = {
		{ argv[0], strlen(argv[0]) },
		{ ": ", 2 },
		{ (char *)why, strlen(why) },
		{ "\n", 1 },
	};
	_exit(writev(2, line, 4) < 0 ? 126 : 127);
}

// u32 length and text of the path for stdin, stdout and stderr, u32 count of (u32 length, text) arguments -> u32 pid
static enum status do_spawn(struct reader *r, struct writer *w)
{
	char *text[SPAWN_ARGUMENTS + 2] = { NULL };
	enum status status = STATUS_BAD_REQUEST;
	uint32_t count = 1;
	for (uint32_t i = 0; i < count && !r->bad; i++) {
		uint32_t length = take32(r);
		const uint8_t *bytes = take(r, length);
		if (bytes)
			text[i] = strndup((const char *)bytes, length);
		if (i == 0) {
			uint32_t arguments = take32(r);
			if (arguments == 0 || arguments > SPAWN_ARGUMENTS)
				r->bad = true;
			count = arguments + 1;
		}
	}
	if (!r->bad && !r->left) {
		pid_t pid = spawn(text[0], text + 1);
		if (pid > 0) {
			put32(w, (uint32_t)pid);
			status = STATUS_OK;
		}
	}
	for (int i = 0; i < SPAWN_ARGUMENTS + 1; i++)
		free(text[i]);
	return status;
}

// u32 pid, u32 milliseconds -> u32 code (CLD_EXITED, CLD_KILLED...), u32 status. The program is not reaped: whoever
// waits again, or at the same time, gets the same answer.
static enum status do_wait_program(struct reader *r, struct writer *w)
{
	uint32_t pid = take32(r);
	uint32_t timeout = take32(r);
	if (r->bad || r->left || timeout > WAIT_MAX)
		return STATUS_BAD_REQUEST;
	uint64_t end = nanoseconds() + (uint64_t)timeout * 1000000u;
	int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	if (fd < 0)
		return STATUS_BAD_REQUEST;
	enum status status = await_readable(fd, end);
	close(fd);
	siginfo_t ended;
	if (status == STATUS_OK && waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT) != 0)
		status = STATUS_BAD_REQUEST;
	if (status == STATUS_OK) {
		put32(w, (uint32_t)ended.si_code);
		put32(w, (uint32_t)ended.si_status);
	}
	return status;
}

// ---- workers -----------------------------------------------------------------------------------------------------------

static struct worker {
	pid_t thread;
	uint8_t *request; // FRAME_MAX each
	uint8_t *response;
	bool under_way; // all from here on under the lock
	uint32_t id;
	uint64_t began;
} workers[WORKERS];

static pthread_mutex_t workers_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t led_no_more = PTHREAD_COND_INITIALIZER;
static unsigned worker_count;
static unsigned idle_count;
static unsigned under_way_count;
static bool led;

// -> u32 count of {u32 id, u32 thread, u64 nanoseconds since it began} of the requests under way
static enum status do_under_way(struct reader *r, struct writer *w)
{
	if (r->left)
		return STATUS_BAD_REQUEST;
	uint64_t now = nanoseconds();
	pthread_mutex_lock(&workers_lock);
	put32(w, under_way_count);
	for (unsigned i = 0; i < worker_count; i++) {
		const struct worker *k = &workers[i];
		if (!k->under_way)
			continue;
		put32(w, k->id);
		put32(w, (uint32_t)k->thread);
		put64(w, now > k->began ? now - k->began : 0);
	}
	pthread_mutex_unlock(&workers_lock);
	return STATUS_OK;
}

// u32 thread -> u32 length and text of each of wchan, syscall and stack of its directory in /proc; empty if the kernel has
// no such file or does not give it
static enum status do_thread_state(struct reader *r, struct writer *w)
{
	static const char *const names[] = { "wchan", "syscall", "stack" };
	uint32_t thread = take32(r);
	if (r->bad || r->left)
		return STATUS_BAD_REQUEST;
	for (int i = 0; i < 3; i++) {
		char path[64];
		char text[4096];
		snprintf(path, sizeof path, "/proc/self/task/%u/%s", thread, names[i]);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
		if (fd >= 0)
			close(fd);
		put32(w, n < 0 ? 0 : (uint32_t)n);
		put(w, text, n < 0 ? 0 : (size_t)n);
	}
	return STATUS_OK;
}

// u32 parties, at least 1 -> u32 barrier, which is free again when each of them has come or left
static enum status do_barrier(struct reader *r, struct writer *w)
{
	uint32_t parties = take32(r);
	if (r->bad || r->left || parties == 0 || parties > UNDER_WAY_MAX)
		return STATUS_BAD_REQUEST;
	pthread_mutex_lock(&barriers_lock);
	uint32_t i = 0;
	while (i < BARRIERS && barriers[i].parties)
		i++;
	if (i < BARRIERS)
		barriers[i].parties = parties;
	pthread_mutex_unlock(&barriers_lock);
	if (i == BARRIERS)
		return STATUS_BUSY;
	put32(w, i);
	return STATUS_OK;
}

static struct barrier *take_barrier(struct reader *r)
{
	uint32_t i = take32(r);
	return !r->bad && i < BARRIERS && barriers[i].parties ? &barriers[i] : NULL;
}

// u32 barrier: one party does not come ->
static enum status do_leave(struct reader *r, struct writer *w)
{
	(void)w;
	struct barrier *b = take_barrier(r);
	if (!b || r->left)
		return STATUS_BAD_REQUEST;
	leave_barrier(b);
	return STATUS_OK;
}

static enum status do_race(struct reader *r, struct writer *w);

static const struct {
	enum status (*serve)(struct reader *, struct writer *);
	bool at_once; // by the leader, however many requests are under way: it waits for nothing
} operations[] = {
	[0] = { do_hello, true },
	[1] = { do_syscall, false },
	[2] = { do_read, false },
	[3] = { do_write, false },
	[4] = { do_load, false },
	[5] = { do_store, false },
	[6] = { do_fill, false },
	[7] = { do_verify, false },
	[8] = { do_set, false },
	[9] = { do_compare, false },
	[10] = { do_time, false },
	[11] = { do_poller_start, false },
	[12] = { do_poller_stop, false },
	[13] = { do_wait_event, false },
	[14] = { do_spawn, false },
	[15] = { do_wait_program, false },
	[16] = { do_time_copy, false },
	[17] = { do_time_event, false },
	[18] = { do_under_way, true },
	[19] = { do_thread_state, true },
	[20] = { do_barrier, true },
	[21] = { do_leave, true },
	[22] = { do_race, false },
	[23] = { do_in_child, false },
};

#define OPERATIONS (sizeof operations / sizeof operations[0])
#define RACE_HEAD 24u

// u32 barrier, u64 nanoseconds to wait there at most, u64 nanoseconds to be held back after it, u32 operation, its payload:
// comes to the barrier, and begins when all that are awaited have come
// -> u32 status of the operation, u32 whether it met all others there, u64 CLOCK_MONOTONIC in nanoseconds before and u64
// after what the operation is about, both 0 if it did not get that far; its payload
static enum status do_race(struct reader *r, struct writer *w)
{
	struct barrier *b = take_barrier(r);
	uint64_t patience = take64(r);
	uint64_t held_back = take64(r);
	uint32_t operation = take32(r);
	if (!b || r->bad || patience > BARRIER_WAIT_MAX || held_back > HELD_BACK_MAX || operation >= OPERATIONS ||
	    operations[operation].at_once || operations[operation].serve == do_race) {
		if (b)
			leave_barrier(b);
		return STATUS_BAD_REQUEST;
	}
	race = (struct race){ .barrier = b, .patience = patience, .held_back = held_back };
	struct writer inner = { .start = w->start + RACE_HEAD };
	if (operations[operation].serve != do_syscall)
		race_start(); // what there is to do before is nothing beside what is done
	enum status status = operations[operation].serve(r, &inner);
	race_end();
	race.barrier = NULL;
	if (race.came)
		pass_barrier(b);
	else
		leave_barrier(b);
	put32(w, status);
	put32(w, race.met);
	put64(w, race.start);
	put64(w, race.end);
	w->length += inner.length;
	return STATUS_OK;
}

// ---- the port ------------------------------------------------------------------------------------------------------------

static int port;

// All of the length, or false if the host closed its end: whatever was half read is then forgotten.
static bool read_fully(void *to, size_t length)
{
	uint8_t *at = to;
	while (length > 0) {
		ssize_t n = read(port, at, length);
		if (n > 0) {
			at += n;
			length -= (size_t)n;
		} else if (n == 0) {
			return false;
		} else if (errno != EINTR) {
			return false;
		}
	}
	return true;
}

static bool write_fully(const void *from, size_t length)
{
	const uint8_t *at = from;
	while (length > 0) {
		ssize_t n = write(port, at, length);
		if (n > 0) {
			at += n;
			length -= (size_t)n;
		} else if (n < 0 && errno != EINTR) {
			return false;
		}
	}
	return true;
}

static pthread_mutex_t responses_lock = PTHREAD_MUTEX_INITIALIZER; // one response after the other

static bool read_request(struct worker *self, struct reader *r)
{
	uint32_t length;
	if (!read_fully(&length, sizeof length))
		return false;
	if (length < 8 || length > FRAME_MAX) {
		fprintf(stderr, "peerbar agent: error: frame of %u bytes\n", length);
		return false;
	}
	*r = (struct reader){ .at = self->request, .left = length };
	return read_fully(self->request, length);
}

static void respond(struct worker *self, uint32_t id, enum status status, struct writer *w)
{
	if (status != STATUS_OK && status != STATUS_FAULT)
		w->length = 0;
	uint32_t head[3] = { (uint32_t)w->length + 8, id, status };
	memcpy(self->response, head, sizeof head);
	pthread_mutex_lock(&responses_lock);
	write_fully(self->response, w->length + sizeof head);
	pthread_mutex_unlock(&responses_lock);
}

static void *worker_main(void *argument);

// With the lock held; false if there is no room for one more.
static bool add_worker(void)
{
	if (worker_count == WORKERS)
		return false;
	struct worker *k = &workers[worker_count];
	pthread_attr_t attributes;
	pthread_t thread;
	if (!k->request) {
		uint8_t *buffers = mmap(NULL, 2 * FRAME_MAX, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (buffers == MAP_FAILED)
			return false;
		k->request = buffers;
		k->response = buffers + FRAME_MAX;
	}
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, WORKER_STACK);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	bool added = pthread_create(&thread, &attributes, worker_main, k) == 0;
	pthread_attr_destroy(&attributes);
	worker_count += added;
	return added;
}

// Gives the lead away and begins; false if there may not be one more under way.
static bool begin(struct worker *self, uint32_t id)
{
	pthread_mutex_lock(&workers_lock);
	bool may = under_way_count < UNDER_WAY_MAX && (idle_count > 0 || add_worker());
	if (may) {
		self->under_way = true;
		self->id = id;
		self->began = nanoseconds();
		under_way_count++;
		led = false;
		pthread_cond_signal(&led_no_more);
	}
	pthread_mutex_unlock(&workers_lock);
	return may;
}

static void follow(struct worker *self)
{
	pthread_mutex_lock(&workers_lock);
	under_way_count -= self->under_way;
	self->under_way = false;
	idle_count++;
	while (led)
		pthread_cond_wait(&led_no_more, &workers_lock);
	idle_count--;
	led = true;
	pthread_mutex_unlock(&workers_lock);
}

static void shrink(uint8_t *buffer, size_t used)
{
	if (used > BUFFER_KEPT)
		madvise(buffer + BUFFER_KEPT, FRAME_MAX - BUFFER_KEPT, MADV_DONTNEED);
}

// Serves the next request; false if somebody else leads now.
static bool serve_next(struct worker *self)
{
	struct reader r;
	while (!read_request(self, &r))
		usleep(5000); // no host at the other end yet, or no longer
	size_t asked = r.left;
	uint32_t id = take32(&r);
	uint32_t operation = take32(&r);
	struct writer w = { .start = self->response + 12 };
	enum status status = STATUS_BAD_REQUEST;
	bool known = operation < OPERATIONS;
	bool leads = !known || operations[operation].at_once || !begin(self, id);
	if (leads && known && !operations[operation].at_once)
		status = STATUS_BUSY;
	else if (known)
		status = operations[operation].serve(&r, &w);
	respond(self, id, status, &w);
	shrink(self->request, asked);
	shrink(self->response, w.length);
	return leads;
}

static void *worker_main(void *argument)
{
	struct worker *self = argument;
	self->thread = (pid_t)syscall(SYS_gettid);
	for (;;) {
		follow(self);
		while (serve_next(self))
			;
	}
	return NULL;
}

#define PORT_PATIENCE 20000 // milliseconds after which a kernel that shows no port has no driver for it

static int open_port(void)
{
	uint64_t end = nanoseconds() + (uint64_t)PORT_PATIENCE * 1000000u;
	for (;;) {
		if (nanoseconds() > end) {
			fprintf(stderr, "peerbar agent: error: the guest has no virtio port %s\n", PORT_NAME);
			tcdrain(2);
			reboot(RB_POWER_OFF); // nobody could tell this guest anything
		}
		DIR *ports = opendir("/sys/class/virtio-ports");
		struct dirent *entry;
		while (ports && (entry = readdir(ports))) {
			char path[320];
			char name[64] = "";
			if (entry->d_name[0] == '.')
				continue;
			snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", entry->d_name);
			int fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd < 0)
				continue;
			ssize_t n = read(fd, name, sizeof name - 1);
			close(fd);
			if (n <= 0 || strncmp(name, PORT_NAME, strlen(PORT_NAME)) != 0)
				continue;
			snprintf(path, sizeof path, "/dev/%s", entry->d_name);
			closedir(ports);
			return open(path, O_RDWR | O_CLOEXEC);
		}
		if (ports)
			closedir(ports);
		usleep(10000);
	}
}

static bool command_line_has(const char *word)
{
	char line[4096];
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false;
	line[n] = 0;
	for (char *token = strtok(line, " \n"); token; token = strtok(NULL, " \n"))
		if (strcmp(token, word) == 0)
			return true;
	return false;
}

#define MODULES "/modules"

// Loads what the host has put beside this program for a kernel that has not got everything built in, in the order of its
// list. What fails is told in the kernel's log, where the host looks for it.
static void load_modules(void)
{
	char name[64];
	FILE *order = fopen(MODULES "/order", "re");
	while (order && fscanf(order, "%63s", name) == 1) {
		char path[128];
		snprintf(path, sizeof path, MODULES "/%s", name);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST)) {
			char line[256];
			int length = snprintf(line, sizeof line, "<3>peerbar agent: error: module %s does not load: %s\n",
					      name, strerror(errno));
			int log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
			write(log < 0 ? 2 : log, line, (size_t)length);
			if (log >= 0)
				close(log);
		}
		if (fd >= 0)
			close(fd);
		unlink(path); // its memory is the guest's
	}
	if (order)
		fclose(order);
}

static void make_world(void)
{
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mkdir("/tmp", 0755);
	mkdir("/root", 0700);
	mkdir("/usr", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	int console = open("/dev/console", O_RDWR);
	for (int i = 0; console >= 0 && i < 3; i++)
		dup2(console, i);
	if (console > 2)
		close(console);
	load_modules();
	// Nobody else changes it, so the guest may cache all of it.
	if (command_line_has("peerbar.userland") &&
	    mount("userland", "/usr", "9p", MS_RDONLY, "trans=virtio,version=9p2000.L,msize=512000,cache=loose") != 0)
		fprintf(stderr, "peerbar agent: error: no userland: %s\n", strerror(errno));
}

static int serve(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&barrier_opened, &monotonic);
	processors = sysconf(_SC_NPROCESSORS_ONLN);
	arena = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena == MAP_FAILED)
		return 1;
	port = open_port();
	if (port < 0)
		return 1;
	pthread_mutex_lock(&workers_lock);
	bool added = add_worker();
	pthread_mutex_unlock(&workers_lock);
	if (!added)
		return 1;
	for (;;)
		pause();
}

int main(void)
{
	make_world();
	// The agent is not process 1: the kernel logs every fault of that one, also those that it handles.
	pid_t agent = fork();
	if (agent == 0)
		_exit(serve());
	pid_t shell = -1;
	if (command_line_has("peerbar.shell"))
		shell = spawn(SHELL_TERMINAL, (char *[]){ "/bin/sh", "-l", NULL });
	pid_t dead;
	do {
		dead = wait(NULL);
	} while (dead != agent && dead != shell && (dead > 0 || errno == EINTR));
	if (dead != shell)
		fprintf(stderr, "peerbar agent: BUG: the agent ended\n");
	sync();
	reboot(RB_POWER_OFF);
	return 1;
}
