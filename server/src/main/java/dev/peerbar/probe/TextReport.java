package dev.peerbar.probe;

import dev.peerbar.pci.ConfigLayout.Header;
import dev.peerbar.probe.Snapshot.Irq;
import dev.peerbar.probe.Snapshot.Mapping;
import dev.peerbar.probe.Snapshot.Region;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.DeviceGetIrqInfo;
import dev.peerbar.protocol.MigrationFeature;
import dev.peerbar.protocol.PciRegion;
import dev.peerbar.protocol.RegionCapability.SparseMmap.Area;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Prints a snapshot as {@code lspci -vv} prints a function; what only vfio-user knows follows in
 * the same style. No line is empty or longer than lspci can read back.
 */
final class TextReport {
  /** A socket has one function, which has no place on a bus yet. */
  private static final String SLOT = "00:00.0";

  private static final String SIZE_UNITS = "KMGT";
  private static final int ROM_ENABLE = 1;
  private static final int ROM_ADDRESS = ~0x7ff;

  /** Lines of one region: a hostile server may name tens of thousands. */
  private static final int MOST_PARTS = 16;

  private final Snapshot snapshot;
  private final Identity identity;
  private final ConfigHeader header;
  private final StringBuilder out = new StringBuilder();

  private TextReport(Snapshot snapshot, Identity identity) {
    this.snapshot = snapshot;
    this.identity = identity;
    this.header = new ConfigHeader(snapshot.config());
  }

  /**
   * The report.
   *
   * @param hexBytes how much of config space to dump
   */
  static String of(Snapshot snapshot, Identity identity, OptionalInt hexBytes) {
    TextReport report = new TextReport(snapshot, identity);
    report.function();
    report.vfioUser();
    hexBytes.ifPresent(limit -> report.out.append(HexDump.of(snapshot.config(), limit)));
    return report.out.append('\n').toString();
  }

  private void line(String text) {
    out.append('\t').append(text).append('\n');
  }

  private void function() {
    out.append(SLOT).append(' ').append(identity.title()).append('\n');
    identity.subsystem().ifPresent(name -> line("Subsystem: " + name));
    if (!header.isEndpoint()) {
      line("!!! Unknown header type %02x".formatted(header.layout()));
    }
    line(header.command().text());
    line(header.status().text());
    header.latency().ifPresent(this::line);
    header.interrupt().ifPresent(this::line);
    header.selfTest().ifPresent(this::line);
    List<BaseAddress> bars = Bars.of(snapshot);
    bars.forEach(this::bar);
    expansionRom();
    for (Region region : snapshot.regions()) {
      boolean shown = bars.stream().anyMatch(bar -> bar.index() == region.index());
      if (!shown && region.index() != PciRegion.ROM) {
        other(region);
      }
    }
    CapabilityChain.decode(snapshot.config(), Bars.anyMemory(snapshot)).forEach(this::capability);
  }

  private void bar(BaseAddress bar) {
    StringBuilder text = new StringBuilder("Region %d: ".formatted(bar.index()));
    boolean memory = bar.kind().isMemory();
    boolean enabled =
        header.decodes(memory ? Header.COMMAND_MEMORY_SPACE : Header.COMMAND_IO_SPACE);
    text.append(memory ? "Memory at " : "I/O ports at ");
    if (bar.address() != 0 || !memory && enabled) {
      text.append((memory ? "%08x" : "%04x").formatted(bar.address()));
    } else {
      text.append("<unassigned>");
    }
    if (memory) {
      text.append(
          " (%s, %sprefetchable)".formatted(bar.kind().words(), bar.prefetchable() ? "" : "non-"));
    }
    text.append(enabled ? "" : " [disabled]");
    region(text, snapshot.region(bar.index()));
  }

  private void expansionRom() {
    int register = header.isEndpoint() ? snapshot.config().longAt(Header.EXPANSION_ROM) : 0;
    int rom = register == -1 ? 0 : register;
    Optional<Region> region = snapshot.region(PciRegion.ROM);
    if (rom == 0 && region.isEmpty()) {
      return;
    }
    StringBuilder text = new StringBuilder("Expansion ROM at ");
    text.append((rom & ROM_ADDRESS) != 0 ? "%08x".formatted(rom & ROM_ADDRESS) : "<unassigned>");
    if ((rom & ROM_ENABLE) == 0) {
      text.append(" [disabled]");
    } else if (!header.decodes(Header.COMMAND_MEMORY_SPACE)) {
      text.append(" [disabled by cmd]");
    }
    region(text, region);
  }

  private void other(Region region) {
    String name = region.index() == PciRegion.VGA ? "VGA" : "Region " + region.index();
    region(new StringBuilder(name).append(':'), Optional.of(region));
  }

  private void region(StringBuilder text, Optional<Region> region) {
    region.ifPresent(some ->
        text.append(" [size=%s]".formatted(size(some.size())))
            .append(access(some))
            .append(
                switch (some.mapping()) {
                  case TRAPPED -> " [trapped]";
                  case SPARSE -> " [sparse]";
                  case WHOLE -> " [mappable]";
                }));
    line(text.toString());
    region.ifPresent(this::parts);
  }

  private static String access(Region region) {
    if (region.readable() && region.writable()) {
      return "";
    }
    return region.readable() ? " [ro]" : region.writable() ? " [wo]" : " [no access]";
  }

  private void parts(Region region) {
    if (region.mapping() == Mapping.SPARSE) {
      List<Area> areas = region.areas().orElseThrow();
      areas.stream()
          .limit(MOST_PARTS)
          .forEach(area ->
              line(
                  "\tMappable: %s [size=%s]"
                      .formatted(range(area.offset(), area.size()), size(area.size()))));
      more(areas.size());
    }
    List<String> ioFds = IoFdLines.of(region.ioFds());
    ioFds.stream().limit(MOST_PARTS).forEach(text -> line("\t" + text));
    more(ioFds.size());
  }

  private void more(int count) {
    if (count > MOST_PARTS) {
      line("\t... and %d more, which --json has".formatted(count - MOST_PARTS));
    }
  }

  private static String range(long offset, long size) {
    return "%08x-%08x".formatted(offset, offset + size - 1);
  }

  /** As lspci shows sizes: the largest unit that leaves a whole number. */
  static String size(long bytes) {
    long number = bytes;
    int unit = -1;
    while (number != 0
        && unit + 1 < SIZE_UNITS.length()
        && Long.remainderUnsigned(number, 1024) == 0) {
      number = Long.divideUnsigned(number, 1024);
      unit++;
    }
    return Long.toUnsignedString(number) + (unit < 0 ? "" : SIZE_UNITS.charAt(unit));
  }

  private void capability(Capability capability) {
    String where =
        capability.extended()
            ? "%03x v%d".formatted(capability.offset(), capability.version().getAsInt())
            : "%02x".formatted(capability.offset());
    line("Capabilities: [%s] %s".formatted(where, capability.title().text()));
    capability.registers().forEach(register -> line("\t" + register.text()));
  }

  private void vfioUser() {
    snapshot.irqs().stream().filter(irq -> irq.count() != 0).forEach(this::irq);
    snapshot.features().ifPresent(this::features);
    Capabilities agreed = snapshot.capabilities();
    line(
        "vfio-user: version %d.%d, %d regions, %d IRQ types, Reset%s"
            .formatted(
                snapshot.version().major(),
                snapshot.version().minor(),
                snapshot.regionCount(),
                snapshot.irqCount(),
                sign(snapshot.resettable())));
    line(
        "\tmax_msg_fds=%d max_data_xfer_size=%s max_dma_maps=%d pgsizes=%x"
            .formatted(
                agreed.maxMsgFds(),
                size(agreed.maxDataXferSize()),
                agreed.maxDmaMaps(),
                agreed.pgsizes()));
    line(
        "\ttwin_socket%s write_multiple%s migration%s"
            .formatted(
                sign(agreed.twinSocket().map(Capabilities.TwinSocket::supported).orElse(false)),
                sign(agreed.writeMultiple()),
                agreed
                    .migration()
                    .map(tracking ->
                        "+ pgsize=%s max_bitmap_size=%s"
                            .formatted(size(tracking.pgsize()), size(tracking.maxBitmapSize())))
                    .orElse("-")));
  }

  private void irq(Irq irq) {
    line(
        "IRQ %s: Count=%d EventFD%s Maskable%s AutoMasked%s NoResize%s"
            .formatted(
                IrqNames.of(irq.index()),
                irq.count(),
                sign(irq.has(DeviceGetIrqInfo.EVENTFD)),
                sign(irq.has(DeviceGetIrqInfo.MASKABLE)),
                sign(irq.has(DeviceGetIrqInfo.AUTOMASKED)),
                sign(irq.has(DeviceGetIrqInfo.NORESIZE))));
  }

  private void features(Snapshot.Features features) {
    StringBuilder text =
        new StringBuilder("Features: Migration").append(sign(features.migration()));
    if (features.migration()) {
      long flags = features.migrationFlags();
      text.append(
          " (StopCopy%s P2P%s PreCopy%s)"
              .formatted(
                  sign((flags & MigrationFeature.STOP_COPY) != 0),
                  sign((flags & MigrationFeature.P2P) != 0),
                  sign((flags & MigrationFeature.PRE_COPY) != 0)));
    }
    line(text.append(" DMALogging").append(sign(features.dmaLogging())).toString());
  }

  private static String sign(boolean present) {
    return present ? "+" : "-";
  }
}
