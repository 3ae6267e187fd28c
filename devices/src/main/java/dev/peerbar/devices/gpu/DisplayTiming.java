package dev.peerbar.devices.gpu;

/**
 * How a display of some size would be driven: VESA Coordinated Video Timings 1.2, reduced blanking
 * version 1. Nothing here runs at such a clock, but a mode without one is none.
 *
 * @param clock of pixels, in units of 10 kHz
 * @param refresh frames per second
 * @param verticalSync lines
 * @param verticalBlank lines, the synchronisation among them
 */
record DisplayTiming(
    DisplaySize size, int clock, int refresh, int verticalSync, int verticalBlank) {
  static final int HORIZONTAL_BLANK = 160;
  static final int HORIZONTAL_FRONT_PORCH = 48;
  static final int HORIZONTAL_SYNC = 32;
  static final int VERTICAL_FRONT_PORCH = 3;

  private static final int REFRESH = 60;
  private static final int LEAST_BLANK_MICROSECONDS = 460;
  private static final int LEAST_VERTICAL_BACK_PORCH = 6;
  private static final int MICROSECONDS = 1_000_000;

  /** In units of 10 kHz: clocks are multiples of 0.25 MHz. */
  private static final int CLOCK_STEP = 25;

  private static final int CLOCK_UNIT = 10_000;

  /** What 16 bits of an EDID have room for: 655.35 MHz. */
  private static final int MOST_CLOCK = 0xffff;

  /** At 60 frames per second, or as many as the clock allows. */
  static DisplayTiming of(DisplaySize size) {
    int refresh = REFRESH;
    DisplayTiming timing = at(size, refresh);
    while (timing.clock > MOST_CLOCK) {
      refresh--;
      timing = at(size, refresh);
    }
    return timing;
  }

  private static DisplayTiming at(DisplaySize size, int refresh) {
    double lineMicroseconds =
        ((double) MICROSECONDS / refresh - LEAST_BLANK_MICROSECONDS) / size.height();
    int sync = verticalSync(size);
    int blank =
        Math.max(
            (int) (LEAST_BLANK_MICROSECONDS / lineMicroseconds) + 1,
            VERTICAL_FRONT_PORCH + sync + LEAST_VERTICAL_BACK_PORCH);
    long pixels = (long) (size.width() + HORIZONTAL_BLANK) * (size.height() + blank);
    long units = pixels * refresh / CLOCK_UNIT;
    return new DisplayTiming(size, (int) (units - units % CLOCK_STEP), refresh, sync, blank);
  }

  /** How many lines tells a display the ratio of its sides. */
  private static int verticalSync(DisplaySize size) {
    if (ratio(size, 4, 3)) {
      return 4;
    }
    if (ratio(size, 16, 9)) {
      return 5;
    }
    if (ratio(size, 16, 10)) {
      return 6;
    }
    return ratio(size, 5, 4) || ratio(size, 15, 9) ? 7 : 10;
  }

  private static boolean ratio(DisplaySize size, int across, int down) {
    return size.width() * down == size.height() * across;
  }
}
