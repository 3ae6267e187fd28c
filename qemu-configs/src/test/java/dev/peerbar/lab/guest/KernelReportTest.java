package dev.peerbar.lab.guest;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class KernelReportTest {
  private static final String ROW = "=".repeat(66);

  private static final List<String> LOG =
      List.of(
          "<6>[    7.1] vfio-pci 0000:03:00.0: reset done",
          "<3>[    7.2] " + ROW,
          "<3>[    7.2] BUG: KASAN: slab-use-after-free in get_file_active+0x2c/0x190",
          "<3>[    7.2] Read of size 8 at addr ffff888003ddcc00 by task init/87",
          "<4>[    7.2] Call Trace:",
          "<4>[    7.2]  <TASK>",
          "<4>[    7.2]  vfio_pci_dma_buf_move+0x9f/0x4c0 ",
          "<3>[    7.2] " + ROW,
          "<6>[    7.3] something else",
          "<3>[    7.4] " + ROW,
          "<3>[    7.4] BUG: KASAN: slab-out-of-bounds in other_function+0x1/0x2",
          "<3>[    7.4] " + ROW);

  @Test
  void aReportIsWhatIsBetweenTwoRows() {
    List<KernelReport> reports = KernelReport.in(LOG);
    assertThat(reports).hasSize(2);
    assertThat(reports.getFirst().lines())
        .hasSize(7)
        .contains("[    7.2]  vfio_pci_dma_buf_move+0x9f/0x4c0")
        .doesNotContain("[    7.3] something else");
  }

  @Test
  void itsTitleIsTheSameWhereverTheFunctionIs() {
    assertThat(KernelReport.in(LOG))
        .extracting(KernelReport::title)
        .containsExactly(
            "BUG: KASAN: slab-use-after-free in get_file_active",
            "BUG: KASAN: slab-out-of-bounds in other_function");
  }

  @Test
  void itNamesTheFunctionsOfItsStacks() {
    KernelReport report = KernelReport.in(LOG).getFirst();
    assertThat(report.names("vfio_pci_dma_buf_move")).isTrue();
    assertThat(report.names("dma_buf_move")).isFalse();
  }

  @Test
  void whatHasNoEndIsNoReport() {
    assertThat(KernelReport.in(LOG.subList(0, 5))).isEmpty();
  }

  @Test
  void whatWatchesLocksReportsToTheEndOfItsStack() {
    String row = "=".repeat(54);
    List<KernelReport> reports =
        KernelReport.in(
            List.of(
                "<6>[   13.1] pcieport 0000:02:02.0: bridge window",
                "<4>[   13.2] ",
                "<4>[   13.2] " + row,
                "<4>[   13.2] WARNING: possible circular locking dependency detected",
                "<4>[   13.2] irq/28-pciehp/45 is trying to acquire lock:",
                "<4>[   13.2] 0 (&ctrl->reset_lock/1), at: pciehp_configure_device+0xf2/0x180",
                "<4>[   13.3]  <TASK>",
                "<4>[   13.3]  </TASK>",
                "<6>[   13.4] vfio-pci 0000:05:00.0: resetting",
                "<4>[   13.5] " + row,
                "<4>[   13.5] no report"));
    assertThat(reports).hasSize(1);
    KernelReport report = reports.getFirst();
    assertThat(report.title()).isEqualTo("WARNING: possible circular locking dependency detected");
    assertThat(report.names("pciehp_configure_device")).isTrue();
    assertThat(report.lines()).hasSize(7);
    assertThat(report.has("[   13.2]")).isTrue();
    assertThat(report.has("[   13.3]  </TASK>")).isTrue();
    assertThat(report.has("[   13.4] vfio-pci 0000:05:00.0: resetting")).isFalse();
  }
}
