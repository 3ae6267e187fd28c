package dev.peerbar.server.function;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.pci.PcieError;
import dev.peerbar.server.fault.Fault;
import dev.peerbar.server.fault.Faults;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * A function's part in what it was told to do wrong. Where a fault touches what happens often, it
 * puts something else in the place of what does it rightly, so that nobody looks for faults where
 * there are none. For the function's thread.
 */
final class Misbehaviour implements Faults.Device {
  private static final long STRAY_BYTES = Long.BYTES;
  private static final Duration STRAY_LIMIT = Duration.ofSeconds(10);

  private final ServedFunction function;
  private final List<Region> sound;
  private final FunctionTimer readiness;
  private final Faults faults;
  private final FaultyInterrupts interrupts;
  private Engine stray;

  /** Whether a function-level reset is not over yet. */
  private boolean notReady;

  /**
   * @param sound the function's regions, when nothing is wrong
   */
  Misbehaviour(
      ServedFunction function, List<Region> sound, ScheduledExecutorService functionThread) {
    this.function = function;
    this.sound = sound;
    faults = new Faults(functionThread, this);
    interrupts = new FaultyInterrupts(faults, function.interrupts(), functionThread);
    readiness = new FunctionTimer(functionThread, this::ready, function::failed);
  }

  Faults faults() {
    return faults;
  }

  @Override
  public void faultsChanged() {
    if (notReady && faults.find(Fault.ResetTakes.class) == null) {
      answerAgain();
    }
    interrupts.faultsChanged();
    Fault.Stuck stuck = faults.find(Fault.Stuck.class);
    function
        .bus()
        .stick(
            Optional.ofNullable(stuck)
                .map(fault -> engine -> fault.engine().orElse(engine).equals(engine)));
    function.bus().kept().keep(faults.find(Fault.KeepsMappings.class) != null);
    if (!ignoresBusMaster()) {
      function.bus().enable(function.function().busMasterEnabled());
    }
    show();
  }

  boolean ignoresBusMaster() {
    return faults.find(Fault.IgnoresBusMaster.class) != null;
  }

  /** Has the client meet what is wrong with the regions. */
  private void show() {
    Fault.AllOnes ones = faults.find(Fault.AllOnes.class);
    boolean config = notReady || ones != null && ones.config();
    boolean bars = notReady || ones != null && ones.bars();
    if (!config && !bars) {
      function.show(sound);
      return;
    }
    List<Region> shown = new ArrayList<>(sound);
    for (int index = 0; index < shown.size(); index++) {
      if (index == ServedFunction.CONFIG_REGION ? config : bars) {
        shown.set(index, new AllOnesRegion(sound.get(index)));
      }
    }
    function.show(List.copyOf(shown));
  }

  /** A function-level reset has been carried out. */
  void functionLevelReset() {
    Fault.ResetTakes fault = faults.find(Fault.ResetTakes.class);
    if (fault != null) {
      notReady = true;
      fault.takes().ifPresent(readiness::arm);
      show();
    }
  }

  private void ready() {
    answerAgain();
    faults.strike(Fault.ResetTakes.class);
  }

  private void answerAgain() {
    readiness.cancel();
    notReady = false;
    show();
  }

  /** A reset of any kind begins: what another one left is over. */
  void resetBegins() {
    interrupts.forget();
    if (notReady) {
      answerAgain();
    }
  }

  /** The client has gone; faults stay. */
  void clientGone() {
    resetBegins();
  }

  @Override
  public CompletableFuture<String> happen(Fault.Once fault) {
    return switch (fault) {
      case Fault.Error error -> CompletableFuture.completedFuture(report(error.severity()));
      case Fault.StrayWrite write ->
          write.checked() ? strayWrite(write.iova()) : uncheckedWrite(write.iova());
    };
  }

  private String report(PcieError severity) {
    function.function().detected(severity);
    if (!severity.uncorrectable()) {
      return "shown in config space";
    }
    return function.interrupts().error()
        ? "shown in config space, and the client was told"
        : "shown in config space, and nobody wants to be told";
  }

  private CompletableFuture<String> strayWrite(long iova) {
    if (stray == null) {
      stray = function.engine("stray");
    }
    CompletableFuture<String> result = new CompletableFuture<>();
    stray.submit(
        job -> {
          try (Arena arena = Arena.ofConfined()) {
            job.dma().write(iova, arena.allocate(STRAY_BYTES));
            result.complete("written");
          } catch (DmaFaultException e) {
            result.complete("refused by the endpoint: " + e.reason());
          }
        },
        result::completeExceptionally);
    return answered(result, "it has not come to it");
  }

  private CompletableFuture<String> uncheckedWrite(long iova) {
    CompletableFuture<String> result = new CompletableFuture<>();
    // The message lends it.
    MemorySegment zeros = Arena.ofAuto().allocate(STRAY_BYTES);
    if (!function.bus().writeUnchecked(iova, zeros, result::complete)) {
      return CompletableFuture.completedFuture("there is no client");
    }
    return answered(result, "it is not answered");
  }

  private static CompletableFuture<String> answered(
      CompletableFuture<String> result, String otherwise) {
    return result.completeOnTimeout(otherwise, STRAY_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
  }
}
