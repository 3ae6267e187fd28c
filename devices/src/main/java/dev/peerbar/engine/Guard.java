package dev.peerbar.engine;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.JobEndedException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries out one descriptor or command so that whatever goes wrong with it is one of the device's
 * errors, for a driver to see: what it throws is logged, and goes no further. That its job has
 * ended is none of them, and is let through. For any thread.
 *
 * @param <F> a failure as the device tells it
 */
public final class Guard<F> {
  private static final Logger log = LoggerFactory.getLogger(Guard.class);

  private final String what;
  private final Errors<F> errors;

  /** Work on one descriptor or command. */
  @FunctionalInterface
  public interface Attempt<F> {

    /** Does the work. Returns what the device has to say of it. */
    F run() throws DmaFaultException, JobEndedException;
  }

  /**
   * @param what is carried out, for the log: "a descriptor"
   */
  public Guard(String what, Errors<F> errors) {
    this.what = what;
    this.errors = errors;
  }

  /**
   * Does an attempt's work.
   *
   * @return what the attempt returned, or the device's error for what it threw
   */
  public F run(Attempt<F> attempt) throws JobEndedException {
    try {
      return attempt.run();
    } catch (DmaFaultException | RuntimeException | Error e) {
      return of(e);
    }
  }

  /** The device's error for what an attempt's work threw, where it is not worth an object. */
  F of(Throwable thrown) {
    if (thrown instanceof DmaFaultException fault) {
      return errors.of(fault);
    }
    log.error("{} cannot be carried out", what, thrown);
    return errors.broken();
  }
}
