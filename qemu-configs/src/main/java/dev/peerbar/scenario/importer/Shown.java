package dev.peerbar.scenario.importer;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.gpu.GpuConfig;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.drm.DrmDevice;
import dev.peerbar.lab.guest.GuestErrnoException;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.lab.vfio.GuestDevice;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.fixture.gpu.HbmAndGpu;
import dev.peerbar.server.events.TransferEvent;
import java.io.IOException;
import java.util.List;

/**
 * A picture in A's memory that the card has imported and shows, until this is closed. What A is
 * asked to do to its memory meanwhile is the scenario's.
 */
final class Shown implements AutoCloseable {
  static final int WIDTH = GpuConfig.DEFAULT.size().width();
  static final int HEIGHT = GpuConfig.DEFAULT.size().height();
  static final int PITCH = WIDTH * Integer.BYTES;
  static final long LENGTH = 8L << 20;

  /** What the driver says of a flush that its device could not carry out. */
  static final String NOT_FLUSHED = "*ERROR* response 0x1200 (command 0x104)";

  private final HbmAndGpu pair;
  private final DrmDevice card;
  private final DmaBuf exported;
  private final DrmDevice.Output output;
  private final int handle;
  private final int framebuffer;
  private final Drawing drawing;

  private Shown(
      HbmAndGpu pair,
      DrmDevice card,
      DmaBuf exported,
      DrmDevice.Output output,
      int handle,
      int framebuffer,
      Drawing drawing) {
    this.pair = pair;
    this.card = card;
    this.exported = exported;
    this.output = output;
    this.handle = handle;
    this.framebuffer = framebuffer;
    this.drawing = drawing;
  }

  /** Draws in A's memory, and has the card import and show that. */
  static Shown begin(HbmAndGpu pair, long seed) throws Exception {
    return begin(pair, pair.device(), seed);
  }

  /** The same with A opened anew. */
  static Shown begin(HbmAndGpu pair, GuestDevice device, long seed) throws Exception {
    Drawing drawing = Drawing.of(WIDTH, HEIGHT, seed);
    drawing.put(device.bar(HbmRegisters.MEMORY_BAR), PITCH);
    DrmDevice card = pair.openCard();
    DmaBuf exported = pair.exportToCard(device, LENGTH);
    try {
      DrmDevice.Output output = card.outputs().getFirst();
      int handle = card.importDmaBuf(exported.fd());
      int framebuffer = card.addFramebuffer(handle, WIDTH, HEIGHT, PITCH, 0);
      card.show(output, framebuffer);
      drawing.await(pair);
      return new Shown(pair, card, exported, output, handle, framebuffer, drawing);
    } catch (Exception e) {
      exported.close();
      throw e;
    }
  }

  /** What the card has imported. */
  DmaBuf exported() {
    return exported;
  }

  /** Leaves all of it to the kernel, which takes handles and framebuffers back with their file. */
  void abandon() throws IOException {
    card.close();
    exported.close();
  }

  /** Has it flushed, whether the card can read it or not. */
  void flush() throws IOException {
    card.flush(framebuffer);
  }

  /** The same; false if A's memory is revoked just then. */
  boolean flushed() throws IOException {
    try {
      flush();
      return true;
    } catch (GuestErrnoException e) {
      if (e.is(Errno.ENODEV)) {
        return false;
      }
      throw e;
    }
  }

  /** What the card has read of A's memory, or tried to: the guest's own is shared. */
  static List<TransferEvent> reads(HbmAndGpu pair) {
    return pair.run().lastTransfers("gpu-b").stream()
        .filter(t -> t.fault() != null || "messages".equals(t.path()))
        .toList();
  }

  /** Draws another picture in A's memory, has it flushed, and waits until that is shown. */
  void showAnother() throws Exception {
    Drawing another = Drawing.of(WIDTH, HEIGHT, ~pair.run().seed());
    another.put(pair.device().bar(HbmRegisters.MEMORY_BAR), PITCH);
    flush();
    another.await(pair);
  }

  /**
   * Has it flushed while its exporter has revoked it: the driver finds that, and the card looks at
   * nothing and shows what it did.
   */
  void checkCutOff() throws Exception {
    int before = reads(pair).size();
    unless(!flushed(), "it is flushed");
    unless(reads(pair).size() == before, "it has read what was taken from it");
    drawing.await(pair);
  }

  /** Has the card show nothing, and lets go of it. */
  @Override
  public void close() throws IOException {
    try {
      card.disable(output);
      card.removeFramebuffer(framebuffer);
      card.closeHandle(handle);
    } finally {
      card.close();
      exported.close();
    }
  }
}
