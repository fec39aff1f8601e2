/* A second wall clock for every process that loads this library (LD_PRELOAD): real time plus a shift that a file holds.
 *
 * Belongs here: the calls by which a program on Linux asks for the time of day, and those that wait until one. Monotonic time stays real, so
 * that timeouts and sleeps take as long as ever, whatever the clock on the wall does. The file (REHEARSAL_CLOCK) is eight bytes, nanoseconds,
 * mapped and not read: writing it moves the clocks of all processes in the same instant.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL
#define OLDEST_WALL_TIME 1000000000 /* deadlines below are monotonic: no machine has been up for 31 years */

static const volatile int64_t *shared;

static int64_t shift(void) { return shared ? *shared : 0; }

static struct timespec moved(struct timespec at, int64_t by) {
  int64_t ns = (int64_t)at.tv_sec * SECOND + at.tv_nsec + by;
  return (struct timespec){.tv_sec = ns / SECOND, .tv_nsec = ns % SECOND};
}

/* The C library's own function; dlsym alone would give the oldest version of pthread_cond_timedwait, which waits on another structure. */
static void *next(const char *name) {
  void *found = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");
  return found ? found : dlsym(RTLD_NEXT, name);
}
#define REAL(name)                  \
  static __typeof__(name) *real;    \
  if (!real) real = (__typeof__(name) *)next(#name)

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("REHEARSAL_CLOCK");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *page = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (page != MAP_FAILED) shared = page;
}

static int is_wall(clockid_t clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE; }

int clock_gettime(clockid_t clock, struct timespec *at) {
  REAL(clock_gettime);
  int answer = real(clock, at);
  if (!answer && is_wall(clock)) *at = moved(*at, shift());
  return answer;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  struct timespec now;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &now);
  *at = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
  return 0;
}

time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}

/* A deadline on the wall, as the kernel must hear it. */
static struct timespec deadline(const struct timespec *at) { return at->tv_sec > OLDEST_WALL_TIME ? moved(*at, -shift()) : *at; }

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex, const struct timespec *restrict at) {
  REAL(pthread_cond_timedwait);
  struct timespec until = deadline(at);
  return real(cond, mutex, &until);
}

int pthread_cond_clockwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex, clockid_t clock, const struct timespec *restrict at) {
  REAL(pthread_cond_clockwait);
  struct timespec until = deadline(at);
  return real(cond, mutex, clock, &until);
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict at) {
  REAL(pthread_mutex_timedlock);
  struct timespec until = deadline(at);
  return real(mutex, &until);
}

int sem_timedwait(sem_t *restrict sem, const struct timespec *restrict at) {
  REAL(sem_timedwait);
  struct timespec until = deadline(at);
  return real(sem, &until);
}

int sem_clockwait(sem_t *restrict sem, clockid_t clock, const struct timespec *restrict at) {
  REAL(sem_clockwait);
  struct timespec until = deadline(at);
  return real(sem, clock, &until);
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *at, struct timespec *rest) {
  REAL(clock_nanosleep);
  struct timespec until = (flags & TIMER_ABSTIME) && is_wall(clock) ? deadline(at) : *at;
  return real(clock, flags, &until, rest);
}

/* gRPC waits on futexes by hand. */
long syscall(long number, ...) {
  REAL(syscall);
  va_list list;
  long a[6];
  struct timespec until;
  va_start(list, number);
  for (int n = 0; n < 6; n++) a[n] = va_arg(list, long);
  va_end(list);
  if (number == SYS_futex && (a[1] & FUTEX_CLOCK_REALTIME) && a[3]) {
    until = deadline((const struct timespec *)a[3]);
    a[3] = (long)&until;
  }
  long answer = real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  if (number == SYS_clock_gettime && !answer && is_wall((clockid_t)a[0])) {
    struct timespec *at = (struct timespec *)a[1];
    *at = moved(*at, shift());
  }
  return answer;
}
