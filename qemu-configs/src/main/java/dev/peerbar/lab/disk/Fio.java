package dev.peerbar.lab.disk;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.GuestProgram;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.StreamSupport;

/**
 * fio in the guest, past the page cache (O_DIRECT) and with Linux's asynchronous I/O. Options are
 * those of its manual page without the dashes.
 */
public final class Fio {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** What fio ends with after SIGINT. */
  private static final int INTERRUPTED = 128;

  private Fio() {}

  /**
   * What a job did in one direction.
   *
   * @param bytes moved
   * @param perSecond requests per second
   * @param bytesPerSecond bandwidth
   */
  public record Moved(long bytes, double perSecond, double bytesPerSecond) {
    static Moved of(JsonNode direction) {
      return new Moved(
          direction.path("io_bytes").asLong(),
          direction.path("iops").asDouble(),
          direction.path("bw_bytes").asDouble());
    }
  }

  /**
   * What became of a job.
   *
   * @param error of the guest's kernel or of the verification, 0 if there was none
   */
  public record Job(String name, int error, Moved read, Moved written) {}

  /**
   * What became of a run.
   *
   * @param outcome of the program
   * @param jobs in order; empty if it printed no results
   */
  public record Result(GuestProgram.Outcome outcome, List<Job> jobs) {
    public Result {
      jobs = List.copyOf(jobs);
    }

    /** Whether every job did all its I/O and every byte was right. */
    public boolean good() {
      return outcome.status() == 0
          && !jobs.isEmpty()
          && jobs.stream().allMatch(job -> job.error == 0);
    }

    /** Whether every job was without an error when it was interrupted. */
    public boolean goodUntilInterrupted() {
      return outcome.status() == INTERRUPTED
          && !jobs.isEmpty()
          && jobs.stream().allMatch(job -> job.error == 0);
    }

    /** Bytes read and written by all jobs. */
    public long bytes() {
      return jobs.stream().mapToLong(job -> job.read.bytes + job.written.bytes).sum();
    }

    @Override
    public String toString() {
      return "%s; %s".formatted(jobs, outcome.err().strip());
    }
  }

  /** Runs it to its end. */
  public static Result run(Guest guest, String... options) throws IOException {
    return result(start(guest, options).finish(Guest.PROGRAM_LIMIT));
  }

  /** Starts it. {@link #result} reads what it leaves. */
  public static GuestProgram start(Guest guest, String... options) throws IOException {
    List<String> words =
        new ArrayList<>(List.of("fio", "--output-format=json", "--ioengine=libaio", "--direct=1"));
    for (String option : options) {
      words.add("--" + option);
    }
    return guest.start(words.toArray(String[]::new));
  }

  /** What a run left. */
  public static Result result(GuestProgram.Outcome outcome) throws IOException {
    // Messages may come before the results.
    int start = outcome.out().indexOf('{');
    if (start < 0) {
      return new Result(outcome, List.of());
    }
    JsonNode jobs = JSON.readTree(outcome.out().substring(start)).path("jobs");
    return new Result(
        outcome,
        StreamSupport.stream(jobs.spliterator(), false)
            .map(job ->
                new Job(
                    job.path("jobname").asText(),
                    job.path("error").asInt(),
                    Moved.of(job.path("read")),
                    Moved.of(job.path("write"))))
            .toList());
  }
}
