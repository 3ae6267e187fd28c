package dev.peerbar.probe;

/** Config space in lspci's format, which {@code lspci -F} reads. */
final class HexDump {
  private static final int PER_LINE = 16;

  private HexDump() {}

  /**
   * Lines of 16 bytes.
   *
   * @param limit how many bytes at most
   */
  static String of(ConfigBytes config, int limit) {
    StringBuilder text = new StringBuilder();
    for (int at = 0; at < Math.min(limit, config.length()); at++) {
      if (at % PER_LINE == 0) {
        text.append(at == 0 ? "" : "\n").append("%02x:".formatted(at));
      }
      text.append(" %02x".formatted(config.byteAt(at)));
    }
    return text.append('\n').toString();
  }
}
