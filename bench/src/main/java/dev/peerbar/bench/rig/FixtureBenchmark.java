package dev.peerbar.bench.rig;

import dev.peerbar.bench.harness.Fixture;
import dev.peerbar.bench.harness.JmhDefaults;
import dev.peerbar.bench.harness.Workload;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.infra.BenchmarkParams;

/**
 * Has JMH run a {@link Fixture}. A subclass has the parameters, sets the fixture up, and has a
 * benchmark named {@code floor} beside the one that is measured.
 *
 * <p>JMH takes the time of each run by itself, since what has to be done before it is not to count.
 */
public abstract class FixtureBenchmark extends JmhDefaults {
  private static final String FLOOR = ".floor";

  private Fixture fixture;
  private Workload chosen;
  private Placement.Pinned pinned;

  /** Sets up what the parameters say. */
  protected abstract Fixture open() throws Exception;

  /** Where the measuring thread is while it measures. */
  protected abstract Placement placement();

  @Setup(Level.Trial)
  public void open(BenchmarkParams benchmark) throws Exception {
    fixture = open();
    chosen = benchmark.getBenchmark().endsWith(FLOOR) ? fixture.floor() : fixture.peerbar();
  }

  @TearDown(Level.Trial)
  public void close() throws Exception {
    fixture.close();
  }

  @Setup(Level.Iteration)
  public void begin() throws Exception {
    pinned = placement().pinClient();
    chosen.begin();
  }

  @TearDown(Level.Iteration)
  public void end() throws Exception {
    chosen.end();
    pinned.close();
  }

  @Setup(Level.Invocation)
  public void prepare() throws Exception {
    chosen.prepare();
  }

  /** What has been set up. */
  protected final Fixture fixture() {
    return fixture;
  }
}
