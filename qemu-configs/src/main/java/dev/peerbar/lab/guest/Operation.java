package dev.peerbar.lab.guest;

/** What the agent can be asked to do, numbered as in its table. */
enum Operation {
  HELLO,
  SYSCALL,
  READ,
  WRITE,
  LOAD,
  STORE,
  FILL,
  VERIFY,
  SET,
  COMPARE,
  TIME,
  POLLER_START,
  POLLER_STOP,
  WAIT_EVENT,
  SPAWN,
  WAIT_PROGRAM,
  TIME_COPY,
  TIME_EVENT,
  UNDER_WAY,
  THREAD_STATE,
  BARRIER,
  LEAVE,
  RACE,
  IN_CHILD
}
