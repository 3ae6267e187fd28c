package dev.peerbar.lab.boot;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GuestLogTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "[    1.0] WARNING: CPU: 0 PID: 1 at drivers/iommu/iommu.c:1 x+0x1/0x2",
        "[    1.0] BUG: kernel NULL pointer dereference, address: 0000000000000010",
        "[    1.0] Oops: Oops: 0000 [#1] SMP",
        "[    1.0] ------------[ cut here ]------------",
        "[    1.0] Call Trace:",
        "[    1.0] nvme nvme0: I/O Error (sct 0x0 / sc 0x2)",
        "[    1.0] pcieport 0000:00:02.0: AER: Correctable error message received",
        "[    1.0] DMAR: [DMA Write NO_PASID] Request device [03:00.0] fault addr 0x1000",
        "[    1.0] INFO: task agent:55 blocked for more than 120 seconds.",
        "[    1.0] Kernel panic - not syncing: Attempted to kill init!",
        "<4>[    1.0] something that only its level gives away",
        "peerbar agent: BUG: the agent ended"
      })
  void complaintsAreFound(String line) {
    assertThat(GuestLog.badKernelLines("<6>[    0.9] fine\n" + line + "\n"))
        .containsExactly(line.replaceFirst("^<.>", ""));
  }

  @Test
  void linesThatContinueABadMessageAreBadToo() {
    assertThat(GuestLog.badKernelLines("<6>[ 1.0] fine\n<3>[ 1.1] bad\nand more\n<6>[ 1.2] fine\n"))
        .containsExactly("[ 1.1] bad", "and more");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "<6>[    0.6] PCI: Using host bridge windows from ACPI; if necessary, use \"pci=nocrs\" and report a bug",
        "<4>[    0.1] tsc: Unable to calibrate against PIT",
        "<4>[    0.024000] tsc: PIT calibration deviates from HPET: 109893 2593172",
        "<4>[   13.404921] clocksource: Marking clocksource tsc-early unstable due to frequency skew",
        "<4>[   13.406749] clocksource: Watchdog                    hpet interval:        582711760ns",
        "<4>[   13.407236] clocksource: Clocksource            tsc-early interval:      13765474069ns",
        "<4>[    2.3] vfio-pci 0000:04:00.0: resetting",
        "<4>[    2.4] vfio-pci 0000:04:00.0: reset done",
        "<5>[    0.0] Kernel command line: console=ttyS0 loglevel=8 panic=-1 pnpacpi=off"
      })
  void whatAHealthyGuestSaysIsNot(String line) {
    assertThat(GuestLog.badKernelLines(line)).isEmpty();
  }

  /** As printed: a message a line, all of one level. */
  private static final String FORMER_OWNERS_INTERRUPT =
      """
      <4>[    1.1] irq 30, desc: 00000000976b87c0, depth: 1, count: 0, unhandled: 0
      <4>[    1.1] ->handle_irq():  000000005f5f8a13, handle_bad_irq+0x0/0x210
      <4>[    1.1] ->irq_data.chip(): 0000000036840446, 0xffffffff81895980
      <4>[    1.1] ->action(): 0000000000000000
      <4>[    1.1]  IRQ_NOREQUEST set
      <4>[    1.1]   IRQS_PENDING set
      <4>[    1.1] unexpected IRQ trap at vector 1e
      """;

  @Test
  void anInterruptOfAVectorsFormerOwnerIsTheHostsDoing() {
    assertThat(GuestLog.badKernelLines(FORMER_OWNERS_INTERRUPT)).isEmpty();
    assertThat(GuestLog.badKernelLines(FORMER_OWNERS_INTERRUPT.replace("count: 0", "count: 7")))
        .hasSize(1);
  }

  @Test
  void whateverQemuSaysIsAComplaint() {
    assertThat(GuestLog.badQemuLines("\nqemu-system-x86_64: iommu map to non memory area 1000\n"))
        .containsExactly("qemu-system-x86_64: iommu map to non memory area 1000");
    assertThat(GuestLog.badQemuLines("")).isEmpty();
  }
}
