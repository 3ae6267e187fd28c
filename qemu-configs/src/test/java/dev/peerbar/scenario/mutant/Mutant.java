package dev.peerbar.scenario.mutant;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.pci.ResetKind;
import dev.peerbar.scenario.Problem;
import dev.peerbar.server.EndpointServer;
import dev.peerbar.server.fault.Fault;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * An endpoint of a guest that is broken in one way, and the scenario that has to notice.
 *
 * @param what it does, as the table in the pages has it
 * @param endpoint {@code hbm-a}, {@code hbm-b} or {@code ioat-b}
 * @param scenario the name of that which notices
 * @param kind of what it says first
 * @param sees a part of that
 */
public record Mutant(
    String what, String endpoint, String scenario, Problem.Kind kind, String sees, Break how) {
  private static final String A = "hbm-a";
  private static final String B = "hbm-b";

  /** B where that is an I/OAT endpoint. */
  public static final String IOAT = "ioat-b";

  private static final long LIMIT_SECONDS = 30;

  /** Endpoints that can be broken, by their names. For any thread. */
  public static final class Breakable {
    private final Map<String, MutableEndpoint> endpoints = new ConcurrentHashMap<>();

    /** As a fixture has it. */
    public Endpoint wrap(String name, Endpoint endpoint) {
      MutableEndpoint mutable = new MutableEndpoint(endpoint);
      endpoints.put(name, mutable);
      return mutable;
    }
  }

  /** How it is broken. */
  private sealed interface Break {
    /** By what the endpoint does. */
    record InEndpoint(Supplier<Mutation> mutation) implements Break {}

    /** By what its server does. */
    record InServer(Fault fault) implements Break {}

    /** Like {@code InEndpoint}, with a hand on A's memory. */
    record InMemoryOfA(Function<Supplier<MemorySegment>, Mutation> mutation) implements Break {}
  }

  private static Mutant of(
      String what, String endpoint, String scenario, String sees, Supplier<Mutation> mutation) {
    return unexpected(what, endpoint, scenario, sees, new Break.InEndpoint(mutation));
  }

  private static Mutant of(
      String what, String endpoint, String scenario, String sees, Fault fault) {
    return unexpected(what, endpoint, scenario, sees, new Break.InServer(fault));
  }

  private static Mutant unexpected(
      String what, String endpoint, String scenario, String sees, Break how) {
    return new Mutant(what, endpoint, scenario, Problem.Kind.UNEXPECTED, sees, how);
  }

  /** All of them. */
  public static List<Mutant> all() {
    return List.of(
        of(
            "ignores a function-level reset",
            A,
            "flr.exporter",
            "RESET_COUNT went",
            () -> Mutations.resets((_, _, _) -> {})),
        of(
            "does not count a reset",
            A,
            "flr.exporter",
            "RESET_COUNT went",
            () -> Mutations.resets((_, sound, _) -> sound.reset(ResetKind.D3HOT_TO_D0))),
        of(
            "keeps a register over a reset",
            A,
            "flr.exporter",
            "A's register 0x1c kept",
            Mutations::keepsScratch),
        of(
            "changes its memory in a reset",
            A,
            "flr.exporter",
            "A's memory changed",
            Mutations::touchesMemory),
        of(
            "tells a wrong address of a fault",
            B,
            "flr.exporter",
            "fault at 0x",
            Mutations::faultsElsewhere),
        of(
            "runs a ring that was reset",
            B,
            "flr.initiator-under-load",
            "B is ",
            Mutations::runsResetRing),
        of(
            "interrupts after a reset",
            B,
            "flr.initiator-under-load",
            "interrupts after the reset",
            Mutations::interruptsAfterReset),
        unexpected(
            "writes after a reset",
            B,
            "flr.initiator-under-load",
            "A's memory changed afterwards",
            new Break.InMemoryOfA(Mutations::writesAfterReset)),
        of(
            "completes a copy without moving a byte",
            B,
            "flr.import-again",
            "A's memory differs at 0x0",
            Mutations::movesNothing),
        of(
            "completes a copy before its bytes are there",
            B,
            "flr.import-again",
            "differs",
            Mutations::completesBeforeTheData),
        of(
            "writes beyond the end of a copy",
            B,
            "flr.import-again",
            "A's memory changed 0x0 beyond the copy",
            Mutations::writesBeyond),
        of(
            "tells a wrong length",
            B,
            "flr.import-again",
            "bytes moved of",
            Mutations::tellsWrongLength),
        of("sums wrongly", B, "flr.import-again", "CRC32C", Mutations::sumsWrongly),
        of(
            "interrupts twice",
            B,
            "fault.no-odd-interrupts",
            "interrupts",
            Mutations::doublesInterrupts),
        of(
            "uses memory that was unmapped",
            B,
            "fault.no-stray-copy",
            "the channel is IDLE",
            new Fault.KeepsMappings()),
        of(
            "reads memory that was unmapped",
            B,
            "fault.no-stray-read",
            "the channel is IDLE",
            new Fault.KeepsMappings()),
        new Mutant(
            "leaks a mapping",
            A,
            "iommufd.import-at",
            Problem.Kind.LEFT_BEHIND,
            "ranges mapped at hbm-a",
            new Break.InServer(new Fault.KeepsMappings())),
        of(
            "works on when its file is closed",
            B,
            "life.close-initiator-under-load",
            "RESET_COUNT went",
            () -> Mutations.resets((_, _, _) -> {})),
        of(
            "tells a wrong length of a copy that faults",
            B,
            "p2p.across-end",
            "the end is",
            Mutations::tellsWrongLength),
        of(
            "answers a read of half a register",
            A,
            "bar.register-widths",
            "WORD at 0x0 reads",
            Mutations::answersHalves),
        of(
            "masters the bus without Bus Master Enable",
            B,
            "fault.no-bus-master",
            "the channel is IDLE",
            new Fault.IgnoresBusMaster()),
        of(
            "runs a descriptor more than is valid",
            IOAT,
            "ioat.copy",
            "the channel is HALTED",
            IoatMutations::runsOneMore),
        of(
            "completes a descriptor before its bytes are there",
            IOAT,
            "ioat.copy",
            "other bytes",
            Mutations::completesBeforeTheData),
        of(
            "writes beyond the end of a descriptor's copy",
            IOAT,
            "ioat.lengths",
            "differs after a copy of",
            Mutations::writesBeyond),
        of(
            "interrupts for an error unasked",
            IOAT,
            "ioat.unmapped",
            "it has interrupted",
            IoatMutations::interruptsOnErrors),
        of(
            "ignores a reset of its channel",
            IOAT,
            "ioat.reset-channel-under-load",
            "the channel is ACTIVE",
            IoatMutations::ignoresChannelReset),
        of(
            "interrupts after a reset of its channel",
            IOAT,
            "ioat.reset-channel-under-load",
            "it has interrupted",
            IoatMutations::interruptsAfterChannelReset),
        unexpected(
            "writes after a reset of its channel",
            IOAT,
            "ioat.reset-channel-under-load",
            "A's memory changed at 0x0",
            new Break.InMemoryOfA(IoatMutations::writesAfterChannelReset)));
  }

  /** Breaks it. */
  public void mutate(Breakable breakable, List<EndpointServer> servers) throws Exception {
    switch (how) {
      case Break.InEndpoint it -> mutable(breakable).mutate(it.mutation.get());
      case Break.InServer it ->
          server(servers).faults().inject(it.fault).get(LIMIT_SECONDS, TimeUnit.SECONDS);
      case Break.InMemoryOfA it ->
          mutable(breakable)
              .mutate(
                  it.mutation.apply(
                      () -> servers.getFirst().function().memory(HbmRegisters.MEMORY_BAR)));
    }
  }

  /** Makes it whole again. */
  public void heal(Breakable breakable, List<EndpointServer> servers) throws Exception {
    mutable(breakable).mutate(Mutation.NONE);
    server(servers).faults().clear().get(LIMIT_SECONDS, TimeUnit.SECONDS);
  }

  private MutableEndpoint mutable(Breakable breakable) {
    return breakable.endpoints.get(endpoint);
  }

  private EndpointServer server(List<EndpointServer> servers) {
    return servers.stream()
        .filter(one -> one.function().name().equals(endpoint))
        .findFirst()
        .orElseThrow();
  }

  /** The row of the table of what catches what. */
  public String row() {
    return "| %s | `%s` |".formatted(what, scenario);
  }

  @Override
  public String toString() {
    return what;
  }
}
