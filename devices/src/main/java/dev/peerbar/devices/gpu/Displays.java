package dev.peerbar.devices.gpu;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * How large each output wants to be: the host's wish, which no reset changes. One thread resizes,
 * any may look.
 */
final class Displays {
  private volatile List<DisplaySize> sizes;

  Displays(GpuConfig config) {
    sizes = Collections.nCopies(config.outputs(), config.size());
  }

  /** Of all outputs. Never changes. */
  List<DisplaySize> sizes() {
    return sizes;
  }

  void resize(int output, DisplaySize size) {
    List<DisplaySize> changed = new ArrayList<>(sizes);
    changed.set(output, size);
    sizes = List.copyOf(changed);
  }
}
