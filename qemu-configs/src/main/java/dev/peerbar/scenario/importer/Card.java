package dev.peerbar.scenario.importer;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.gpu.GpuConfig;
import dev.peerbar.endpoint.Picture;
import dev.peerbar.lab.drm.DrmDevice;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.GuestProgram;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.Wait;
import dev.peerbar.scenario.fixture.gpu.HbmAndGpu;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/** What the kernel's driver makes of the card by itself. */
final class Card {
  private static final String DRIVER = "virtio-pci";
  private static final String KEYS = "/tmp/keys";
  private static final Duration LIMIT = Duration.ofSeconds(60);

  private static final int[] BARS = {
    0xc0c0c0, 0xc0c000, 0x00c0c0, 0x00c000, 0xc000c0, 0xc00000, 0x0000c0
  };

  private static final int WIDTH = GpuConfig.DEFAULT.size().width();
  private static final int HEIGHT = GpuConfig.DEFAULT.size().height();

  private Card() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
                HbmAndGpu.KIND,
                "importer.bind",
                "unbind the card's driver and bind it again",
                "it has one output that prefers %dx%d".formatted(WIDTH, HEIGHT),
                Card::bind)
            .only(HbmAndGpu::isUsual),
        Case.on(
                HbmAndGpu.KIND,
                "importer.draw",
                "draw in a buffer of the kernel's memory, show it, change it and have it flushed",
                "each picture is the output's, pixel by pixel",
                Card::draw)
            .only(HbmAndGpu::isUsual),
        Case.on(
                HbmAndGpu.KIND,
                "importer.modetest",
                "have the distribution's modetest show its test picture",
                "the bars are the output's",
                Card::modetest)
            .needing(GuestFeature.USERLAND)
            .only(HbmAndGpu::isUsual),
        Case.on(
                HbmAndGpu.KIND,
                "importer.libdrm",
                "have libdrm's drmdevice, proptest and modeprint look at the card",
                "each finds it, and ends well",
                Card::looks)
            .needing(GuestFeature.USERLAND)
            .only(HbmAndGpu::isUsual));
  }

  private static String outputs(DrmDevice card) throws Exception {
    List<DrmDevice.Output> outputs = card.outputs();
    unless(outputs.size() == 1, "it has the outputs %s", outputs);
    String mode = outputs.getFirst().modes().getFirst().toString();
    unless(mode.equals(WIDTH + "x" + HEIGHT), "the first mode is %s", mode);
    return "%s of %d modes".formatted(mode, outputs.getFirst().modes().size());
  }

  private static String bind(HbmAndGpu pair) throws Exception {
    PciDevice card = pair.card();
    unless(card.driver().filter(DRIVER::equals).isPresent(), "its driver is %s", card.driver());
    try (DrmDevice opened = pair.openCard()) {
      outputs(opened);
    }
    card.unbind();
    card.bind(DRIVER);
    try (DrmDevice opened = pair.openCard()) {
      return outputs(opened);
    }
  }

  private static String draw(HbmAndGpu pair) throws Exception {
    Drawing first = Drawing.of(WIDTH, HEIGHT, pair.run().seed());
    Drawing second = Drawing.of(WIDTH, HEIGHT, pair.run().seed() + 1);
    try (DrmDevice card = pair.openCard()) {
      DrmDevice.Output output = card.outputs().getFirst();
      DrmDevice.Dumb buffer = card.createDumb(WIDTH, HEIGHT);
      int framebuffer = card.addFramebuffer(buffer.handle(), WIDTH, HEIGHT, buffer.pitch(), 0);
      try (GuestMemory pixels = card.map(buffer)) {
        first.put(pixels, buffer.pitch());
        card.show(output, framebuffer);
        first.await(pair);
        second.put(pixels, buffer.pitch());
        card.flush(framebuffer);
        second.await(pair);
      }
      card.disable(output);
    }
    return "%dx%d, twice".formatted(WIDTH, HEIGHT);
  }

  /** It shows the picture until somebody presses a key. */
  private static String modetest(HbmAndGpu pair) throws Exception {
    DrmDevice.Output output;
    try (DrmDevice card = pair.openCard()) {
      output = card.outputs().getFirst();
    }
    String mode = "%d@%d:%dx%d".formatted(output.connector(), output.crtc(), WIDTH, HEIGHT);
    pair.guest().run("mkfifo", KEYS);
    try (GuestProgram modetest =
        pair.guest()
            .start("sh", "-c", "exec modetest -M virtio_gpu -s \"$1\" 0<>" + KEYS, "sh", mode)) {
      Wait.until(
          () -> pair.gpu().screenshot(0).filter(Card::hasBars).isPresent(),
          LIMIT,
          "the bars of modetest's picture");
      pair.guest().run("sh", "-c", "echo > " + KEYS);
      GuestProgram.Outcome ended = modetest.finish(LIMIT);
      unless(ended.status() == 0, "modetest ends with %s", ended);
      return ended.out().lines().findFirst().orElse("")
          + ended.err().lines().findFirst().orElse("");
    } finally {
      pair.guest().system().remove(KEYS);
    }
  }

  private static String looks(HbmAndGpu pair) throws Exception {
    Map<List<String>, String> programs =
        Map.of(
            List.of("drmdevice"),
            "device_id     %04x".formatted(pair.card().deviceId()),
            List.of("proptest", "-M", "virtio_gpu"),
            "(Virtual-1)",
            List.of("modeprint", "virtio_gpu"),
            "%dx%d".formatted(WIDTH, HEIGHT));
    for (Map.Entry<List<String>, String> program : programs.entrySet()) {
      GuestProgram.Outcome outcome = pair.guest().run(program.getKey().toArray(String[]::new));
      unless(
          outcome.status() == 0 && outcome.out().contains(program.getValue()),
          "%s says nothing of %s: %s",
          program.getKey(),
          program.getValue(),
          outcome);
    }
    return "%d programs".formatted(programs.size());
  }

  /** Seven bars over the upper two thirds, as of old (SMPTE EG 1). */
  private static boolean hasBars(Picture picture) {
    for (int i = 0; i < BARS.length; i++) {
      int x = (2 * i + 1) * picture.width() / (2 * BARS.length);
      if ((picture.pixel(x, picture.height() / 3) & 0xffffff) != BARS[i]) {
        return false;
      }
    }
    return true;
  }
}
